"""The line on top: what runs, on what, how fast, and everything that was lost or repaired."""

from __future__ import annotations

import math
from collections.abc import Hashable

from ..drawing import theme
from .decisions import clock
from .panel import Panel, Piece, cells, fitted

_TOTALS = ("samples", "windows")


def speed_text(speed: float) -> str:
    """``2.0`` -> ``2×``; infinity -> ``max``."""
    return "max" if math.isinf(speed) else f"{speed:g}×"


class StatusLine(Panel):
    """One line without a frame."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.phase = "running"
        """``running``, ``frozen`` (a live stream that goes on unseen) or ``ended``."""

    def drawing_key(self) -> Hashable:
        width = self.content_size.width
        return width, tuple(map(str, self._what())), tuple(map(str, self._losses()))

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        brand: Piece = (" kinestream ", f"bold {theme.BACKGROUND} on {theme.ACCENT}")
        what, losses = [brand, "  ", *self._what()], [*self._losses(), " "]
        room = max(1, width - cells(losses) - 1)  # what was lost is always told in full
        if cells(what) > room:
            what = [" ", *self._what()]
        kept = fitted(what, room)
        return [[*kept, " " * (room - cells(kept) + 1), *losses]]

    def _what(self) -> list[Piece]:
        session = self.session
        pieces: list[Piece] = [(self._source_name(), f"bold {theme.TEXT}"), (" → ", theme.FAINT), session.model_name]
        pieces += [(" → ", theme.FAINT), session.policy_text, "   "]
        return [*pieces, *self._progress()]

    def _source_name(self) -> str:
        if len(self.state.streams) < 2:
            return self.session.source_name
        return f"{self.session.source_name} [{self.state.shown}]"

    def _progress(self) -> list[Piece]:
        playback = self.session.playback
        now_s = self.stream.now_s if self.stream else 0.0
        if self.phase != "running":
            hint = ", q quits" if self.phase == "ended" else ""
            return [(f"■ {self.phase} ", f"bold {theme.WARN}"), (clock(now_s) + hint, theme.MUTED)]
        if playback is None:
            return [("● live ", theme.GOOD), (clock(now_s), theme.MUTED)]
        of = f" / {clock(playback.duration_s)}" if math.isfinite(playback.duration_s) else ""
        sign = ("‖ ", f"bold {theme.WARN}") if playback.paused else ("▶ ", theme.GOOD)
        return [sign, f"{speed_text(playback.speed)} ", (clock(playback.position_s) + of, theme.MUTED)]

    def _losses(self) -> list[Piece]:
        counts = self.session.counts()
        pieces: list[Piece] = []
        for kind, count in counts.items():
            if count and kind not in _TOTALS:
                pieces += ["  ", (f"{kind.replace('_', ' ')} ", theme.MUTED), (f"{count}", theme.WARN)]
        return pieces[1:] or [("nothing lost", theme.MUTED)]
