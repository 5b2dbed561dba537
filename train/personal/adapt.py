"""A model made to fit one person, from a few labelled minutes: its statistics and its last layer, nothing else.

**Statistics.** Batch norm holds, for every subnetwork, what the training people's features are like in the mean. The
person's own are measured layer by layer, each activity weighing the same, and pooled with those, as if the training
windows counted as many as ``Strength.statistics_windows``. Where an activity was not shown the statistics stay: what
is missing would be taken for a trait of the person.

**Last layer.** All subnetworks share one: a narrow one reads its first columns. So one change ``D`` of weights and bias
is sought for all, as the minimum of a convex function: the cross entropy summed over the windows, in the mean over some
subnetworks that span the grid, plus ``Strength.last_layer / 2`` times the mean squared change of the logits that ``D``
makes where every feature is as large as they are in the mean. That is the most probable layer, had those of all people
been drawn around the trained one. A class that was not shown takes no part in the comparison, so that it is not
unlearned.

Sources: pooled statistics, Schneider et al., "Improving robustness against common corruptions by covariate shift
adaptation", NeurIPS 2020; a last layer drawn to its origin, Li et al., "Explicit Inductive Bias for Transfer Learning
with Convolutional Networks" (L2-SP), ICML 2018.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import Subnet
from kinestream.inference.model_file import Model

from ..data.windows import Windows, windows_of
from ..judge.evaluate import spanning
from ..network import batch_statistics
from ..network.export import from_model, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from kinestream.replay_data import Dataset

    from ..network.batch_statistics import Track
    from ..network.switchable import SwitchableNet

FIT_WINDOWS = 600
"""The most windows that the last layer is fitted to: 100 of each of six classes."""
STATISTICS_WINDOWS = 180
"""About as many the statistics are taken over; each gives a hundred values or more of every channel."""
MIN_WINDOWS = 4
"""Of a class, or it is taken as not shown."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How far a person's minutes lead away from the original.

    Found by ``python -m benchmarks.adapt --search`` on people from whom no weight was learnt and who test nothing: the
    last layer gains nearly all; strongly pooled statistics lose where the sensor is later worn a little differently.
    """

    statistics_windows: float = 1600.0
    """How many of a person's windows the trained statistics are worth; infinity keeps them."""
    last_layer: float = 0.3
    """How many windows the trained last layer is worth."""


def adapt(
    model: Model,
    windows: Windows,
    *,
    strength: Strength | None = None,
    subnets: Sequence[Subnet] | None = None,
    track: Track = iter,
) -> Model:
    """The model with statistics and last layer fitted to labelled windows of one person; the original stays as it is.

    Args:
        windows: with labels by the model's order; cut at the model's own hop.
        strength: how much the original counts.
        subnets: whose statistics to fit; all by default. Others keep theirs, which fit the changed layer less.
    Raises:
        DataDamaged: fewer than two classes have ``MIN_WINDOWS`` windows.
    """
    strength = strength or Strength()
    chosen = _some(windows.labels, len(model.labels), FIT_WINDOWS)
    x, labels = normalised(model, windows.x[chosen]), torch.from_numpy(windows.labels[chosen])
    counts = np.bincount(windows.labels, minlength=len(model.labels))
    shown = counts >= MIN_WINDOWS
    if shown.sum() < 2:
        raise DataDamaged(
            f"at least two activities of {MIN_WINDOWS} windows ({model.input.window_s:.2f} s each) are needed to adapt "
            f"{model.name}, found {_counted(model, counts)}; record and label more"
        )
    net = from_model(model)
    share = len(windows) / (len(windows) + strength.statistics_windows)
    if shown.all() and share > 0:
        some = _some(labels.numpy(), len(model.labels), STATISTICS_WINDOWS)
        even = some[_evenly(labels.numpy()[some], len(model.labels))]
        _record(net, x[torch.from_numpy(even)], list(subnets or model.subnets), share, track)
    _fit_last_layer(net, x, labels, spanning(model), strength.last_layer / len(windows), torch.from_numpy(shown))
    fitted = {name: net.get_parameter(name).detach().numpy().copy() for name in ("linear.weight", "linear.bias")}
    return replace(
        model, tensors=model.tensors | fitted | batch_statistics.to_arrays(net, model.widths, model.resolutions)
    )


