"""What arrives, observed: the figures of each stream, and the table of checks that `wear`, `run` and `replay` share."""
