"""The subnetworks: width x resolution, coloured by accuracy, with the Pareto front and the one that runs now."""

from __future__ import annotations

import math
from collections.abc import Hashable

from kinestream.signals import Subnet

from . import theme
from .draw import number
from .panel import Panel, Piece

_MOST_CELL = 5
_FRONT, _NOW = "•", "◆"


class GridPanel(Panel):
    """Resolutions downwards from the finest, widths to the right: the whole network is the top right cell."""

    TITLE = "Subnetwork"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        table = self.session.table
        self._widths = sorted({point.subnet.width for point in table.points})
        self._resolutions = sorted({point.subnet.resolution for point in table.points}, reverse=True)
        self._front = {point.subnet for point in table.front}
        known = [point.accuracy for point in table.points if not math.isnan(point.accuracy)]
        self._least, self._most = (min(known), max(known)) if known else (0.0, 1.0)

    @property
    def now(self) -> Subnet | None:
        """The subnetwork that made the newest prediction."""
        prediction = self.stream.prediction if self.stream else None
        return prediction.decision.subnet if prediction else None

    def seen(self) -> Hashable:
        return self.now

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        gutter = max(len(str(resolution)) for resolution in self._resolutions) + 1
        cell = min(_MOST_CELL, (width - gutter) // len(self._widths))
        if cell < 1:
            return [self._point()]
        lines = [self._row(resolution, gutter, cell) for resolution in self._resolutions]
        extra = [self._point(), self._axis(gutter, cell), self._legend(gutter)][: max(0, height - len(lines))]
        if len(extra) > 1:  # the axis belongs under the cells, the words below it
            extra = [extra[1], extra[0], *extra[2:]]
        return [*lines, *extra]

    def _row(self, resolution: int, gutter: int, cell: int) -> list[Piece]:
        line: list[Piece] = [(f"{resolution:>{gutter - 1}} ", theme.MUTED)]
        for width in self._widths:
            subnet = Subnet(width, resolution)
            if subnet not in self.session.table:
                line.append(" " * cell)
            elif subnet == self.now:
                line.append((_NOW.center(cell), f"bold {theme.BACKGROUND} on #ffffff"))
            else:
                colour = theme.ramp(self._share(self.session.table[subnet].accuracy))
                sign = _FRONT if subnet in self._front else ""
                line.append((sign.center(cell), f"#ffffff on {colour}"))
        return line

    def _share(self, accuracy: float) -> float:
        return (accuracy - self._least) / ((self._most - self._least) or 1.0)

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
        if self.now is None:
            return [("no window yet", theme.MUTED)]
        point = self.session.table[self.now]
        line: list[Piece] = [(f"{_NOW} {self.now}", "bold #ffffff")]
        if not math.isnan(point.accuracy):
            line.append(f"  {point.accuracy:.1%}")
        return [*line, f"  {number(point.energy_mj)} mJ", f"  {number(point.p50_ms)} ms"]

    def _legend(self, gutter: int) -> list[Piece]:
        steps: list[Piece] = [("  ", f"on {theme.ramp(step / 5)}") for step in range(6)]
        low, high = f"{self._least:.0%} ", f" {self._most:.0%}"
        return [(low, theme.MUTED), *steps, (high, theme.MUTED), (f"   {_FRONT} Pareto front", theme.MUTED)]
