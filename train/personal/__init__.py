"""Fitting a model to one person."""
