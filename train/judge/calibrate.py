"""How a trained model's probabilities become decisions, learnt without training it again; weights stay as they are.

**Rates** of change come from the labels of the people it learnt from: how long each activity lasts before another
follows. Which one follows is learnt only if asked for: where people acted by a script, as in every laboratory dataset
here, its order would be taken for life (HAPT never goes from standing to walking). **Temperature** (one a width, over
the lowest and the highest resolution) and **evidence** come from the people who validated it, from all windows of their
recordings as they come live, those over a change of activity too: the temperature that makes what really happened most
probable, the evidence with which most windows are told right once smoothed. A network is nearly always right on those
it learnt from; what they say of its confidence is worthless.
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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from kinestream.core.signals import Window
    from kinestream.inference.model_file import Model
    from kinestream.replay_data import Dataset, Recording

    from ..network.switchable import SwitchableNet

    Track = Callable[[Sequence[Recording]], Iterable[Recording]]

WEIGHTS = (1.0, 0.71, 0.5, 0.35, 0.25)
"""What is tried for how much each window counts, at the model's own hop."""
MIN_WINDOWS = 50
"""Fewer say too little of anybody's confidence."""


def calibrate(
    model: Model,
    dataset: Dataset,
    learnt: Sequence[str],
    validated: Sequence[str],
    *,
    order: bool = False,
    track: Track = iter,
) -> Calibration:
    """Rates from the first people's labels; temperatures and evidence from the second people's windows.

    Args:
        dataset: labelled recordings, activities called as the model calls them (``data.open_data``).
        order: learn also which activity follows which, instead of taking every one as equally likely.
        track: wraps the second people's recordings, to draw a progress bar.
    Raises:
        InputMismatch: a recording cannot feed the model.
        DataDamaged: fewer than ``MIN_WINDOWS`` windows show an activity that the model knows.
    """
    rates = change_rates(dataset.select(learnt), model.labels, order=order)
    both_ends = [Subnet(width, r) for width in model.widths for r in {model.resolutions[0], model.resolutions[-1]}]
    subnets = tuple(dict.fromkeys([*both_ends, *spanning(model)]))
    net, chosen = from_model(model), dataset.select(validated)
    parts = [part for recording in track(chosen) if (part := _watch(model, net, recording, subnets))]
    if (windows := sum(int(part.judged.sum()) for part in parts)) < MIN_WINDOWS:
        raise DataDamaged(
            f"{windows} windows of {model.input.window_s:.2f} s show an activity that {model.name} knows "
            f"({', '.join(model.labels)}); at least {MIN_WINDOWS} are needed"
        )
    temperature = {
        width: _best_temperature(parts, [s for s in both_ends if s.width == width]) for width in model.widths
    }
    calibration = Calibration(temperature, tuple(tuple(row) for row in rates.round(6).tolist()))
    hops_long = model.input.length / model.input.hop
    tried = [round(weight * hops_long, 4) for weight in WEIGHTS]
    evidence = min(tried, key=lambda evidence: _smoothed_loss(model, parts, calibration, evidence))
    about = (
        f"rates from the labels of {len(learnt)} people, {'in' if order else 'without'} the order of their activities; "
        f"temperatures and evidence from {windows} windows of {len(validated)} people ({', '.join(validated)}) "
        f"of {dataset.name}"
    )
    return Calibration(temperature, calibration.rates_per_s, evidence, about)


def change_rates(dataset: Dataset, labels: Sequence[str], *, order: bool = False) -> NDArray[np.float64]:
    """(classes, classes) changes in a second from the row's to the column's activity; the diagonal is 0.

    What is unlabelled, or labelled otherwise, between two activities is passed over, and a recording of one activity
    only says nothing: it was cut at its ends. To what was counted is added one change in a minute of each activity, so
    that none lasts for ever.
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
            at = np.flatnonzero(np.diff(known))
            if len(at):
                seconds += np.bincount(known, minlength=n) / recording.fs_hz
                np.add.at(changes, (known[at], known[at + 1]), 1)
    others = (1 - np.eye(n)) / max(1, n - 1)
    left = changes.sum(1)
    leaving = (left + 1) / (seconds + 1 / DEFAULT_CHANGES_PER_S)
    to = (changes + others) / (left + 1)[:, None] if order else others
    return leaving[:, None] * to


@dataclass(frozen=True)
class _Watched:
    """The windows of one recording as they came live, and what each subnetwork made of them."""

    probs: Mapping[Subnet, NDArray[np.float64]]
    """(n, classes) each."""
    truth: NDArray[np.int64]
    """(n,) the label that most samples carry; -1 where the model does not know it or none has the majority."""
    t_end_s: NDArray[np.float64]
    sessions: tuple[str, ...]

    @property
    def judged(self) -> NDArray[np.bool_]:
        return self.truth >= 0

    def losses(self, probs: NDArray[np.float64]) -> NDArray[np.float64]:
        """How improbable what really happened was taken to be, for each judged window."""
        judged = self.judged
        return -np.log(np.maximum(probs[judged, self.truth[judged]], SMALLEST))


def _watch(model: Model, net: SwitchableNet, recording: Recording, subnets: Sequence[Subnet]) -> _Watched | None:
    """None where there is no window at all."""
    segmenter = Segmenter(model.input)
    windows: list[Window] = [window for chunk in chunks_of(recording) for window in segmenter.push(chunk)]
    windows += segmenter.flush()
    if not windows:
        return None
    x = normalised(model, np.stack([window.x for window in windows]))
    return _Watched(
        {subnet: probabilities(net, x, subnet).astype(np.float64) for subnet in subnets},
        np.array([_truth(window, model.labels) for window in windows]),
        np.array([window.t_end_s for window in windows]),
        tuple(window.session for window in windows),
    )


def _truth(window: Window, labels: Sequence[str]) -> int:
    return labels.index(window.truth) if window.truth in labels and window.truth_share > 0.5 else -1


def _best_temperature(parts: Sequence[_Watched], subnets: Sequence[Subnet]) -> float:
    from scipy.optimize import fminbound

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        found = [part.losses(tempered(part.probs[subnet], temperature)) for part in parts for subnet in subnets]
        return float(np.concatenate(found).mean())

    return round(float(np.exp(fminbound(loss, *np.log([0.05, 20.0])))), 4)


def _smoothed_loss(
    model: Model, parts: Sequence[_Watched], calibration: Calibration, evidence: float
) -> tuple[int, float]:
    """How many windows are wrong, and the mean loss, which decides between equals; of subnetworks across the grid."""
    rates = calibration.rates(len(model.labels))
    found: list[NDArray[np.float64]] = []
    wrong = 0
    for part in parts:
        for subnet in spanning(model):
            smoothed = np.empty_like(part.probs[subnet])
            session, markov = None, MarkovFilter(rates, evidence, model.input.window_s)
            for i, probs in enumerate(calibration.probs(part.probs[subnet], subnet)):
                if part.sessions[i] != session:
                    session, markov = part.sessions[i], MarkovFilter(rates, evidence, model.input.window_s)
                smoothed[i] = markov.step(probs, part.t_end_s[i])
            found.append(part.losses(smoothed))
            wrong += int((smoothed.argmax(1) != part.truth)[part.judged].sum())
    return wrong, float(np.concatenate(found).mean())
