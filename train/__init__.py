"""Training a switchable network: recipes, collaborative learning, and the model file at the end.

Only the modules that compute load PyTorch: ``network/``, ``fit/`` and ``judge/``.
"""

from .recipe.recipe_toml import load_recipe, recipe_names
from .recipe.schema import Augmentation, Data, Network, Recipe, Training

__all__ = ["Augmentation", "Data", "Network", "Recipe", "Training", "load_recipe", "recipe_names"]
