"""How a network learns to be cut: recipes, collaborative learning, and the model file in the end.

PyTorch is only loaded by the modules that compute: ``kinestream.train.fit``, ``.evaluate``, ``.export``, ``.networks``.
"""

from .recipe.recipe_toml import load_recipe, recipe_names
from .recipe.schema import Augmentation, Data, Network, Recipe, Training

__all__ = ["Augmentation", "Data", "Network", "Recipe", "Training", "load_recipe", "recipe_names"]
