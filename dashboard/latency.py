"""How long the network takes, against the deadline."""

from __future__ import annotations

import math
from collections.abc import Hashable
from itertools import groupby
from operator import itemgetter

from . import theme
from .draw import bar, column_chart, number, round_above, round_below
from .panel import Panel, Piece

_GUTTER = 6
_REACH = 20.0
"""A deadline further above the slowest bar is not drawn: the bars would shrink to nothing."""
_LEAST_MS = 1e-3
_FREE = theme.WARN


class LatencyPanel(Panel):
    TITLE = "Latency"

    def seen(self) -> Hashable:
        return self.stream and self.stream.prediction_count, self.session.deadline_ms

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        stream = self.stream
        percentiles = stream.latency_percentiles() if stream else None
        if stream is None or stream.prediction is None or percentiles is None:
            return [[("no window yet", theme.MUTED)]]
        deadline_ms = self.session.deadline_ms
        last_ms = stream.prediction.latency_ms
        late = deadline_ms is not None and last_ms > deadline_ms
        p50, p95 = percentiles
        head: list[Piece] = [
            (f"{number(last_ms)} ms", f"bold {theme.BAD if late else theme.GOOD}"),
            (f"  p50 {number(p50)}  p95 {number(p95)}", theme.TEXT),
        ]
        if not math.isnan(stream.prediction.age_ms):
            head.append((f"  age {number(stream.prediction.age_ms)} ms", theme.MUTED))
        lines = [head, self._budget(last_ms, deadline_ms, width)]
        return lines + self._chart(deadline_ms, width, height - len(lines))

    def _budget(self, last_ms: float, deadline_ms: float | None, width: int) -> list[Piece]:
        if deadline_ms is None:
            return [("no deadline", theme.MUTED)]
        words = f"deadline {deadline_ms:g} ms "
        share = last_ms / deadline_ms
        room = max(1, width - len(words) - 6)
        filled = bar(share, room)
        colour = theme.BAD if share > 1 else theme.WARN if share > 0.8 else theme.GOOD
        rest = "·" * (room - len(filled))
        percent = f"{share:>6.1%}" if share < 1 else f"{min(share, 99):>5.1f}×"
        return [(words, theme.MUTED), (filled, colour), (rest, theme.LINE), (percent, colour)]

    def _chart(self, deadline_ms: float | None, width: int, rows: int) -> list[list[Piece]]:
        """One bar a window on a logarithmic scale, late ones red; a dotted line at the deadline if it is in reach.

        The subnetworks of one model differ tenfold, and one held up by the system a hundredfold.
        """
        if rows < 2 or self.stream is None:
            return []
        room = width - _GUTTER
        latencies_ms = [max(latency_ms, _LEAST_MS) for latency_ms in self.stream.latencies_ms][-room:]
        empty = room - len(latencies_ms)  # the newest is always at the right edge, as in the traces
        most_ms = max(latencies_ms)
        if deadline_ms is not None and deadline_ms <= _REACH * most_ms:
            most_ms = max(most_ms, deadline_ms)
        floor_ms, top_ms = round_below(0.8 * min(latencies_ms)), round_above(most_ms)
        decades = math.log10(top_ms / floor_ms)
        drawn = column_chart([math.log10(latency_ms / floor_ms) / decades for latency_ms in latencies_ms], rows)
        late = [deadline_ms is not None and latency_ms > deadline_ms for latency_ms in latencies_ms]
        deadline_row = -1
        if deadline_ms is not None and floor_ms < deadline_ms <= top_ms:
            deadline_row = min(rows - 1, math.floor(rows * math.log10(top_ms / deadline_ms) / decades))
        lines: list[list[Piece]] = []
        for row, text in enumerate(drawn):
            scale = f"{top_ms:g}" if row == 0 else f"{floor_ms:g}" if row == rows - 1 else ""
            line: list[Piece] = [(f"{scale:>{_GUTTER - 1}} ", theme.FAINT)]
            free = "┄" if row == deadline_row else " "
            cells = [(free, _FREE)] * empty
            cells += [
                (free, _FREE) if cell == " " else (cell, theme.BAD if is_late else theme.ACCENT)
                for cell, is_late in zip(text, late, strict=True)
            ]
            for colour, run in groupby(cells, key=itemgetter(1)):
                line.append(("".join(cell for cell, _ in run), colour))
            lines.append(line)
        return lines
