"""What the wearer does now: the label in large letters, every class's confidence, the truth, the rolling accuracy."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from kinestream.core.scoring import is_right

from ..drawing import theme
from ..drawing.big_text import LINES, large
from ..drawing.draw import bar
from ..model.state import conclusion_of
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction

_MARKS = {True: ("✓", theme.GOOD), False: ("✗", theme.BAD), None: ("·", theme.MUTED)}


def readable(label: str) -> str:
    """``WALKING_UPSTAIRS`` -> ``walking upstairs``."""
    return label.replace("_", " ").lower()


class PredictionPanel(Panel):
    TITLE = "Activity"

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.prediction_count

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        stream = self.stream
        if stream is None or stream.prediction is None:
            return [[("waiting for the first window", theme.MUTED)]]
        prediction = stream.prediction
        known = prediction.truth is not None
        foot = self._accuracy(width) if known else []
        classes = _classes(prediction, width)
        if known and len(classes) + len(foot) + 2 > height:  # the bars' colours tell the truth as well
            lines = _label(prediction, width, 0)
        else:
            head = _truth(prediction) if known else []
            lines = [*_label(prediction, width, height - len(head) - len(foot) - len(classes)), *head]
        if len(lines) + len(classes) + len(foot) + 2 <= height:
            lines.append([])
            foot = [[], *foot]
        shown = height - len(lines) - len(foot)
        if shown < len(classes):
            probs = conclusion_of(prediction).probs
            best = sorted(sorted(range(len(classes)), key=lambda i: -probs[i])[: max(shown, 0)])
            classes = [classes[i] for i in best]
        return [*lines, *classes, *foot]

    def _accuracy(self, width: int) -> list[list[Piece]]:
        stream = self.stream
        if stream is None or stream.accuracy is None:
            return [[("no window to score yet", theme.MUTED)]]
        scored = sum(right is not None for right in stream.scores)
        text = f"{stream.accuracy:.1%}"
        words = f" of the last {scored}  "
        line: list[Piece] = [(text, f"bold {theme.level(stream.accuracy, 0.9, 0.75)}"), (words, theme.MUTED)]
        room = width - len(text) - len(words)
        line += [("▪" if right is not None else "·", _MARKS[right][1]) for right in list(stream.scores)[-room:]]
        return [line]


def _label(prediction: Prediction, width: int, room: int) -> list[list[Piece]]:
    colour = theme.BAD if is_right(prediction) is False else theme.ACCENT
    name = readable(conclusion_of(prediction).label)
    letters = large(name, width) if room >= LINES else None
    if letters is None or len(letters) > room:
        return [[(name.upper(), f"bold {colour}")]]
    lines: list[list[Piece]] = [[(line, colour)] for line in letters]
    return [[], *lines, []] if len(lines) + 2 <= room else lines


def _truth(prediction: Prediction) -> list[list[Piece]]:
    right = is_right(prediction)
    sign, colour = _MARKS[right]
    line: list[Piece] = [(f"{sign} ", f"bold {colour}"), ("truth ", theme.MUTED), readable(prediction.truth or "")]
    if prediction.truth_share < 1.0:
        line.append((f"  {prediction.truth_share:.0%} of it", theme.MUTED))
    elif right is None:
        line.append(("  not taught", theme.MUTED))
    return [line]


def _classes(prediction: Prediction, width: int) -> list[list[Piece]]:
    """One line a class: name, bar, per cent; the truth's name is marked."""
    conclusion = conclusion_of(prediction)
    names = [readable(label) for label in prediction.labels]
    name_width = min(max(map(len, names)), max(8, width // 2 - 2))
    bar_width = width - name_width - 6
    lines: list[list[Piece]] = []
    for label, name, probability in zip(prediction.labels, names, conclusion.probs, strict=True):
        chosen = label == conclusion.label
        colour = theme.ACCENT if chosen else theme.FAINT
        if label == prediction.truth:
            colour = theme.GOOD if chosen else theme.WARN
        filled = bar(float(probability), bar_width)
        lines.append(
            [
                (f"{name[:name_width]:<{name_width}} ", f"bold {theme.TEXT}" if chosen else theme.MUTED),
                (filled, colour),
                ("·" * (bar_width - len(filled)), theme.SURFACE),
                (f"{probability:>5.0%}", theme.TEXT if chosen else theme.MUTED),
            ]
        )
    return lines
