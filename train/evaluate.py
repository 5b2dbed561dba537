"""How often each subnetwork is right, and on which activities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kinestream.signals import Subnet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from .networks import SwitchableNet
    from .statistics import Track

BATCH = 64
"""Windows at once: few enough for a layer's output to stay in the cache; 512 take twice as long."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one subnetwork made of the windows."""

    confusion: NDArray[np.int64]
    """(classes, classes): rows are the truth, columns what was predicted."""

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def recall(self) -> NDArray[np.float64]:
        """(classes,) share of each class's windows that were recognised; NaN for a class without windows."""
        with np.errstate(invalid="ignore"):
            return np.diag(self.confusion) / self.confusion.sum(axis=1)

    @property
    def macro_f1(self) -> float:
        """Mean over the classes of the harmonic mean of precision and recall."""
        found = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        return float(np.mean(2 * np.diag(self.confusion) / np.maximum(found, 1)))


@torch.inference_mode()
def score(net: SwitchableNet, x: Tensor, labels: NDArray[np.int64], subnet: Subnet) -> Score:
    """One subnetwork's confusion over (n, length, columns) normalised windows and their (n,) labels."""
    net.eval()
    classes = net.architecture.classes
    predicted = np.concatenate([net(part, subnet).argmax(dim=1).numpy() for part in x.split(BATCH)])
    return Score(np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes))


def score_grid(
    net: SwitchableNet, x: Tensor, labels: NDArray[np.int64], subnets: Sequence[Subnet], *, track: Track = iter
) -> dict[Subnet, Score]:
    """``score`` for every subnetwork; ``track`` wraps them, to draw a progress bar."""
    return {subnet: score(net, x, labels, subnet) for subnet in track(subnets)}


def summary(scores: Mapping[Subnet, Score], labels: Sequence[str]) -> dict[str, Any]:
    """The figures as JSON values: every subnetwork's accuracy; per class for the four corners of the grid."""
    widths = sorted({subnet.width for subnet in scores})
    resolutions = sorted({subnet.resolution for subnet in scores})
    corners = [Subnet(width, res) for width in (widths[-1], widths[0]) for res in (resolutions[-1], resolutions[0])]
    return {
        "windows": int(next(iter(scores.values())).confusion.sum()),
        "accuracy": {str(subnet): round(found.accuracy, 5) for subnet, found in scores.items()},
        "corners": {
            str(subnet): {
                "macro_f1": round(scores[subnet].macro_f1, 5),
                "recall": {
                    label: None if np.isnan(share) else round(float(share), 5)
                    for label, share in zip(labels, scores[subnet].recall, strict=True)
                },
                "confusion": scores[subnet].confusion.tolist(),
            }
            for subnet in dict.fromkeys(corners)
        },
    }
