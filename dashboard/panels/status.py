"""The top line: source, model, policy, progress, and counts of everything lost or repaired."""

from __future__ import annotations

import math
from collections.abc import Hashable

from ..drawing import theme
from .decisions import clock
from .panel import Panel, Piece, fit, width_of

_TOTALS = ("samples", "windows")


def speed_text(speed: float) -> str:
    """Return a playback speed as text.

    >>> speed_text(2.0), speed_text(math.inf)
    ('2×', 'max')
    """
    return "max" if math.isinf(speed) else f"{speed:g}×"


class StatusLine(Panel):
    """One line without a frame."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.phase = "running"
        """``running``, ``frozen`` (the picture of a live stream that continues) or ``ended``."""

    def drawing_key(self) -> Hashable:
        width = self.content_size.width
        return width, tuple(map(str, self._headline())), tuple(map(str, self._losses()))

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        brand: Piece = (" kinestream ", f"bold {theme.BACKGROUND} on {theme.ACCENT}")
        headline, losses = [brand, "  ", *self._headline()], [*self._losses(), " "]
        room = max(1, width - width_of(losses) - 1)  # the losses are always shown in full
        if width_of(headline) > room:
            headline = [" ", *self._headline()]
        pieces = fit(headline, room)
        return [[*pieces, " " * (room - width_of(pieces) + 1), *losses]]

    def _headline(self) -> list[Piece]:
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
            return [("● live ", theme.GOOD), (clock(now_s), theme.MUTED), *self._rate()]
        of = f" / {clock(playback.duration_s)}" if math.isfinite(playback.duration_s) else ""
        sign = ("‖ ", f"bold {theme.WARN}") if playback.paused else ("▶ ", theme.GOOD)
        return [sign, f"{speed_text(playback.speed)} ", (clock(playback.position_s) + of, theme.MUTED)]

    def _rate(self) -> list[Piece]:
        figures = self.stream.figures if self.stream else None
        if figures is None or figures.rate_hz is None:
            return []
        return ["  ", (figures.rate_text(), theme.WARN if figures.is_off else theme.MUTED)]

    def _losses(self) -> list[Piece]:
        counts = self.session.counts()
        pieces: list[Piece] = []
        for kind, count in counts.items():
            if count and kind not in _TOTALS:
                pieces += ["  ", (f"{kind.replace('_', ' ')} ", theme.MUTED), (f"{count}", theme.WARN)]
        return pieces[1:] or [("nothing lost", theme.MUTED)]