def person_windows(model: Model, dataset: Dataset, subjects: Sequence[str]) -> Windows:
    """Windows of these people as the model reads them, of its own classes; others are counted as left out.

    Raises:
        InputMismatch: a recording lacks a channel or is too slow.
        DataDamaged: nothing there is labelled with one of the model's classes.
    """
    recipe = model.card.get("recipe", {})
    maps = recipe.get("data", {}).get("label_map", {}) if isinstance(recipe, dict) else {}
    aliases = {label: name for names in maps.values() for label, name in names.items()}
    windows = windows_of(dataset, model.input, model.labels, subjects, aliases=aliases)
    if not len(windows):
        other = ", ".join(windows.left_out) or "none"
        raise DataDamaged(
            f"no window of {model.input.window_s:.2f} s shows an activity that {model.name} knows "
            f"({', '.join(model.labels)}); labels found: {other}"
        )
    return windows


def _some(labels: NDArray[np.int64], classes: int, most: int) -> NDArray[np.intp]:
    """Indices of at most ``most`` of the windows, spread evenly over each class's time; all of a class with few."""
    counts = np.bincount(labels, minlength=classes)
    each = max(1, most // max(1, int((counts > 0).sum())))
    parts = [np.flatnonzero(labels == code) for code in range(classes)]
    return np.sort(np.concatenate([part[_spread(len(part), each)] for part in parts]))


def _evenly(labels: NDArray[np.int64], classes: int) -> NDArray[np.intp]:
    """Indices that show each class equally often: those of a class with few are taken several times."""
    parts = [np.flatnonzero(labels == code) for code in range(classes)]
    most = max(map(len, parts))
    return np.concatenate([np.resize(part, most) for part in parts if len(part)])


def _spread(n: int, most: int) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).round().astype(np.intp)


def _record(net: SwitchableNet, x: Tensor, subnets: Sequence[Subnet], share: float, track: Track) -> None:
    """Pool the moments of these subnetworks with the sample's; those of the others stay."""
    kept = {name: dict(norm.moments) for name, norm in net.norms().items()}
    batch_statistics.record(net, x, subnets, share=share, track=track)
    for name, norm in net.norms().items():
        norm.moments = kept[name] | norm.moments


def _fit_last_layer(
    net: SwitchableNet, x: Tensor, labels: Tensor, subnets: Sequence[Subnet], penalty: float, shown: Tensor
) -> None:
    """Replace weights and bias by those of the minimum.

    Args:
        penalty: ``Strength.last_layer`` over the number of windows, since the loss here is their mean.
        shown: (classes,) which take part; windows of others are left out.
    """
    if penalty == inf:
        return
    keep = shown[labels]
    x, labels = x[keep], labels[keep]
    with torch.inference_mode():
        parts = [torch.cat([net.features(some, subnet) for some in x.split(64)]) for subnet in subnets]
    features = [part.clone() for part in parts]  # out of inference mode, so that gradients may flow
    # Each class weighs the same, however long it was shown.
    weights = (1 / torch.bincount(labels, minlength=len(shown)).clamp(min=1))[labels]
    weights = weights / weights.sum()
    # A change of the weights is measured by what it does to a logit; a bias counts as one more feature of that size.
    size = sum(float(part.square().sum(1).mean()) for part in features) / len(features)
    origin = [net.linear.weight.detach(), net.linear.bias.detach()]
    change = [torch.zeros_like(tensor, requires_grad=True) for tensor in origin]
    hidden = torch.where(shown, 0.0, -torch.inf)
    optimizer = torch.optim.LBFGS(change, max_iter=60, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = penalty / 2 * size * (change[0].square().sum() + change[1].square().sum() / size)
        for part in features:
            weight = (origin[0] + change[0])[:, : part.shape[1]]
            logits = F.linear(part, weight, origin[1] + change[1]) + hidden
            total = total + (weights * F.cross_entropy(logits, labels, reduction="none")).sum() / len(features)
        total.backward()
        return total

    optimizer.step(loss)
    with torch.no_grad():
        net.linear.weight.add_(change[0])
        net.linear.bias.add_(change[1])


def _counted(model: Model, counts: NDArray[np.int64]) -> str:
    return ", ".join(f"{n} of {label}" for label, n in zip(model.labels, counts.tolist(), strict=True) if n) or "none"
