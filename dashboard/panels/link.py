"""Reception of the stream: rate, loss, age, the sensor's clock, the queue, and the link if the source reports one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ..drawing import theme
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.source import LinkStatus

    from ..model.health import StreamHealth

RATE_TOLERANCE = 0.1
"""A rate that differs from the announced one by more than this share is highlighted."""


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
        lines += self._stream(self.stream.health, bool(links)) if self.stream else []
        lines += [line for link in shown for line in _clock(link)]
        return lines or [[("waiting for samples", theme.MUTED)]]

    def _stream(self, health: StreamHealth, is_linked: bool) -> list[list[Piece]]:
        rate_hz = health.rate_hz
        rate = "rate unknown yet" if rate_hz is None else f"{rate_hz:.2f} of {health.fs_hz:g} Hz"
        off = rate_hz is not None and abs(rate_hz / health.fs_hz - 1) > RATE_TOLERANCE
        loss = (f"{health.loss:.1%}", theme.level(1 - health.loss, 0.99, 0.9))
        waiting, room = self.session.queued
        level = (f"{waiting}", theme.level(1 - waiting / room, 0.5, 0.1))
        lines: list[list[Piece]] = [
            [(rate, theme.WARN if off else theme.TEXT), ("  loss ", theme.MUTED), loss],
            [("queue ", theme.MUTED), level, (f" of {room}  {health.lost} lost in total", theme.MUTED)],
        ]
        if not is_linked:
            lines.append([("age on arrival ", theme.MUTED), f"{max(health.age_ms, 0.0):.0f} ms"])
        return lines


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


def _clock(link: LinkStatus) -> list[list[Piece]]:
    values: list[str] = []
    if link.slope_ppm is not None:
        values.append(f"{link.slope_ppm:+.0f} ppm")
    if link.jitter_ms is not None:
        values.append(f"±{link.jitter_ms:.1f} ms")
    if link.age_ms is not None:
        values.append(f"age {max(link.age_ms, 0.0):.0f} ms")
    return [[(link.clock, theme.MUTED)], [" ".join(values)]] if link.clock else []
