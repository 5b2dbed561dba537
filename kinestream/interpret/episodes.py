"""Joins labelled windows into episodes: "walking, 12:03 to 12:09".

A new label must hold for ``min_s`` before it counts; until then the old one continues. No episode is shorter, and one
or two windows with another label do not break an episode. An episode starts when its label first appears, not when
the label has held long enough.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from kinestream.core.errors import ConfigError
from kinestream.core.recent import MOST_NAMES
from kinestream.core.signals import Prediction

MIN_S = 10.0
"""The shortest episode, by default."""
MAX_HOLE_S = 30.0
"""A policy may skip some windows; after a longer hole the wearer may have done anything in between."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One activity over a stretch of time. Time in which no label held for ``min_s`` belongs to no episode.

    >>> Episode("wrist", "wrist#0", "walking", t_start_s=0.0, t_end_s=12.8, windows=9, confidence=0.97).label
    'walking'
    """

    stream: str
    session: str
    label: str
    """An activity, or ``signals.UNKNOWN``."""
    t_start_s: float
    t_end_s: float
    windows: int
    """Windows with this label."""
    confidence: float
    """Their mean confidence."""


class EpisodeFinder:
    """Finds the episodes of any number of streams, in constant memory.

    Args:
        min_s: the shortest episode in seconds.
        max_hole_s: a longer hole between windows ends an episode, as a new epoch does.
    Raises:
        ConfigError: a time is negative.

    >>> import numpy as np, kinestream
    >>> lying = np.tile([0, 0, 9.8, 0, 0, 0], (1000, 1))  # 20 s
    >>> finder = EpisodeFinder(min_s=10)
    >>> for prediction in kinestream.load("uci_kinet").predict(lying):
    ...     finished = finder.add(prediction)
    >>> [(episode.label, round(episode.t_end_s, 2)) for episode in finder.close()]
    [('lying', 19.18)]
    """

    def __init__(self, min_s: float = MIN_S, max_hole_s: float = MAX_HOLE_S) -> None:
        if not (min_s >= 0 and max_hole_s >= 0):
            raise ConfigError(f"min_s is {min_s:g} and max_hole_s {max_hole_s:g}; neither may be negative")
        self.min_s = min_s
        self._max_hole_s = max_hole_s
        self._strands = OrderedDict[str, _Strand]()  # the newest window's stream last

    def add(self, prediction: Prediction) -> list[Episode]:
        """The episodes that this window ends. Uses the label of its conclusion if it has one."""
        ended: list[Episode] = []
        strand = self._strands.get(prediction.stream)
        if strand and (
            strand.session != prediction.session or prediction.t_start_s - strand.t_end_s > self._max_hole_s
        ):
            ended += strand.close()
            strand = None
        if strand is None:
            if len(self._strands) >= MOST_NAMES:
                ended += self._strands.popitem(last=False)[1].close()
            strand = self._strands[prediction.stream] = _Strand(prediction, self.min_s)
        self._strands.move_to_end(prediction.stream)
        return ended + strand.add(prediction)

    def close(self) -> list[Episode]:
        """The episodes still open; call it when no window follows."""
        ended = [episode for strand in self._strands.values() for episode in strand.close()]
        self._strands.clear()
        return ended


class _Strand:
    """One epoch of one stream: the current label, and a rival that may replace it."""

    def __init__(self, first: Prediction, min_s: float) -> None:
        self.session = first.session
        self.t_end_s = first.t_end_s
        self._stream = first.stream
        self._min_s = min_s
        self._current: _Run | None = None
        self._rival: _Run | None = None
        self._left_s = first.t_start_s  # when a window first contradicted the current label
        self._border_s = first.t_start_s
        self._middle_s: float | None = None

    def add(self, window: Prediction) -> list[Episode]:
        labelled = window.conclusion or window
        # A label describes most of its window, so a change between two windows lies between their middles.
        middle_s = (window.t_start_s + window.t_end_s) / 2
        self._border_s = window.t_start_s if self._middle_s is None else (self._middle_s + middle_s) / 2
        self._middle_s, self.t_end_s = middle_s, window.t_end_s
        if self._current and labelled.label == self._current.label:
            self._rival = None
            self._current.add(labelled.confidence)
            return []
        if self._rival is None:
            self._left_s = self._border_s
        if self._rival is None or self._rival.label != labelled.label:
            self._rival = _Run(labelled.label, self._border_s)
        self._rival.add(labelled.confidence)
        return self._settle(middle_s)

    def close(self) -> list[Episode]:
        """The episode that lasts until the last window's end, after one that ended before it, if any."""
        ended = self._settle(self.t_end_s)
        if self._current:
            ended.append(self._episode(self._current, self.t_end_s))
        return ended

    def _settle(self, now_s: float) -> list[Episode]:
        """End the current episode if its label is absent for ``min_s``; start the rival if it has held so long."""
        ended: list[Episode] = []
        if self._rival is None:
            return ended
        if self._current and now_s - self._left_s >= self._min_s:
            ended.append(self._episode(self._current, self._left_s))
            self._current = None
        if self._current is None and now_s - self._rival.t_start_s >= self._min_s:
            self._current, self._rival = self._rival, None
        return ended

    def _episode(self, run: _Run, t_end_s: float) -> Episode:
        return Episode(
            self._stream, self.session, run.label, run.t_start_s, t_end_s, run.windows, run.confidence / run.windows
        )


class _Run:
    """Windows of one label."""

    def __init__(self, label: str, t_start_s: float) -> None:
        self.label = label
        self.t_start_s = t_start_s
        self.windows = 0
        self.confidence = 0.0

    def add(self, confidence: float) -> None:
        self.windows += 1
        self.confidence += confidence
