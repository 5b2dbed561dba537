"""Reception of the stream: its measured figures, the queue, and the link if the source reports one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ..drawing import theme
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.evidence import StreamFigures
    from kinestream.core.source import LinkStatus

OTHER_CLOCK_MS = -50.0
"""A negative age beyond this is highlighted: the samples are stamped by another clock."""
WELL_COVERED = 0.9
"""A smaller measured share of the windows is shown."""


class LinkPanel(Panel):
    """The shown stream's link, or the first link if the stream has none."""

    TITLE = "Link"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._polled: tuple[int, str] = (-1, "")

    def drawing_key(self) -> Hashable:
        if self._polled[0] != self.state.polls:  # the values change with every packet; twice a second is enough
            self._polled = self.state.polls, str(self.draw(0, 0))
        return self._polled[1]

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        links = self.session.links()
        shown = [link for link in links if link.name == self.state.shown] or links[:1]
        lines = [line for link in shown for line in _link(link)]
        figures = self.stream.figures if self.stream else None
        lines += self._stream(figures) if figures else []
        arrival = _arrival(figures) if figures else []
        arrival += [f"{link.slope_ppm:+.0f} ppm" for link in shown if link.slope_ppm is not None]
        lines += [arrival] if arrival else []
        lines += [_clock(link) for link in shown if link.clock]
        return lines or [[("waiting for samples", theme.MUTED)]]

    def _stream(self, figures: StreamFigures) -> list[list[Piece]]:
        waiting, room = self.session.queued
        lost = figures.lost_share
        lines: list[list[Piece]] = [
            [(figures.rate_text(), theme.WARN if figures.is_off else theme.TEXT)],
            [
                ("lost ", theme.MUTED),
                (f"{lost:.1%}", theme.level(1 - lost, 0.99, 0.9)),
                (f" ({figures.lost})  queue ", theme.MUTED),
                (f"{waiting}", theme.level(1 - waiting / room, 0.5, 0.1)),
                (f"/{room}", theme.MUTED),
            ],
        ]
        if figures.coverage is not None and figures.coverage < WELL_COVERED:
            measured = (f"{figures.coverage:.0%}", theme.level(figures.coverage, WELL_COVERED, 0.5))
            lines.append([measured, (" of the windows measured", theme.MUTED)])
        return lines


def _arrival(figures: StreamFigures) -> list[Piece]:
    """The stamps of the samples: their age, and how evenly they follow each other."""
    pieces: list[Piece] = []
    if figures.age_ms is not None:
        style = theme.WARN if figures.age_ms < OTHER_CLOCK_MS else theme.TEXT
        pieces += [("age ", theme.MUTED), (f"{figures.age_ms:.0f} ms  ", style)]
    if figures.burst_samples is not None and figures.burst_samples > 1:
        pieces.append((f"bursts of {figures.burst_samples}  ", theme.WARN))
    elif figures.jitter_ms is not None:
        pieces += [("jitter ", theme.MUTED), f"{figures.jitter_ms:.0f} ms  "]
    return pieces


def _link(link: LinkStatus) -> list[list[Piece]]:
    good = link.state == "streaming"
    head: list[Piece] = [("● " if good else "○ ", theme.GOOD if good else theme.BAD), link.state]
    if link.rssi is not None:
        head.append((f"  {link.rssi} dBm", theme.MUTED))
    rest: list[Piece] = []
    if link.battery_frac is not None:
        rest = [("sensor battery ", theme.MUTED)]
        rest.append((f"{link.battery_frac:.0%}  ", theme.level(link.battery_frac, 0.3, 0.1)))
    if link.reconnects:
        rest.append((f"{link.reconnects} reconnects", theme.WARN))
    return [head, rest] if rest else [head]


def _clock(link: LinkStatus) -> list[Piece]:
    late = "" if link.jitter_ms is None else f" ±{link.jitter_ms:.1f} ms"
    return [(link.clock, theme.MUTED), late]
