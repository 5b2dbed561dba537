"""Training a switchable network: recipes, collaborative learning, and the finished model file.

Only the modules that compute load PyTorch: ``network/``, ``fit/``, ``judge/`` and ``personal/``.

>>> load_recipe("uci").network.full
Subnet(width=1.0, resolution=128)
"""

from typing import TYPE_CHECKING

from kinestream.core.lazy import lazy_names

if TYPE_CHECKING:
    from .recipe.data_settings import Data
    from .recipe.recipe_toml import load_recipe, recipe_names
    from .recipe.schema import Augmentation, Network, Recipe, Training

__all__ = ["Augmentation", "Data", "Network", "Recipe", "Training", "load_recipe", "recipe_names"]

# Loaded on first use: the command line needs the names of protocols before it needs numpy.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("load_recipe", "recipe_names"), ".recipe.recipe_toml"),
        **dict.fromkeys(("Augmentation", "Network", "Recipe", "Training"), ".recipe.schema"),
        "Data": ".recipe.data_settings",
    },
)
