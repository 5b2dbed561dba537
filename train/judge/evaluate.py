"""Evaluation: the scores of each subnetwork, by activity and by person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kinestream.core.signals import Subnet
from kinestream.inference.engine import Engine

from .scores import Score, score_of, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from kinestream.inference.model_file import Model

    from ..network.batch_statistics import Track
    from ..network.switchable import SwitchableNet

BATCH = 64
"""Windows per forward pass: few enough for a layer's output to stay in the cache; 512 take twice as long."""


@torch.inference_mode()
def probabilities(net: SwitchableNet, x: Tensor, subnet: Subnet) -> NDArray[np.float32]:
    """(n, classes) probabilities of one subnetwork for (n, length, columns) normalised windows."""
    net.eval()
    return torch.cat([net(part, subnet).softmax(dim=1) for part in x.split(BATCH)]).cpu().numpy()


def score(
    net: SwitchableNet, x: Tensor, labels: NDArray[np.int64], subnet: Subnet, subjects: Sequence[str] = ()
) -> Score:
    """The score of one subnetwork on (n, length, columns) normalised windows and their (n,) labels.

    Args:
        subjects: (n,) person of each window; by default all belong to one person.
    """
    return score_of(probabilities(net, x, subnet), labels, subjects or np.full(len(x), "all"))


def score_grid(
    model: Model,
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    subjects: Sequence[str] = (),
    *,
    subnets: Sequence[Subnet] = (),
    track: Track = iter,
) -> dict[Subnet, Score]:
    """The ``score`` of every subnetwork, computed with ONNX Runtime, where thin ones take a third of PyTorch's time.

    Args:
        x: (n, length, columns) windows in SI units.
        subnets: all of the model's by default.
        track: wraps the subnetworks, to draw a progress bar.
    """
    engine = Engine(model, threads=torch.get_num_threads(), max_sessions=1)
    people = subjects or np.full(len(x), "all")
    return {
        subnet: score_of(engine.predict_batch(x, subnet), labels, people) for subnet in track(subnets or model.subnets)
    }


def corners(subnets: Sequence[Subnet]) -> tuple[Subnet, ...]:
    """The four corners of the grid, from the full network to the smallest.

    >>> [str(corner) for corner in corners([Subnet(w, r) for w in (0.1, 0.5, 1.0) for r in (96, 128)])]
    ['1.00x-128', '1.00x-96', '0.10x-128', '0.10x-96']
    """
    widths, resolutions = ({getattr(subnet, axis) for subnet in subnets} for axis in ("width", "resolution"))
    ends = [Subnet(w, r) for w in (max(widths), min(widths)) for r in (max(resolutions), min(resolutions))]
    return tuple(dict.fromkeys(ends))


def spanning(model: Model) -> tuple[Subnet, ...]:
    """A selection of subnetworks across the grid: widths in turn at low and full resolution, and the corners."""
    widths = [model.widths[i] for i in np.unique(np.linspace(0, len(model.widths) - 1, 4).round().astype(int))]
    low, high = model.resolutions[0], model.resolutions[-1]
    both = [Subnet(width, (low, high)[i % 2]) for i, width in enumerate(reversed(widths), start=1)]
    return tuple(dict.fromkeys([*both, *corners(model.subnets)]))


def summary(
    scores: Mapping[Subnet, Score], labels: Sequence[str], detailed: Sequence[Subnet] = (), *, counts: bool = False
) -> dict[str, Any]:
    """The scores as JSON values: the accuracy of every subnetwork, and all scores of the ``detailed`` ones.

    Args:
        detailed: the corners of the grid by default.
        counts: include the underlying counts, which pooling several runs needs.
    """
    return {
        "windows": next(iter(scores.values())).windows,
        "accuracy": {str(subnet): round(score.accuracy, 5) for subnet, score in scores.items()},
        "scores": {
            str(subnet): to_json(scores[subnet], labels, counts=counts) for subnet in detailed or corners(list(scores))
        },
    }
