"""The public datasets, as their authors distribute them."""
