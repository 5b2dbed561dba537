"""The signal: one braille trace per axis of a sensor, over the last seconds."""

from __future__ import annotations

import math
from collections.abc import Hashable
from itertools import groupby
from operator import itemgetter

import numpy as np
from textual.content import Content

from ..drawing import theme
from ..drawing.draw import braille, columns, nice_range
from ..drawing.ring import TRACE_S, Hole
from .panel import Panel, Piece

SENSORS = {
    "acc": ("Acceleration", "m/s²", 2.0),
    "body_acc": ("Body acceleration", "m/s²", 2.0),
    "gravity": ("Gravity", "m/s²", 2.0),
    "gyro": ("Angular rate", "rad/s", 1.0),
    "mag": ("Magnetic field", "µT", 10.0),
}
"""Channel prefix -> name, unit, and minimum range of the scale."""
_GUTTER = 7
"""Cells left of the traces, for the axis name and the scale."""
_RESTART = "┊"
"""Marks a restart of the stream."""
_SHRINK = 0.3
"""A scale narrows only when the signal fills less than this share of it, so that it does not flicker."""


class TracePanel(Panel):
    """The traces of one sensor at a time."""

    TITLE = "Signal"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._sensor_index = 0
        self._ranges: dict[str, tuple[float, float]] = {}

    def next_sensor(self) -> None:
        """Show the traces of the next sensor."""
        self._sensor_index += 1

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.chunk_count, self._sensor_index

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        trace = self.stream.trace if self.stream else None
        if trace is None:
            return [[("waiting for samples", theme.MUTED)]]
        sensors = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in trace.channels))
        sensor = sensors[self._sensor_index % len(sensors)]
        title, unit, least = SENSORS[sensor]
        next_sensor = "t next sensor" if len(sensors) > 1 else ""
        self.set_titles(Content.assemble(title, " ", (unit, theme.MUTED)), Content(next_sensor))
        shown = [index for index, name in enumerate(trace.channels) if name.rsplit("_", 1)[0] == sensor]

        count = 2 * max(1, width - _GUTTER)
        step_s = TRACE_S / count
        t, x, broken = trace.view()
        # Columns are fixed in time, so that a trace moves in whole columns and keeps its shape.
        t_start_s = (np.floor(t[-1] / step_s) - count + 1) * step_s
        low, high = columns(t, x[:, shown], broken, t_start_s, step_s, count)
        rows = max(1, (height - 1) // len(shown))
        apart = height - 1 - rows * len(shown) >= len(shown) - 1
        lines: list[list[Piece]] = []
        for place, index in enumerate(shown):
            name = trace.channels[index]
            floor, ceiling = self._range(name, low[:, place], high[:, place], least)
            scale = [""] * rows
            if rows >= 3:
                scale[0], scale[-1] = f"{ceiling:g}", f"{floor:g}"
            if apart and place > 0:
                lines.append([])
            colour = theme.TRACES[place % len(theme.TRACES)]
            for row, text in enumerate(braille(low[:, place], high[:, place], floor, ceiling, rows)):
                axis = name.rsplit("_", 1)[1] if row == rows // 2 else ""
                lines.append([(f"{axis:>2}", f"bold {colour}"), (f"{scale[row]:>4} ", theme.FAINT), (text, colour)])
        return [*lines, _time_axis(width, trace.holes(), t_start_s, 2 * step_s)][:height]

    def _range(self, name: str, low: np.ndarray, high: np.ndarray, least: float) -> tuple[float, float]:
        """Return the scale of one channel; it stays the same while the signal fits it well."""
        if np.isnan(low).all():
            return self._ranges.get(name, (-least / 2, least / 2))
        lowest, highest = float(np.nanmin(low)), float(np.nanmax(high))
        floor, ceiling = self._ranges.get(name, (math.nan, math.nan))
        fits = floor <= lowest and highest <= ceiling
        if not fits or max(highest - lowest, least) < _SHRINK * (ceiling - floor):
            self._ranges[name] = nice_range(lowest, highest, least)
        return self._ranges[name]


def _time_axis(width: int, holes: list[Hole], t_start_s: float, cell_s: float) -> list[Piece]:
    """Return the time axis, with crosses where samples were lost and a dotted line where none were taken."""
    half = f"−{TRACE_S / 2:g} s"
    left, right = f"−{TRACE_S:g} s", "now"
    plot = max(1, width - _GUTTER)
    gap = plot // 2 - len(half) // 2 - len(left)
    text = left + " " * gap + half if gap >= 1 else left
    text = text.ljust(max(0, plot - len(right))) + right
    cells = [(character, theme.FAINT) for character in text[:plot]]
    for hole in holes:
        first = max(0, math.floor((hole.start_s - t_start_s) / cell_s))
        last = min(plot - 1, math.floor((hole.end_s - t_start_s) / cell_s))
        if last < 0:
            continue
        sign, colour = ("×", theme.BAD) if hole.lost else (_RESTART if hole.new_epoch else "┄", theme.WARN)
        cells[first : last + 1] = [(sign, colour)] * (last + 1 - first)
        label = f"{hole.lost} lost"
        if hole.lost and last - first > len(label):
            cells[first + 1 : first + 1 + len(label)] = [(character, colour) for character in label]
    line: list[Piece] = [(" " * _GUTTER, theme.FAINT)]
    return line + [("".join(sign for sign, _ in run), colour) for colour, run in groupby(cells, key=itemgetter(1))]
