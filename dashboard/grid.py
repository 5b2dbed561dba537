"""The subnetworks: width x resolution, coloured by gain or cost, with the Pareto front and the one that runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.binding import Binding
from textual.color import Color

from kinestream.signals import Subnet

from . import theme
from .draw import number
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.operating_table import OperatingPoint

    from .control import Control

_MOST_CELL = 5
_FRONT, _NOW = "•", "◆"
_DIMMED = 0.72
"""How far the colour of a cell that misses the deadline goes over to the background."""


class Figure(NamedTuple):
    """What the cells can be coloured by."""

    name: str
    of: Callable[[OperatingPoint], float]
    text: Callable[[float], str]
    is_cost: bool
    """Less is better, and costs differ by factors: bright is cheap, on a logarithmic scale."""


FIGURES = (
    Figure("accuracy", lambda point: point.accuracy, lambda value: f"{value:.0%}", False),
    Figure("latency", lambda point: point.p50_ms, lambda value: f"{number(value)} ms", True),
    Figure("energy", lambda point: point.energy_mj, lambda value: f"{number(value)} mJ", True),
)


class GridPanel(Panel, can_focus=True):
    """Resolutions downwards from the finest, widths to the right: the whole network is the top right cell.

    The arrow keys or a click move the cursor; enter, or a click on the cursor, pins what it is on.
    """

    TITLE = "Subnetwork"
    BINDINGS = [  # noqa: RUF012
        Binding("left", "move(-1, 0)", "choose", key_display="arrows"),
        Binding("right", "move(1, 0)", show=False),
        Binding("up", "move(0, -1)", show=False),
        Binding("down", "move(0, 1)", show=False),
        Binding("enter", "pin", "pin"),
        Binding("escape", "leave", "back", show=False),
    ]

    def __init__(self, *args, control: Control, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._control = control
        table = self.session.table
        self._widths = sorted({point.subnet.width for point in table.points})
        self._resolutions = sorted({point.subnet.resolution for point in table.points}, reverse=True)
        self._front = {point.subnet for point in table.front}
        self._figure = 0
        self._clicked: Subnet | None = None  # a click first gives the focus, and with it the cursor a place
        self._scale()

    def _scale(self) -> None:
        known = [self.figure.of(point) for point in self.session.table.points]
        known = [value for value in known if math.isfinite(value) and (value > 0 or not self.figure.is_cost)]
        self._least, self._most = (min(known), max(known)) if known else (0.0, 1.0)
        self.border_subtitle = f"{self.figure.name}, m next"

    @property
    def figure(self) -> Figure:
        return FIGURES[self._figure]

    def next_figure(self) -> None:
        self._figure = (self._figure + 1) % len(FIGURES)
        self._scale()
        self.tick()

    @property
    def now(self) -> Subnet | None:
        """The subnetwork that made the newest prediction."""
        prediction = self.stream.prediction if self.stream else None
        return prediction.decision.subnet if prediction else None

    def seen(self) -> Hashable:
        return self.now, self.state.cursor, self._figure, self.session.deadline_ms, self.session.policy_text

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        gutter, cell = self._cells(width)
        if cell < 1:
            return [self._point()]
        lines = [self._row(resolution, gutter, cell) for resolution in self._resolutions]
        extra = [self._point(), self._axis(gutter, cell), self._legend()][: max(0, height - len(lines))]
        if len(extra) > 1:  # the axis belongs under the cells, the words below it
            extra = [extra[1], extra[0], *extra[2:]]
        return [*lines, *extra]

    def _cells(self, width: int) -> tuple[int, int]:
        """How wide the names at the left are, and how wide a cell."""
        gutter = max(len(str(resolution)) for resolution in self._resolutions) + 1
        return gutter, min(_MOST_CELL, (width - gutter) // len(self._widths))

    def _row(self, resolution: int, gutter: int, cell: int) -> list[Piece]:
        line: list[Piece] = [(f"{resolution:>{gutter - 1}} ", theme.MUTED)]
        table, deadline_ms = self.session.table, self.session.deadline_ms
        for width in self._widths:
            subnet = Subnet(width, resolution)
            if subnet not in table:
                line.append(" " * cell)
                continue
            sign = _NOW if subnet == self.now else _FRONT if subnet in self._front else ""
            text = f"[{sign or ' '}]" if cell >= 3 and subnet == self.state.cursor else sign
            if subnet == self.state.cursor:
                line.append((text.center(cell, "▌" if cell < 3 else " "), f"bold {theme.BACKGROUND} on {theme.ACCENT}"))
            elif subnet == self.now:
                line.append((text.center(cell), f"bold {theme.BACKGROUND} on #ffffff"))
            else:
                colour = Color.parse(theme.ramp(self._share(self.figure.of(table[subnet]))))
                if deadline_ms is not None and table[subnet].p95_ms > deadline_ms:
                    colour = colour.blend(Color.parse(theme.BACKGROUND), _DIMMED)
                line.append((text.center(cell), f"#ffffff on {colour.hex}"))
        return line

    def _share(self, value: float) -> float:
        """Where a value lies between the worst (0) and the best (1); NaN where it is not known."""
        if not self.figure.is_cost:
            return (value - self._least) / ((self._most - self._least) or 1.0)
        if not (math.isfinite(value) and value > 0):
            return math.nan
        return math.log(self._most / value) / (math.log(self._most / self._least) or 1.0)

    def _axis(self, gutter: int, cell: int) -> list[Piece]:
        """Every width's name under its column, as many as fit."""
        text = ""
        for place, width in enumerate(self._widths):
            name = f"{width:g}"
            start = place * cell + max(0, (cell - len(name)) // 2)
            if start > len(text) or not text:
                text = text.ljust(start) + name
        return [(" " * gutter + text, theme.MUTED)]

    def _point(self) -> list[Piece]:
        subnet = self.state.cursor or self.now
        if subnet is None:
            return [("no window yet", theme.MUTED)]
        point = self.session.table[subnet]
        head = f"{_NOW} {subnet}" if subnet == self.now else f"  {subnet}"
        line: list[Piece] = [(head, "bold #ffffff" if subnet == self.now else f"bold {theme.ACCENT}")]
        if not math.isnan(point.accuracy):
            line.append(f" {point.accuracy:.1%}")
        line.append(f" {number(point.energy_mj)} mJ {number(point.p50_ms)} ms")
        if subnet == self._control.pinned:
            line.append((" pinned", f"bold {theme.WARN}"))
        elif self.session.deadline_ms is not None and point.p95_ms > self.session.deadline_ms:
            line.append((" late", theme.BAD))
        return line

    def _legend(self) -> list[Piece]:
        steps: list[Piece] = [(" ", f"on {theme.ramp(step / 7)}") for step in range(8)]
        worst, best = (self._most, self._least) if self.figure.is_cost else (self._least, self._most)
        low, high = f"{self.figure.text(worst)} ", f" {self.figure.text(best)}"
        front = ("  dim late" if self.session.deadline_ms is not None else "") + f"  {_FRONT} Pareto front"
        return [(low, theme.MUTED), *steps, (high, theme.MUTED), (front, theme.MUTED)]

    def _put(self, subnet: Subnet | None) -> None:
        self.state.cursor = subnet
        self.tick()

    def on_focus(self) -> None:
        full = Subnet(self._widths[-1], self._resolutions[0])
        self._put(self.state.cursor or self.now or full)

    def on_blur(self) -> None:
        self._clicked = None
        self._put(None)

    def action_move(self, right: int, down: int) -> None:
        """The next cell in that direction that there is; the cursor stays where there is none."""
        cursor = self.state.cursor
        if cursor is None:
            return
        column, row = self._widths.index(cursor.width), self._resolutions.index(cursor.resolution)
        while 0 <= (column := column + right) < len(self._widths) and 0 <= (row := row + down) < len(self._resolutions):
            subnet = Subnet(self._widths[column], self._resolutions[row])
            if subnet in self.session.table:
                self._put(subnet)
                return

    def action_pin(self) -> None:
        if self.state.cursor is not None:
            self._control.pin(self.state.cursor)
            self.tick()

    def action_leave(self) -> None:
        self.screen.set_focus(None)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        gutter, cell = self._cells(self.content_size.width)
        if offset is None or cell < 1 or offset.x < gutter:
            return
        column, row = (offset.x - gutter) // cell, offset.y
        if column >= len(self._widths) or row >= len(self._resolutions):
            return
        subnet = Subnet(self._widths[column], self._resolutions[row])
        if subnet not in self.session.table:
            return
        if subnet == self._clicked == self.state.cursor:
            self._control.pin(subnet)
        self._clicked = subnet
        self._put(subnet)
