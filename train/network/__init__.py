"""The switchable network in PyTorch, its batch-norm statistics, and its export."""
