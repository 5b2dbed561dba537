"""Batch-norm statistics of every subnetwork, recomputed once the weights are final.

A mean and a variance are valid for one width and one length only, so each subnetwork gets its own. They come from one
sample of training windows that runs through the subnetwork layer by layer: every layer is measured on the output of
the layers before it with THEIR recorded statistics, which is exactly its input at inference.

Source: post-statistics of Yu and Huang, "Universally Slimmable Networks", ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from kinestream.core.signals import Subnet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from .switchable import SwitchableNet

BATCH = 32
"""Windows in a layer at once: more would evict its output from the cache before it is normalised."""
Track = Callable[[Sequence[Subnet]], Iterable[Subnet]]
"""Wraps the subnetworks during processing, to draw a progress bar."""


@torch.inference_mode()
def record(
    net: SwitchableNet, sample: Tensor, subnets: Sequence[Subnet], *, share: float = 1.0, track: Track = iter
) -> None:
    """Set the moments of ``subnets`` from (n, length, columns) normalised windows; drop those of all others.

    The variance is that of the sample itself (divided by n), as in batch norm during training.

    Args:
        share: weight of the sample, above 0 and at most 1; the rest is the weight of the previous moments, as if both
            samples had been pooled.
    """
    net.eval()
    norms = net.norms().values()
    try:
        for norm in norms:
            previous = norm.moments if share < 1 else {}
            norm.moments = {subnet: previous[subnet] for subnet in subnets if subnet in previous}
            norm.recording = share
        for subnet in track(subnets):
            net.maps(sample.split(BATCH), subnet)
    finally:
        for norm in norms:
            norm.recording = 0.0


def to_arrays(
    net: SwitchableNet, widths: Sequence[float], resolutions: Sequence[int]
) -> dict[str, NDArray[np.float32]]:
    """The moments in the model file's layout: (widths, resolutions, channels), zero beyond a width's channels."""
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, norm in net.norms().items():
        mean, var = (np.zeros((len(widths), len(resolutions), len(norm.weight)), np.float32) for _ in range(2))
        for subnet, (subnet_mean, subnet_var) in norm.moments.items():
            cell = widths.index(subnet.width), resolutions.index(subnet.resolution), slice(len(subnet_mean))
            mean[cell], var[cell] = subnet_mean.cpu().numpy(), subnet_var.cpu().numpy()
        arrays[f"stats.{name}.mean"], arrays[f"stats.{name}.var"] = mean, var
    return arrays


def from_arrays(
    net: SwitchableNet, arrays: dict[str, NDArray[np.float32]], widths: Sequence[float], resolutions: Sequence[int]
) -> None:
    """Set every subnetwork's moments from arrays in the model file's layout."""
    for name, norm in net.norms().items():
        mean, var = (torch.from_numpy(arrays[f"stats.{name}.{kind}"]) for kind in ("mean", "var"))
        norm.moments = {
            Subnet(width, resolution): (mean[i, j], var[i, j])
            for i, width in enumerate(widths)
            for j, resolution in enumerate(resolutions)
        }
