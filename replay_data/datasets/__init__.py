"""Public datasets, read as their authors distribute them."""
