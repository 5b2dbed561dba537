"""The subnetworks: width x resolution, coloured by gain or cost, with the Pareto front and the one that runs."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

from textual import events
from textual.binding import Binding
from textual.color import Color
from textual.content import Content

from kinestream.core.signals import Subnet

from ..drawing import theme
from ..drawing.draw import number
from .grid_colours import FIGURES, Scale
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingPoint
    from kinestream.core.signals import Decision

    from ..model.control import Control

_MOST_CELL = 5
_NOW, _FRONT, _LATE = "◆", "•", "╌"
_LEFT, _RIGHT = "▏", "▕"
"""The sides of a cell on the front; its lower side is an underline. A cell too narrow for sides has ``_FRONT``."""
_DIMMED = 0.72
"""How far the colour of a cell that misses the deadline goes over to the background."""


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
        self._clicked: Subnet | None = None  # a click first gives the focus, and with it the cursor a place
        self._colour_by(0)

    def _colour_by(self, figure: int) -> None:
        self._figure = figure
        self._scale = Scale(FIGURES[figure], self.session.table)

    def next_figure(self) -> None:
        self._colour_by((self._figure + 1) % len(FIGURES))
        self.tick()

    @property
    def _decision(self) -> Decision | None:
        """The newest."""
        prediction = self.stream.prediction if self.stream else None
        return prediction.decision if prediction else None

    @property
    def now(self) -> Subnet | None:
        """The subnetwork that made the newest prediction."""
        return self._decision.subnet if self._decision else None

    def drawing_key(self) -> Hashable:
        decision = self._decision
        why = decision and (decision.subnet, decision.reason, decision.hop)
        return why, self.state.cursor, self._figure, self.session.deadline_ms, self.session.policy_text

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        self.entitle(self._title(), Content(f"{FIGURES[self._figure].name}, m next"))
        gutter, cell = self._cells(width)
        if cell < 1:
            return [self._point()]
        lines = [self._row(resolution, gutter, cell) for resolution in self._resolutions]
        extra = [self._point(), self._axis(gutter, cell), self._legend()][: max(0, height - len(lines))]
        if len(extra) > 1:  # the axis belongs under the cells, the words below it
            extra = [extra[1], extra[0], *extra[2:]]
        return [*lines, *extra]

    def _title(self) -> Content:
        """With the reason, where the terminal is too small to show the log beside the grid."""
        is_small = any(self.screen.has_class(name) for name in ("-narrow", "-short"))
        return Content(f"{self.TITLE}: {self._decision.reason}" if self._decision and is_small else self.TITLE)

    def _cells(self, width: int) -> tuple[int, int]:
        """How wide the names at the left are, and how wide a cell."""
        gutter = max(len(str(resolution)) for resolution in self._resolutions) + 1
        return gutter, min(_MOST_CELL, (width - gutter) // len(self._widths))

    def _row(self, resolution: int, gutter: int, cell: int) -> list[Piece]:
        line: list[Piece] = [(f"{resolution:>{gutter - 1}} ", theme.MUTED)]
        for width in self._widths:
            subnet = Subnet(width, resolution)
            line.append(self._cell(subnet, cell) if subnet in self.session.table else " " * cell)
        return line

    def _cell(self, subnet: Subnet, cell: int) -> Piece:
        on_front = subnet in self._front
        if subnet == self.state.cursor:
            sign = _NOW if subnet == self.now else _FRONT if on_front else ""
            text = f"[{sign or ' '}]" if cell >= 3 else sign
            return text.center(cell, "▌" if cell < 3 else " "), f"bold {theme.BACKGROUND} on {theme.ACCENT}"
        if subnet == self.now:
            return _NOW.center(cell), f"bold {theme.BACKGROUND} on #ffffff"
        late = self._is_late(self.session.table[subnet])
        colour = Color.parse(theme.ramp(self._scale.share(self.session.table[subnet])))
        if late:
            colour = colour.blend(Color.parse(theme.BACKGROUND), _DIMMED)
        filling = _LATE if late else " "
        if not on_front:
            return filling * cell, f"{theme.MUTED} on {colour.hex}"
        text = f"{_LEFT}{filling * (cell - 2)}{_RIGHT}" if cell >= 2 else _FRONT
        return text, f"{'' if late else 'bold '}underline {theme.MUTED if late else '#ffffff'} on {colour.hex}"

    def _is_late(self, point: OperatingPoint) -> bool:
        """It misses the deadline by its p95."""
        return self.session.deadline_ms is not None and point.p95_ms > self.session.deadline_ms

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
        elif self._decision and self._decision.hop > 1 and subnet == self.now:
            line.append((f" 1 in {self._decision.hop}", theme.WARN))
        elif self._is_late(point):
            line.append((" late", theme.BAD))
        return line

    def _legend(self) -> list[Piece]:
        steps: list[Piece] = [(" ", f"on {theme.ramp(step / 7)}") for step in range(8)]
        low, high = f"{self._scale.worst} ", f" {self._scale.best}"
        late = f"  {_LATE} late" if self.session.deadline_ms is not None else ""
        front = ("  ", ""), (f"{_LEFT}{_RIGHT}", f"underline {theme.TEXT}"), (" Pareto front", theme.MUTED)
        return [(low, theme.MUTED), *steps, (high, theme.MUTED), (late, theme.MUTED), *front]

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
