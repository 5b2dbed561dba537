"""Collaborative training: the loop, its losses, checkpoints and memory estimate."""
