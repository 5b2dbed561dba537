"""The grid of subnetworks, width x resolution, with the Pareto front and the active subnetwork."""

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
from .grid_colours import METRICS, Scale
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingPoint
    from kinestream.core.signals import Decision

    from ..model.control import Control

_MAX_CELL = 5
_ACTIVE, _FRONT, _LATE = "◆", "•", "╌"
_LEFT, _RIGHT = "▏", "▕"
"""The sides of a cell on the front; an underline is its lower side. A cell too narrow for sides shows ``_FRONT``."""
_DIMMED = 0.72
"""Share of the background in the colour of a cell that misses the deadline."""


class GridPanel(Panel, can_focus=True):
    """Resolutions downwards from the highest, widths to the right: the full network is the top right cell.

    The arrow keys or a click move the cursor; enter or a click on the cursor pins its subnetwork.
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
        self._clicked: Subnet | None = None  # a click first focuses the panel, which places the cursor
        self._colour_by(0)

    def _colour_by(self, metric: int) -> None:
        self._metric = metric
        self._scale = Scale(METRICS[metric], self.session.table)

    def next_metric(self) -> None:
        """Colour the grid by the next metric."""
        self._colour_by((self._metric + 1) % len(METRICS))
        self.tick()

    @property
    def _decision(self) -> Decision | None:
        """The newest decision."""
        prediction = self.stream.prediction if self.stream else None
        return prediction.decision if prediction else None

    @property
    def active(self) -> Subnet | None:
        """The subnetwork that made the newest prediction."""
        return self._decision.subnet if self._decision else None

    def drawing_key(self) -> Hashable:
        decision = self._decision
        visible = decision and (decision.subnet, decision.reason, decision.hop)
        return visible, self.state.cursor, self._metric, self.session.deadline_ms, self.session.policy_text

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        self.set_titles(self._title(), Content(f"{METRICS[self._metric].name}, m next"))
        gutter, cell = self._cells(width)
        if cell < 1:
            return [self._details()]
        lines = [self._row(resolution, gutter, cell) for resolution in self._resolutions]
        extra = [self._details(), self._axis(gutter, cell), self._legend()][: max(0, height - len(lines))]
        if len(extra) > 1:  # the axis comes right under the cells, the text below it
            extra = [extra[1], extra[0], *extra[2:]]
        return [*lines, *extra]

    def _title(self) -> Content:
        """Return the title, with the reason if the terminal is too small to show the log beside the grid."""
        is_small = any(self.screen.has_class(name) for name in ("-narrow", "-short"))
        return Content(f"{self.TITLE}: {self._decision.reason}" if self._decision and is_small else self.TITLE)

    def _cells(self, width: int) -> tuple[int, int]:
        """Return the width of the labels at the left and of a cell."""
        gutter = max(len(str(resolution)) for resolution in self._resolutions) + 1
        return gutter, min(_MAX_CELL, (width - gutter) // len(self._widths))

    def _row(self, resolution: int, gutter: int, cell: int) -> list[Piece]:
        line: list[Piece] = [(f"{resolution:>{gutter - 1}} ", theme.MUTED)]
        for width in self._widths:
            subnet = Subnet(width, resolution)
            line.append(self._cell(subnet, cell) if subnet in self.session.table else " " * cell)
        return line

    def _cell(self, subnet: Subnet, cell: int) -> Piece:
        on_front = subnet in self._front
        if subnet == self.state.cursor:
            sign = _ACTIVE if subnet == self.active else _FRONT if on_front else ""
            text = f"[{sign or ' '}]" if cell >= 3 else sign
            return text.center(cell, "▌" if cell < 3 else " "), f"bold {theme.BACKGROUND} on {theme.ACCENT}"
        if subnet == self.active:
            return _ACTIVE.center(cell), f"bold {theme.BACKGROUND} on #ffffff"
        late = self._is_late(self.session.table[subnet])
        colour = Color.parse(theme.ramp(self._scale.share(self.session.table[subnet])))
        if late:
            colour = colour.blend(Color.parse(theme.BACKGROUND), _DIMMED)
        filler = _LATE if late else " "
        if not on_front:
            return filler * cell, f"{theme.MUTED} on {colour.hex}"
        text = f"{_LEFT}{filler * (cell - 2)}{_RIGHT}" if cell >= 2 else _FRONT
        return text, f"{'' if late else 'bold '}underline {theme.MUTED if late else '#ffffff'} on {colour.hex}"

    def _is_late(self, point: OperatingPoint) -> bool:
        """Return whether a subnetwork misses the deadline by its p95."""
        return self.session.deadline_ms is not None and point.p95_ms > self.session.deadline_ms

    def _axis(self, gutter: int, cell: int) -> list[Piece]:
        """Return the axis: as many widths under their columns as fit."""
        text = ""
        for place, width in enumerate(self._widths):
            label = f"{width:g}"
            start = place * cell + max(0, (cell - len(label)) // 2)
            if start > len(text) or not text:
                text = text.ljust(start) + label
        return [(" " * gutter + text, theme.MUTED)]

    def _details(self) -> list[Piece]:
        subnet = self.state.cursor or self.active
        if subnet is None:
            return [("no window yet", theme.MUTED)]
        point = self.session.table[subnet]
        head = f"{_ACTIVE} {subnet}" if subnet == self.active else f"  {subnet}"
        line: list[Piece] = [(head, "bold #ffffff" if subnet == self.active else f"bold {theme.ACCENT}")]
        if not math.isnan(point.accuracy):
            line.append(f" {point.accuracy:.1%}")
        line.append(f" {number(point.energy_mj)} mJ {number(point.p50_ms)} ms")
        if subnet == self._control.pinned:
            line.append((" pinned", f"bold {theme.WARN}"))
        elif self._decision and self._decision.hop > 1 and subnet == self.active:
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

    def _move_cursor(self, subnet: Subnet | None) -> None:
        self.state.cursor = subnet
        self.tick()

    def on_focus(self) -> None:
        full = Subnet(self._widths[-1], self._resolutions[0])
        self._move_cursor(self.state.cursor or self.active or full)

    def on_blur(self) -> None:
        self._clicked = None
        self._move_cursor(None)

    def action_move(self, right: int, down: int) -> None:
        """Move to the next existing cell in that direction, if there is one."""
        cursor = self.state.cursor
        if cursor is None:
            return
        column, row = self._widths.index(cursor.width), self._resolutions.index(cursor.resolution)
        while 0 <= (column := column + right) < len(self._widths) and 0 <= (row := row + down) < len(self._resolutions):
            subnet = Subnet(self._widths[column], self._resolutions[row])
            if subnet in self.session.table:
                self._move_cursor(subnet)
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
        self._move_cursor(subnet)
