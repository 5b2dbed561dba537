"""Recipes: the settings of a training run, checked and stored as TOML."""
