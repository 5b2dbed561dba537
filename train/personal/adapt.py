"""Adaptation of a model to one person, from a few labelled minutes: only its batch-norm statistics and last layer.

**Statistics.** Batch norm stores, for every subnetwork, the mean and variance of the training people's features. The
person's own moments are measured layer by layer, with equal weight for each activity, and pooled with the stored ones,
which count as ``Strength.statistics_windows`` windows. If an activity was not shown, the statistics stay unchanged:
its absence would be mistaken for a trait of the person.

**Last layer.** All subnetworks share one last layer; a narrow subnetwork uses its first columns. Adaptation therefore
finds one change ``D`` of weights and bias for all, as the minimum of a convex function: the cross entropy summed over
the windows and averaged over subnetworks across the grid, plus ``Strength.last_layer / 2`` times the mean squared
change of the logits caused by ``D`` with features of average size. This is the most probable layer if the layers of all
people are normally distributed around the trained one. A class that was not shown is left out of the softmax, so that
it is not unlearned.

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
"""Maximum number of windows for fitting the last layer: 100 of each of six classes."""
STATISTICS_WINDOWS = 180
"""Approximate number of windows for the statistics; each gives at least a hundred values of every channel."""
MIN_WINDOWS = 4
"""Minimum windows of a class; a class with fewer counts as not shown."""


@dataclass(frozen=True, slots=True)
class Strength:
    """The weight of the original model against a person's windows.

    The defaults come from ``python -m benchmarks.adapt --search`` on people who neither train nor test the models: the
    last layer brings nearly all of the gain; strongly pooled statistics lose if the sensor is later worn slightly
    differently.
    """

    statistics_windows: float = 1600.0
    """Weight of the trained statistics, as a number of the person's windows; infinity keeps them unchanged."""
    last_layer: float = 0.3
    """Weight of the trained last layer, as a number of windows; infinity keeps it unchanged."""


def adapt(
    model: Model,
    windows: Windows,
    *,
    strength: Strength | None = None,
    subnets: Sequence[Subnet] | None = None,
    track: Track = iter,
) -> Model:
    """Return a copy of the model with statistics and last layer fitted to labelled windows of one person.

    Args:
        windows: labelled in the model's order of classes, cut at the model's own hop.
        strength: weight of the original.
        subnets: subnetworks whose statistics to fit; all by default. The others keep theirs, which fit the changed
            last layer less well.
        track: wraps the subnetworks, to draw a progress bar.
    Raises:
        DataDamaged: fewer than two classes have ``MIN_WINDOWS`` windows.
    """
    strength = strength or Strength()
    chosen = _balanced_sample(windows.labels, len(model.labels), FIT_WINDOWS)
    x, labels = normalised(model, windows.x[chosen]), torch.from_numpy(windows.labels[chosen])
    counts = np.bincount(windows.labels, minlength=len(model.labels))
    shown = counts >= MIN_WINDOWS
    if shown.sum() < 2:
        raise DataDamaged(
            f"adapting {model.name} needs at least two activities with {MIN_WINDOWS} windows of "
            f"{model.input.window_s:.2f} s each; the recordings have {_counted(model, counts)}; record and label more"
        )
    net = from_model(model)
    share = len(windows) / (len(windows) + strength.statistics_windows)
    if shown.all() and share > 0:
        sample = _balanced_sample(labels.numpy(), len(model.labels), STATISTICS_WINDOWS)
        even = sample[_equal_counts(labels.numpy()[sample], len(model.labels))]
        _pool_statistics(net, x[torch.from_numpy(even)], list(subnets or model.subnets), share, track)
    _fit_last_layer(net, x, labels, spanning(model), strength.last_layer / len(windows), torch.from_numpy(shown))
    fitted = {name: net.get_parameter(name).detach().numpy().copy() for name in ("linear.weight", "linear.bias")}
    return replace(
        model, tensors=model.tensors | fitted | batch_statistics.to_arrays(net, model.widths, model.resolutions)
    )


def person_windows(model: Model, dataset: Dataset, subjects: Sequence[str]) -> Windows:
    """These people's windows in the model's format and classes; windows of other activities are counted as left out.

    Raises:
        InputMismatch: a recording lacks a channel or is too slow.
        DataDamaged: no window shows a class of the model.
    """
    recipe = model.card.get("recipe", {})
    maps = recipe.get("data", {}).get("label_map", {}) if isinstance(recipe, dict) else {}
    aliases = {label: name for names in maps.values() for label, name in names.items()}
    windows = windows_of(dataset, model.input, model.labels, subjects, aliases=aliases)
    if not len(windows):
        other = ", ".join(windows.left_out) or "none"
        raise DataDamaged(
            f"no window of {model.input.window_s:.2f} s shows an activity that {model.name} knows "
            f"({', '.join(model.labels)}); the recordings have the labels: {other}"
        )
    return windows


def _balanced_sample(labels: NDArray[np.int64], classes: int, most: int) -> NDArray[np.intp]:
    """Indices of at most ``most`` windows, an equal number per class, spread over its time; all of a rare class."""
    counts = np.bincount(labels, minlength=classes)
    per_class = max(1, most // max(1, int((counts > 0).sum())))
    parts = [np.flatnonzero(labels == code) for code in range(classes)]
    return np.sort(np.concatenate([part[_spread(len(part), per_class)] for part in parts]))


def _equal_counts(labels: NDArray[np.int64], classes: int) -> NDArray[np.intp]:
    """Indices that contain each class equally often: windows of a rare class are repeated."""
    parts = [np.flatnonzero(labels == code) for code in range(classes)]
    most = max(map(len, parts))
    return np.concatenate([np.resize(part, most) for part in parts if len(part)])


def _spread(n: int, most: int) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).round().astype(np.intp)


def _pool_statistics(net: SwitchableNet, x: Tensor, subnets: Sequence[Subnet], share: float, track: Track) -> None:
    """Pool the moments of these subnetworks with those of the sample; the other subnetworks keep theirs."""
    previous = {name: dict(norm.moments) for name, norm in net.norms().items()}
    batch_statistics.record(net, x, subnets, share=share, track=track)
    for name, norm in net.norms().items():
        norm.moments = previous[name] | norm.moments


def _fit_last_layer(
    net: SwitchableNet, x: Tensor, labels: Tensor, subnets: Sequence[Subnet], penalty: float, shown: Tensor
) -> None:
    """Move weights and bias of the last layer to the minimum.

    Args:
        penalty: ``Strength.last_layer`` divided by the number of windows, since the loss here is their mean.
        shown: (classes,) mask of the classes that take part; windows of the others are left out.
    """
    if penalty == inf:
        return
    used = shown[labels]
    x, labels = x[used], labels[used]
    with torch.inference_mode():
        parts = [torch.cat([net.features(batch, subnet) for batch in x.split(64)]) for subnet in subnets]
    features = [part.clone() for part in parts]  # tensors of inference mode cannot take part in autograd
    # Equal weight for each class, however long it was shown.
    weights = (1 / torch.bincount(labels, minlength=len(shown)).clamp(min=1))[labels]
    weights = weights / weights.sum()
    # The penalty measures a change by its effect on a logit; the bias counts as one more feature of average size.
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
