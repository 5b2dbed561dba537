"""Recipes: the settings of a training run, from TOML or from recordings."""
