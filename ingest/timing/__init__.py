"""Sample times on the host's clock."""
