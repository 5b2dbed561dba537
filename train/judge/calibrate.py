"""Calibration of a trained model: its confidence and smoothing are fitted, its weights stay unchanged.

**Rates** of change come from the labels of the training people: how long each activity lasts before another follows.
Which activity follows is learnt only on request: people in laboratory datasets follow a script, whose order would be
mistaken for daily life (HAPT never goes from standing to walking). A model that joins several datasets keeps the
default rates: their trials last seconds in one and minutes in another.

**Temperature** (one per width, over the lowest and the highest resolution) and **evidence** come from the validation
people, from all windows of their recordings as in live operation, including windows that span a change of activity. The
temperature maximises the likelihood of the true labels; the evidence maximises the accuracy of the smoothed
predictions. Training people cannot show either: a network is nearly always right about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import Subnet
from kinestream.interpret.calibration import DEFAULT_CHANGES_PER_S, SMALLEST, Calibration, tempered
from kinestream.interpret.markov_filter import MarkovFilter
from kinestream.windowing import Segmenter

from ..data.windows import chunks_of
from ..network.export import from_model, normalised
from .evaluate import probabilities, spanning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from kinestream.core.signals import Window
    from kinestream.inference.model_file import Model
    from kinestream.replay_data import Dataset, Recording

    from ..data.windows import Track
    from ..network.switchable import SwitchableNet

WEIGHTS = (1.0, 0.71, 0.5, 0.35, 0.25)
"""Candidate weights of a window's evidence, at the model's own hop."""
MIN_WINDOWS = 50
"""Minimum labelled windows: fewer do not determine a temperature."""


def calibrate(
    model: Model,
    dataset: Dataset,
    learnt: Sequence[str],
    validated: Sequence[str],
    *,
    order: bool = False,
    track: Track = iter,
) -> Calibration:
    """Fit a calibration: rates from the labels of ``learnt``, temperatures and evidence from windows of ``validated``.

    Args:
        dataset: labelled recordings with the model's names of activities (``open_data``).
        learnt: the training people; none leaves the rates at their default.
        validated: the validation people.
        order: also learn which activity follows which; by default all are equally likely.
        track: wraps the validation recordings, to draw a progress bar.
    Raises:
        InputMismatch: a recording does not have the model's input.
        DataDamaged: fewer than ``MIN_WINDOWS`` windows show an activity that the model knows.
    """
    rates = change_rates(dataset.select(learnt), model.labels, order=order).round(6).tolist() if learnt else ()
    both_ends = [Subnet(width, r) for width in model.widths for r in {model.resolutions[0], model.resolutions[-1]}]
    subnets = tuple(dict.fromkeys([*both_ends, *spanning(model)]))
    net = from_model(model)
    recordings = track(dataset.select(validated))
    parts = [part for recording in recordings if (part := _predict(model, net, recording, subnets))]
    if (windows := sum(int(part.labelled.sum()) for part in parts)) < MIN_WINDOWS:
        raise DataDamaged(
            f"{windows} windows of {model.input.window_s:.2f} s show an activity that {model.name} knows "
            f"({', '.join(model.labels)}); at least {MIN_WINDOWS} are needed: record or label more"
        )
    temperature = {
        width: _best_temperature(parts, [s for s in both_ends if s.width == width]) for width in model.widths
    }
    calibration = Calibration(temperature, tuple(tuple(row) for row in rates))
    window_hops = model.input.length / model.input.hop
    candidates = [round(weight * window_hops, 4) for weight in WEIGHTS]
    evidence = min(candidates, key=lambda evidence: _smoothed_loss(model, parts, calibration, evidence))
    how = f"the labels of {len(learnt)} people, {'in' if order else 'without'} the order of their activities"
    about = (  # stored in the model file
        f"rates {f'from {how}' if learnt else 'of change not learnt'}; "
        f"temperatures and evidence from {windows} windows of {len(validated)} people ({', '.join(validated)}) "
        f"of {dataset.name}"
    )
    return Calibration(temperature, calibration.rates_per_s, evidence, about)


def change_rates(dataset: Dataset, labels: Sequence[str], *, order: bool = False) -> NDArray[np.float64]:
    """(classes, classes) changes per second from the row's to the column's activity; the diagonal is 0.

    Unlabelled samples and other activities between two known ones are skipped. A recording of a single activity is
    ignored, because its ends were cut. One change in one minute is added to the counts of each activity, so that no
    activity lasts forever.
    """
    n = len(labels)
    seconds, changes = np.zeros(n), np.zeros((n, n))
    for recording in dataset:
        if recording.labels is None:
            continue
        code_of = np.array([labels.index(name) if name in labels else -1 for name in recording.label_names] + [-1])
        for start, stop in recording.segments:
            codes = code_of[recording.labels[start:stop]]
            known = codes[codes >= 0]
            last = np.flatnonzero(np.diff(known))  # the last sample before each change
            if len(last):
                seconds += np.bincount(known, minlength=n) / recording.fs_hz
                np.add.at(changes, (known[last], known[last + 1]), 1)
    uniform = (1 - np.eye(n)) / max(1, n - 1)
    departures = changes.sum(1)
    leaving = (departures + 1) / (seconds + 1 / DEFAULT_CHANGES_PER_S)
    destination = (changes + uniform) / (departures + 1)[:, None] if order else uniform
    return leaving[:, None] * destination


@dataclass(frozen=True)
class _Predictions:
    """The live windows of one recording, and the predictions of several subnetworks for them."""

    probs: Mapping[Subnet, NDArray[np.float64]]
    """(n, classes) each."""
    labels: NDArray[np.int64]
    """(n,) label of the majority of samples; -1 if the model does not know it or there is no majority."""
    t_end_s: NDArray[np.float64]
    epochs: tuple[str, ...]
    """(n,) epoch of the stream that each window belongs to."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        return self.labels >= 0

    def losses(self, probs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Negative log-likelihood of the true label, for each labelled window."""
        labelled = self.labelled
        return -np.log(np.maximum(probs[labelled, self.labels[labelled]], SMALLEST))


def _predict(model: Model, net: SwitchableNet, recording: Recording, subnets: Sequence[Subnet]) -> _Predictions | None:
    """Predictions for a recording; None if it has no window."""
    segmenter = Segmenter(model.input)
    windows: list[Window] = [window for chunk in chunks_of(recording) for window in segmenter.push(chunk)]
    windows += segmenter.flush()
    if not windows:
        return None
    x = normalised(model, np.stack([window.x for window in windows]))
    return _Predictions(
        probs={subnet: probabilities(net, x, subnet).astype(np.float64) for subnet in subnets},
        labels=np.array([_label_code(window, model.labels) for window in windows]),
        t_end_s=np.array([window.t_end_s for window in windows]),
        epochs=tuple(window.session for window in windows),
    )


def _label_code(window: Window, labels: Sequence[str]) -> int:
    return labels.index(window.truth) if window.truth in labels and window.truth_share > 0.5 else -1


def _best_temperature(parts: Sequence[_Predictions], subnets: Sequence[Subnet]) -> float:
    from scipy.optimize import fminbound

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        losses = [part.losses(tempered(part.probs[subnet], temperature)) for part in parts for subnet in subnets]
        return float(np.concatenate(losses).mean())

    return round(float(np.exp(fminbound(loss, *np.log([0.05, 20.0])))), 4)


def _smoothed_loss(
    model: Model, parts: Sequence[_Predictions], calibration: Calibration, evidence: float
) -> tuple[int, float]:
    """Number of wrong windows over subnetworks across the grid, then the mean loss, which breaks ties."""
    rates = calibration.rates(len(model.labels))
    losses: list[NDArray[np.float64]] = []
    wrong = 0
    for part in parts:
        for subnet in spanning(model):
            smoothed = np.empty_like(part.probs[subnet])
            epoch, markov = None, MarkovFilter(rates, evidence, model.input.window_s)
            for i, probs in enumerate(calibration.probs(part.probs[subnet], subnet)):
                if part.epochs[i] != epoch:
                    epoch, markov = part.epochs[i], MarkovFilter(rates, evidence, model.input.window_s)
                smoothed[i] = markov.step(probs, part.t_end_s[i])
            losses.append(part.losses(smoothed))
            wrong += int((smoothed.argmax(1) != part.labels)[part.labelled].sum())
    return wrong, float(np.concatenate(losses).mean())
