"""Windows of which too little was measured: the label of such a window is withheld, with a notice about why."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError
from kinestream.observe.findings import Notice, problem

from .window_counts import so_far, windows_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kinestream.core.evidence import StreamFigures
    from kinestream.core.signals import Window

MIN_COVERAGE = 0.5
"""Measured share of a window that must be exceeded for its label to be shown; a sensor at half the announced rate
measures just this share, and straight lines between."""
LOW_COVERAGE = "low_coverage"
"""The count of such windows."""
MOST_NEW = 64
"""Streams that wait to be announced, at most."""
_NOT_ALL = 1 - 1e-9


@dataclass(slots=True)
class _Stream:
    windows: int = 0  # of low coverage
    coverage: float = 0.0  # their sum
    is_low: bool = False  # the newest window


_FORGOTTEN = _Stream(windows=1)
"""Stands for a stream that the pipeline's thread forgets while another asks."""


class CoverageWatch:
    """Follows all streams of a pipeline, window by window: the same however the stream was cut.

    Args:
        least: the coverage that a window must exceed for its label to be shown; 1: all of it; 0 shows every window.
    Raises:
        ConfigError: it is not a share.

    >>> CoverageWatch(0.5).counts()
    {}
    """

    def __init__(self, least: float = MIN_COVERAGE) -> None:
        if not 0 <= least <= 1:
            raise ConfigError(f"a least coverage of {least:g}; expected a share, 0 to 1, such as {MIN_COVERAGE:g}")
        self.least = least
        self._streams: dict[str, _Stream] = {}
        self._new: deque[str] = deque(maxlen=MOST_NEW)
        self._gone = 0  # windows of low coverage of the streams that left

    def see(self, window: Window, *, is_slow: bool = False) -> bool:
        """Take the next window of a stream, and return whether too little of it was measured.

        Args:
            is_slow: its samples came evenly, but more slowly than the model bears.
        """
        stream = self._streams.get(window.stream)
        is_low = self.least > 0 and (is_slow or window.coverage <= min(self.least, _NOT_ALL))
        if stream is None:
            if not is_low:
                return False
            stream = self._streams[window.stream] = _Stream()
            self._new.append(window.stream)
        stream.is_low = is_low
        if is_low:
            stream.windows += 1
            stream.coverage += window.coverage
        return is_low

    def take_new(self) -> list[str]:
        """Return the streams that have had a first window of low coverage since the last call, the newest last."""
        names = [self._new.popleft() for _ in range(len(self._new))]
        return [name for name in names if name in self._streams]

    def forget(self, name: str) -> None:
        """Forget a stream that left; its windows stay counted."""
        stream = self._streams.pop(name, None)
        self._gone += stream.windows if stream else 0

    def notice(self, name: str, figures: StreamFigures | None = None, *, is_new: bool = False) -> Notice:
        """Return what a person should know of such a stream, with what to do.

        Args:
            figures: what arrives of it; None: unknown.
            is_new: it comes up with the first such window, which needs no count.
        """
        stream = self._streams.get(name, _FORGOTTEN)
        coverage = stream.coverage / stream.windows
        share = f"only {100 * coverage:.0f} % of the samples of the windows were measured"
        if coverage > self.least:
            share = "the samples come more slowly than the model bears"
        shown = f"the activity is shown as unknown{'' if is_new else so_far(stream.windows)}"
        if figures is not None and figures.burst_samples is not None and figures.burst_samples > 1:
            burst = f"{figures.burst_samples} samples come with one time"
            return _problem(name, f"{share} ({burst}): {shown}", "stamp each sample in the sensor, or send them evenly")
        if figures is not None and figures.rate_hz is not None and (figures.is_slow or coverage > self.least):
            rate = f"{figures.rate_hz:.3g} Hz"
            rates = f"{rate} arrive, {figures.announced_hz:g} announced"
            return _problem(name, f"{share} ({rates}): {shown}", f"set the sensor's rate, or pick a model for {rate}")
        if coverage > self.least:
            return _problem(name, f"{share}: {shown}", "set the sensor's rate, or pick a model made for it")
        text = f"{share}, the others were interpolated over holes: {shown}"
        advice = "bring the receiver closer, check the sensor's rate, or show such windows with --min-coverage 0"
        return _problem(name, text, advice)

    def notices(self, figures: Iterable[StreamFigures] = ()) -> list[str]:
        """Return one line for each stream whose newest window has low coverage."""
        known = {stream.stream: stream for stream in figures}
        return [
            str(self.notice(name, known.get(name))) for name, stream in list(self._streams.items()) if stream.is_low
        ]

    def past(self) -> list[str]:
        """Return one line for each stream whose low coverage is over, for the summary of the run."""
        return [
            f"{name}: {self._reason(stream)} in {windows_text(stream.windows)}, shown as unknown"
            for name, stream in list(self._streams.items())
            if not stream.is_low
        ]

    def _reason(self, stream: _Stream) -> str:
        if stream.coverage > self.least * stream.windows:
            return "the samples came more slowly than the model bears"
        return f"at most {100 * self.least:g} % of the samples were measured"

    def counts(self) -> dict[str, int]:
        """Return the number of windows of low coverage; nothing where there is none."""
        windows = self._gone + sum(stream.windows for stream in list(self._streams.values()))
        return {LOW_COVERAGE: windows} if windows else {}

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere, as plain values."""
        streams = {name: (stream.windows, stream.coverage, stream.is_low) for name, stream in self._streams.items()}
        return {"streams": streams, "gone": self._gone}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self._streams = {name: _Stream(*row) for name, row in state.get("streams", {}).items()}
        self._gone = state.get("gone", 0)


def _problem(name: str, text: str, advice: str) -> Notice:
    return Notice(name, problem(LOW_COVERAGE, text, advice))
