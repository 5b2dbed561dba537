"""How long the network takes, against the deadline."""

from __future__ import annotations

import math
from collections.abc import Hashable

from . import theme
from .draw import bar, column_chart, number
from .panel import Panel, Piece

_GUTTER = 6


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
        """One bar a window, scaled to the slowest shown; bars over the deadline are red."""
        if rows < 1 or self.stream is None:
            return []
        room = width - _GUTTER
        latencies_ms = list(self.stream.latencies_ms)[-room:]
        empty = room - len(latencies_ms)  # the newest is always at the right edge, as in the traces
        top_ms = max(latencies_ms)
        drawn = column_chart([latency_ms / top_ms for latency_ms in latencies_ms], rows)
        late = [deadline_ms is not None and latency_ms > deadline_ms for latency_ms in latencies_ms]
        lines: list[list[Piece]] = []
        for row, text in enumerate(drawn):
            scale = number(top_ms) if row == 0 else "0" if row == rows - 1 else ""
            line: list[Piece] = [(f"{scale:>{_GUTTER - 1}} " + " " * empty, theme.FAINT)]
            start = 0
            for end in range(1, len(text) + 1):
                if end == len(text) or late[end] != late[start]:
                    line.append((text[start:end], theme.BAD if late[start] else theme.ACCENT))
                    start = end
            lines.append(line)
        return lines
