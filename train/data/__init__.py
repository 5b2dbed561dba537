"""Labelled training windows, from datasets and from a user's own recordings."""
