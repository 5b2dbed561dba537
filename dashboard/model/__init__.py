"""What the dashboard shows: plain state, without a screen."""
