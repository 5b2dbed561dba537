"""The network's latency: a histogram of the recent windows, compared with the deadline."""

from __future__ import annotations

import math
from collections.abc import Hashable
from itertools import groupby
from operator import itemgetter

import numpy as np

from ..drawing import theme
from ..drawing.draw import bar, column_chart, number, round_above, round_below
from .panel import Panel, Piece

_REACH = 20.0
"""A deadline more than this factor above the slowest window is not drawn: the bars would shrink to nothing."""
_MIN_MS = 1e-3
_DEADLINE = "┊"
_WIDE = 45
"""A narrower panel omits the newest latency and its bar."""


class LatencyPanel(Panel):
    """The newest latency, percentiles, the deadline and the histogram."""

    TITLE = "Latency"

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.prediction_count, self.session.deadline_ms

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        stream = self.stream
        percentiles = stream.latency_percentiles() if stream else None
        if stream is None or stream.prediction is None or percentiles is None:
            return [[("no window yet", theme.MUTED)]]
        deadline_ms = self.session.deadline_ms
        last_ms = stream.prediction.latency_ms
        late = deadline_ms is not None and last_ms > deadline_ms
        p50, p95, p99 = percentiles
        head: list[Piece] = [(f"p50 {number(p50)} p95 {number(p95)} p99 {number(p99)}", theme.TEXT)]
        if width >= _WIDE:
            head = [(f"{number(last_ms)} ms  ", f"bold {theme.BAD if late else theme.GOOD}"), *head]
            if not math.isnan(stream.prediction.age_ms):
                head.append((f"  age {number(stream.prediction.age_ms)} ms", theme.MUTED))
        latencies_ms = np.maximum(np.fromiter(stream.latencies_ms, float), _MIN_MS)
        lines = [head, _budget(latencies_ms, last_ms, deadline_ms, width)]
        return lines + _histogram(latencies_ms, deadline_ms, width, height - len(lines))


def _budget(latencies_ms: np.ndarray, last_ms: float, deadline_ms: float | None, width: int) -> list[Piece]:
    if deadline_ms is None:
        return [("no deadline", theme.MUTED)]
    missed = int((latencies_ms > deadline_ms).sum())
    label, misses = f"deadline {deadline_ms:g} ms ", f" {missed} of {len(latencies_ms)} late"
    if width < _WIDE:
        return [(label, theme.MUTED), (misses, theme.BAD if missed else theme.MUTED)]
    share = last_ms / deadline_ms
    room = max(1, width - len(label) - 6 - len(misses))
    filled = bar(share, room)
    colour = theme.BAD if share > 1 else theme.WARN if share > 0.8 else theme.GOOD
    rest = "·" * (room - len(filled))
    percent = f"{share:>6.1%}" if share < 1 else f"{min(share, 99):>5.1f}×"
    return [
        (label, theme.MUTED),
        (filled, colour),
        (rest, theme.LINE),
        (percent, colour),
        (misses, theme.BAD if missed else theme.MUTED),
    ]


def _histogram(latencies_ms: np.ndarray, deadline_ms: float | None, width: int, height: int) -> list[list[Piece]]:
    """Return one bar per cell on a logarithmic scale, late bars red, with a dotted line at a deadline within reach.

    The scale is logarithmic because a model's subnetworks differ tenfold, and a system stall adds a hundredfold.
    """
    rows = height - 1  # the scale
    if rows < 2:
        return []
    max_ms = float(latencies_ms.max())
    if deadline_ms is not None and deadline_ms <= _REACH * max_ms:
        max_ms = max(max_ms, deadline_ms)
    floor_ms, top_ms = round_below(0.8 * float(latencies_ms.min())), round_above(1.05 * max_ms)
    edges = np.geomspace(floor_ms, top_ms, width + 1)
    counts, _ = np.histogram(latencies_ms, edges)
    drawn = column_chart((counts / counts.max()).tolist(), rows)
    line_at = -1
    if deadline_ms is not None and floor_ms < deadline_ms <= top_ms:
        line_at = int(np.searchsorted(edges, deadline_ms, side="left")) - 1
    late = [deadline_ms is not None and edge >= deadline_ms for edge in edges[:-1]]
    lines: list[list[Piece]] = []
    for text in drawn:
        cells = [
            (character, theme.BAD if is_late else theme.ACCENT)
            if count and character != " "
            else (_DEADLINE, theme.WARN)
            if place == line_at
            else (" ", theme.ACCENT)
            for place, (character, count, is_late) in enumerate(zip(text, counts, late, strict=True))
        ]
        lines.append([("".join(cell for cell, _ in run), colour) for colour, run in groupby(cells, key=itemgetter(1))])
    low, high = f"{floor_ms:g} ms", f"{top_ms:g} ms"
    return [*lines, [(low + high.rjust(max(1, width - len(low))), theme.FAINT)]]
