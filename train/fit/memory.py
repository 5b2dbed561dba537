"""An estimate of the memory that training needs, before it starts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kinestream.inference.architecture import blocks, feature_sizes, parameter_shapes

if TYPE_CHECKING:
    from ..recipe.schema import Recipe


def training_bytes(recipe: Recipe, windows: int, validation_windows: int) -> int:
    """Estimated bytes that training needs on top of the windows themselves, which are loaded already.

    The larger of two peaks, plus constants. Peaks: one step of the full network, which keeps every layer's output three
    times (convolution, norm, activation) for the gradient; and the batch-norm statistics, computed layer by layer over
    their sample. Constants: five copies of the weights (gradient, two moments, average, checkpoint) and the normalised
    validation windows.
    """
    arch, training = recipe.network.architecture, recipe.training
    sizes = feature_sizes(arch, arch.length)
    maps = [
        math.prod(size) * layer.out_channels
        for size, block in zip(sizes, blocks(arch), strict=True)
        for layer in block.layers
    ]
    window = arch.length * arch.columns
    sample = min(windows, training.statistics_windows)
    step = min(windows, training.batch_size) * (3 * sum(maps) + 4 * window)
    statistics = sample * (3 * max(maps) + window)
    weights = sum(math.prod(shape) for shape in parameter_shapes(arch).values())
    return 4 * (max(step, statistics) + 5 * weights + validation_windows * window)
