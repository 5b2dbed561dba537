"""How a network learns to be cut: recipes, collaborative learning, and the model file in the end.

PyTorch is only loaded by the modules that compute: ``kinestream.train.fit``, ``.evaluate``, ``.export``, ``.networks``.
"""

from .recipe import Augmentation, Data, Network, Recipe, Training
from .recipe_file import load_recipe, recipe_names

__all__ = ["Augmentation", "Data", "Network", "Recipe", "Training", "load_recipe", "recipe_names"]
