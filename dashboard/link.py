"""How the stream comes in: rate, loss, age, the sensor's clock, the queue, and the link itself where it is told."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from . import theme
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.source import LinkStatus

    from .health import StreamHealth


class LinkPanel(Panel):
    TITLE = "Link"

    def seen(self) -> Hashable:
        return self.state.polls

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        links = self.session.links()
        shown = [link for link in links if link.name == self.state.shown] or links[:1]
        lines = [line for link in shown for line in _link(link)]
        lines += self._stream(self.stream.health, bool(links)) if self.stream else []
        lines += [_clock(link) for link in shown if link.clock]
        return lines or [[("waiting for samples", theme.MUTED)]]

    def _stream(self, health: StreamHealth, is_linked: bool) -> list[list[Piece]]:
        rate_hz = health.rate_hz
        rate = "rate not known yet" if rate_hz is None else f"{rate_hz:.2f} Hz"
        off = rate_hz is not None and abs(rate_hz / health.fs_hz - 1) > 0.1
        colour = theme.level(1 - health.loss, 0.99, 0.9)
        waiting, room = self.session.queued
        full = theme.level(1 - waiting / room, 0.5, 0.1)
        age: list[Piece] = [] if is_linked else [("  age ", theme.MUTED), f"{max(health.age_ms, 0.0):.0f} ms"]
        return [
            [(rate, theme.WARN if off else theme.TEXT), (f" of {health.fs_hz:g} Hz", theme.MUTED)],
            [("loss ", theme.MUTED), (f"{health.loss:.1%}", colour), (f"  {health.lost} lost in all", theme.MUTED)],
            [("queue ", theme.MUTED), (f"{waiting}", full), (f" of {room} chunks", theme.MUTED), *age],
        ]


def _link(link: LinkStatus) -> list[list[Piece]]:
    good = link.state == "streaming"
    head: list[Piece] = [("● " if good else "○ ", theme.GOOD if good else theme.BAD), link.state]
    if link.rssi is not None:
        head.append((f"  {link.rssi} dBm", theme.MUTED))
    if link.reconnects:
        head.append((f"  {link.reconnects} reconnects", theme.WARN))
    if link.battery_frac is None:
        return [head]
    charge = (f"{link.battery_frac:.0%}", theme.level(link.battery_frac, 0.3, 0.1))
    return [head, [("battery of the sensor ", theme.MUTED), charge]]


def _clock(link: LinkStatus) -> list[Piece]:
    line: list[Piece] = [(link.clock, theme.MUTED)]
    if link.slope_ppm is not None:
        line.append(f"  {link.slope_ppm:+.0f} ppm")
    if link.jitter_ms is not None:
        line.append(f"  ±{link.jitter_ms:.1f} ms")
    if link.age_ms is not None:
        line += [("  age ", theme.MUTED), f"{max(link.age_ms, 0.0):.0f} ms"]
    return line
