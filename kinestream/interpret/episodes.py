"""From labelled windows to episodes: "walking, 12:03 to 12:09".

A new label must hold for ``min_s`` before it counts, and until then the old one goes on: so no episode is shorter, and
a window or two of something else does not break one. An episode begins where its label did, not where it was believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Prediction

MIN_S = 10.0
MAX_HOLE_S = 30.0
"""A policy may rest for some windows; who was not seen for longer may have done anything."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What a wearer did for a while. Time in which no label held for ``min_s`` is in no episode."""

    stream: str
    session: str
    label: str
    """``signals.UNKNOWN`` for a while in which nothing was probable enough."""
    t_start_s: float
    t_end_s: float
    windows: int
    """How many windows bore the label."""
    confidence: float
    """Their mean confidence."""


class EpisodeFinder:
    """Finds the episodes of any number of streams, in constant memory.

    Args:
        min_s: the shortest episode.
        max_hole_s: a longer hole between windows ends an episode, as a new session does.
    Raises:
        ConfigError: a time is negative.
    """

    def __init__(self, min_s: float = MIN_S, max_hole_s: float = MAX_HOLE_S) -> None:
        if not (min_s >= 0 and max_hole_s >= 0):
            raise ConfigError(f"episodes of {min_s:g} s with holes of {max_hole_s:g} s; neither may be negative")
        self.min_s = min_s
        self._max_hole_s = max_hole_s
        self._strands: dict[str, _Strand] = {}

    def add(self, prediction: Prediction) -> list[Episode]:
        """The episodes that are over, now that this window is known; its conclusion's label counts, if it has one."""
        ended: list[Episode] = []
        strand = self._strands.get(prediction.stream)
        if strand and (
            strand.session != prediction.session or prediction.t_start_s - strand.t_end_s > self._max_hole_s
        ):
            ended += strand.close()
            strand = None
        if strand is None:
            strand = self._strands[prediction.stream] = _Strand(prediction, self.min_s)
        return ended + strand.add(prediction)

    def close(self) -> list[Episode]:
        """Those that still went on; nothing follows."""
        ended = [episode for strand in self._strands.values() for episode in strand.close()]
        self._strands.clear()
        return ended


class _Strand:
    """One session of one stream: what goes on, and what may have begun."""

    def __init__(self, first: Prediction, min_s: float) -> None:
        self.session = first.session
        self.t_end_s = first.t_end_s
        self._stream = first.stream
        self._min_s = min_s
        self._current: _Run | None = None
        self._rival: _Run | None = None
        self._left_s = first.t_start_s  # when the current label was last given up
        self._border_s = first.t_start_s
        self._middle_s: float | None = None

    def add(self, window: Prediction) -> list[Episode]:
        told = window.conclusion or window
        # A window says what its wearer did most of the time, so what changed between two did so between their middles.
        middle_s = (window.t_start_s + window.t_end_s) / 2
        self._border_s = window.t_start_s if self._middle_s is None else (self._middle_s + middle_s) / 2
        self._middle_s, self.t_end_s = middle_s, window.t_end_s
        if self._current and told.label == self._current.label:
            self._rival = None
            self._current.add(told.confidence)
            return []
        if self._rival is None:
            self._left_s = self._border_s
        if self._rival is None or self._rival.label != told.label:
            self._rival = _Run(told.label, self._border_s)
        self._rival.add(told.confidence)
        return self._settle(middle_s)

    def close(self) -> list[Episode]:
        """What lasts until the last window's end, and what ended before it."""
        ended = self._settle(self.t_end_s)
        if self._current:
            ended.append(self._episode(self._current, self.t_end_s))
        return ended

    def _settle(self, now_s: float) -> list[Episode]:
        """End what was not seen for long enough, begin what was."""
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
