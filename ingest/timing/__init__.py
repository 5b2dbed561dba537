"""When each sample was taken, on the host's clock."""
