"""What the samples within a trial of SisFall and UMAFall show; their labels name a trial's activity only.

A trial called a fall begins with walking or sitting and ends with a person lying still; one called sitting down holds
a person who sits. The published protocol says which posture comes in which part of a trial: the samples of that part
at which the person is still get its label. Of a fall, the seconds around the largest acceleration keep theirs. Samples
that show none of it, such as a person who stands and claps, are unlabelled.

Sources: tables 2 and 3 of Sucerquia et al., Sensors 2017; Casilari et al., Procedia Computer Science 2017. The rules
agree with gravity: at the end of a fall, it lies 68 to 115 degrees from where it lies while the person walks, and
before and after sitting down less than 20 (10th to 90th percentile).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import UNLABELLED

if TYPE_CHECKING:
    from numpy.typing import NDArray

STILL_RMS = 0.7
"""m/s^2, largest RMS of acceleration without its mean over ``STILL_S`` of a person who keeps a posture."""
STILL_S = 1.0
FIRST_S, LAST_S, MIDDLE_S = 5.5, 5.1, 7.0
"""Lengths of a trial's first, last and middle part: a window of four seconds fits into each."""
PAUSE_S, PAUSE_RMS = 2.5, 1.2
"""Longest stillness that belongs to a movement, and the RMS in m/s^2 below which it counts as such."""
FALL_S = 3.0
"""A fall lasts this long before and after its largest acceleration."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Trials and the posture in a part of them."""

    activities: tuple[str, ...]
    """Names of trials without their number of repetition."""
    part: str
    """``first``, ``middle``, ``last`` or ``all``."""
    posture: str
    place: str = ""
    """Only sensors at this place: in a pocket, lying looks like sitting."""


_FALLS = tuple(f"F{number:02}" for number in range(1, 16))
_CHAIRS = ("D07", "D08", "D09", "D10")
RULES: dict[str, tuple[Rule, ...]] = {
    "sisfall": (
        Rule(_FALLS, "last", "lying"),
        Rule(("D14",), "all", "lying"),
        Rule(("D12",), "middle", "lying"),
        Rule(("D11", "D12", "D13"), "last", "sitting"),
        Rule(("D11", "D12", "F08", "F09", "F13", "F14", "F15"), "first", "sitting"),
        Rule((*_CHAIRS, "D17"), "middle", "sitting"),
        Rule((*_CHAIRS, "D15", "D16", "D17", "D18", "D19", "F10", "F11", "F12"), "first", "standing"),
        Rule((*_CHAIRS, "D05", "D06", "D15", "D16", "D17", "D18", "D19"), "last", "standing"),
    ),
    "umafall": (
        Rule(("backwardFall", "forwardFall", "lateralFall"), "last", "lying", "waist"),
        Rule(("MakingACall", "OpeningDoor"), "all", "standing"),
        Rule(("GoDownstairs", "GoUpstairs", "Hopping"), "last", "standing"),
    ),
}
"""By dataset, in the order they are applied."""
MOVEMENTS: dict[str, tuple[str, ...]] = {
    "sisfall": (*_CHAIRS, "D12", "D13", "D14", "D15", "D16", "D17", "D19"),
    "umafall": ("Bending", "Hopping", "LyingDown_OnABed", "Sitting_GettingUpOnAChair"),
}
"""Trials labelled ``other`` whose movement is neither walking nor of the arms alone."""


def relabel(
    dataset: str,
    subject: str,
    trial: str,
    t: NDArray[np.float64],
    x: NDArray[np.float32],
    labels: NDArray[np.int16],
    names: Sequence[str],
) -> None:
    """Put the postures of one trial into ``labels``.

    Args:
        subject: ``PERSON`` or ``PERSON/PLACE``.
        trial: the activity and the number of its repetition: ``F01_R02``, ``Hopping_3``.
        t, x: (n,) seconds and (n, 3) m/s^2.
        labels: (n,) indices into ``names``, all of the trial's label.
    """
    if dataset not in RULES:
        return
    activity, label = trial.rpartition("_")[0], names[labels[0]]
    variance, passed, length = variances(t, x), t - t[0], t[-1] - t[0]
    named = np.zeros(len(t), np.bool_)
    parts = {
        "all": np.ones(len(t), np.bool_),
        "first": passed < FIRST_S,
        "middle": np.abs(passed - length / 2) < MIDDLE_S / 2,
        "last": passed > length - LAST_S,
    }
    for rule in RULES[dataset]:
        if activity in rule.activities and rule.place in ("", subject.rpartition("/")[2]):
            shown = parts[rule.part] & (variance < STILL_RMS**2)
            labels[shown] = names.index(rule.posture)
            named |= shown
    if label == "fall":
        far = np.abs(t - t[np.argmax(np.square(x).sum(1))]) > FALL_S
        labels[far & ~named] = UNLABELLED
    elif label == "other" and activity not in MOVEMENTS[dataset]:
        labels[~named] = UNLABELLED
    if label in ("fall", "other"):
        for begin, end in runs((variance < PAUSE_RMS**2) & ~named):
            if t[end - 1] - t[begin] > PAUSE_S:
                labels[begin:end] = UNLABELLED


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of consecutive true values.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def variances(t: NDArray[np.float64], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) variance of acceleration around each sample, all axes together, in (m/s^2)^2.

    >>> t = np.arange(200) / 50
    >>> x = np.zeros((200, 3), np.float32)
    >>> x[100:, 2] = 5 * np.sin(20 * t[100:])
    >>> variances(t, x)[[50, 150]].round().tolist()
    [0.0, 12.0]
    """
    sums = np.concatenate([np.zeros((1, 4)), np.cumsum(np.column_stack([x, np.square(x).sum(1)]), 0, np.float64)])
    first, last = _around(t)
    mean = (sums[last] - sums[first]) / (last - first)[:, None]
    return mean[:, 3] - np.square(mean[:, :3]).sum(1)


def _around(t: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Half-open ranges of the samples within half of ``STILL_S`` of each."""
    return np.searchsorted(t, t - STILL_S / 2), np.searchsorted(t, t + STILL_S / 2, "right")
