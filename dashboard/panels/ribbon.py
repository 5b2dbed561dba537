"""The last minutes as a ribbon: the predicted labels above the true ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from ..drawing import theme
from ..model.state import LabelSpan
from .panel import Panel, Piece
from .prediction import readable

SPANS_S = (60.0, 120.0, 300.0, 600.0)
"""The ribbon covers the first of these that contains the whole stream, else the last one."""
_GUTTER = 7
_BEGIN = "▏"


class RibbonPanel(Panel):
    """Two lines without a frame; one line if the source has no labels."""

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.prediction_count

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        stream = self.stream
        if stream is None or not stream.predicted_spans:
            return [[(" model ", theme.MUTED)]]
        end_s = stream.predicted_spans[-1].end_s
        age_s = end_s - stream.predicted_spans[0].start_s
        span_s = next((span_s for span_s in SPANS_S if span_s >= age_s), SPANS_S[-1])
        cells = width - _GUTTER - 7
        lines = [self._line("model", stream.predicted_spans, end_s, span_s, cells)]
        if stream.true_spans:
            lines.append(self._line("truth", stream.true_spans, end_s, span_s, cells))
        lines[0].append((f" {span_s / 60:g} min", theme.FAINT))
        return lines

    def _line(self, name: str, spans: deque[LabelSpan], end_s: float, span_s: float, cells: int) -> list[Piece]:
        line: list[Piece] = [(f"{name:>{_GUTTER - 1}} ", theme.MUTED)]
        at = 0
        for span in spans:
            first = max(at, round((1 - (end_s - span.start_s) / span_s) * cells))
            last = round((1 - (end_s - span.end_s) / span_s) * cells)
            if last <= first:
                continue
            line.append(" " * (first - at))
            text = (_BEGIN + readable(span.label))[: last - first].ljust(last - first)
            line.append((text, f"{theme.BACKGROUND} on {self._colour(span.label)}"))
            at = last
        line.append(" " * (cells - at))
        return line

    def _colour(self, label: str) -> str:
        labels = self.session.labels
        return theme.LABELS[labels.index(label) % len(theme.LABELS)] if label in labels else theme.MUTED
