"""Watches what arrives from one source and says what is wrong with it, before the first sample too.

It gathers the evidence and asks the table of checks (``kinestream.observe.checks``) about once a second; a source
needs to send nothing for that. A recording, which has no clock of its own, is looked at every few seconds of signal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinestream.core.chunk_form import flaw_of, signal_s
from kinestream.core.evidence import Receiving, Reception, StreamFigures
from kinestream.core.live_streams import LiveStreams
from kinestream.core.source import Linked, Playback, Source
from kinestream.observe.checks import notices
from kinestream.observe.evidence import gather
from kinestream.observe.findings import Notice
from kinestream.observe.notice_board import NoticeBoard
from kinestream.observe.signal import SignalWatch

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk

LOOK_S = 1.0
"""Time between two looks at a source."""
LOOK_SIGNAL_S = 10.0
"""Signal between two looks at a replay."""
SILENT_S = 2.0
"""After a silence as long as this, the next window is waited for anew."""


@dataclass(slots=True)
class _Progress:
    """When a stream last gave a window."""

    windows: int = -1
    at_s: float = 0.0


class SourceWatch:
    """Watches one source.

    >>> from kinestream.replay_data import Wearer
    >>> watch = SourceWatch(Wearer(seed=1))
    >>> watch.look([]), watch.board.present()
    ([], [])
    """

    def __init__(self, source: Source) -> None:
        self.board = NoticeBoard()
        self.is_replay = isinstance(source, Playback)
        """Whether the samples were recorded or made up: their silence and age say nothing."""
        self._source = source
        self._signals: dict[str, SignalWatch] = {}
        self._places = LiveStreams(on_forget=self._forget)
        self._progress: dict[str, _Progress] = {}
        self._started_s = time.monotonic()
        self._signal_s = 0.0
        self._signals_s: dict[str, float] = {}
        self._due_s = LOOK_SIGNAL_S

    def push(self, chunk: SampleChunk) -> bool:
        """Take the next chunk of any stream; return whether a replay should be looked at now."""
        if flaw_of(chunk) is not None or not self._places.touch(chunk.stream, signal_s(chunk)):
            return False
        signal = self._signals.get(chunk.stream)
        if signal is None:
            signal = self._signals[chunk.stream] = SignalWatch()
        signal.push(chunk)
        total_s = self._signals_s[chunk.stream] = self._signals_s.get(chunk.stream, 0.0) + signal_s(chunk)
        self._signal_s = max(self._signal_s, total_s)
        if not self.is_replay or self._signal_s < self._due_s:
            return False
        self._due_s = self._signal_s + LOOK_SIGNAL_S
        return True

    def look(
        self,
        figures: Sequence[StreamFigures],
        *,
        spec: InputSpec | None = None,
        windows: Mapping[str, int] | None = None,
        bears_hz: Mapping[str, float] | None = None,
        refused: Mapping[str, str] | None = None,
        over: bool = False,
    ) -> list[Notice]:
        """Judge what arrived so far; return the notices that are new.

        Args:
            figures: of each stream.
            spec: the model's input; None: no model is chosen yet.
            windows: the windows so far, by stream; None: none are cut yet.
            bears_hz: the rate at which the policy lets the sensors run, by stream.
            refused: why the pipeline refuses a stream, by stream.
            over: the run ends, so that a finding need not last.
        """
        now_s = self._signal_s if self.is_replay else time.monotonic() - self._started_s
        evidence = gather(
            self._source.name,
            figures,
            self._receptions(),
            signals={name: signal.figures() for name, signal in self._signals.items()},
            spec=spec,
            bears_hz=bears_hz,
            windowless_s={f.stream: self._windowless_s(f, windows or {}, now_s) for f in figures},
            links=self._links(),
            refused=refused,
            since_start_s=now_s,
            live=not self.is_replay,
        )
        names = {f.stream for f in figures}
        self._progress = {name: progress for name, progress in self._progress.items() if name in names}
        see = self.board.close if over else self.board.see
        return see(now_s, notices(evidence))

    async def keep_looking(self, look: Callable[[], None]) -> None:
        """Call ``look`` every second; a replay is looked at when ``push`` says so."""
        while not self.is_replay:
            await asyncio.sleep(LOOK_S)
            look()

    def _forget(self, stream: str) -> None:
        self._signals.pop(stream, None)
        self._signals_s.pop(stream, None)

    def _receptions(self) -> Sequence[Reception]:
        return self._source.receptions() if isinstance(self._source, Receiving) else ()

    def _links(self) -> Mapping[str, str]:
        if not isinstance(self._source, Linked):
            return {}
        return {link.name: link.state for link in self._source.status()}

    def _windowless_s(self, f: StreamFigures, windows: Mapping[str, int], now_s: float) -> float:
        """The time for which a stream gave samples and no window."""
        count, progress = windows.get(f.stream, 0), self._progress.setdefault(f.stream, _Progress())
        if self.is_replay:
            now_s = self._signals_s.get(f.stream, 0.0)
        if count != progress.windows or (not self.is_replay and f.silence_s > SILENT_S):
            progress.windows, progress.at_s = count, now_s
        return now_s - progress.at_s
