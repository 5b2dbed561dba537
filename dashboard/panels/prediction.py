"""The wearer's current activity: the label, the true label, each class's probability, the rolling accuracy."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from kinestream.core.activities import shown_as
from kinestream.core.scoring import is_right
from kinestream.core.signals import STILL

from ..drawing import theme
from ..drawing.draw import bar
from ..model.state import conclusion_of
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction

_MARKS = {True: ("✓", theme.GOOD), False: ("✗", theme.BAD), None: ("·", theme.MUTED)}


def readable(label: str) -> str:
    """Return a label as words.

    >>> readable("WALKING_UPSTAIRS")
    'walking upstairs'
    """
    return label.replace("_", " ").lower()


class PredictionPanel(Panel):
    """The label, the true label, one bar per class, and the rolling accuracy."""

    TITLE = "Activity"

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.prediction_count

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        stream = self.stream
        if stream is None or stream.prediction is None:
            return [[("waiting for the first window", theme.MUTED)]]
        prediction = stream.prediction
        has_truth = prediction.truth is not None
        head, classes = [_label(prediction)], _classes(prediction, width)
        foot = self._accuracy(width) if has_truth else []
        if has_truth and len(head) + 1 + len(classes) + len(foot) <= height:  # else the bars' colours show the truth
            head.append(_truth(prediction))
        if len(head) + len(classes) + len(foot) + 2 <= height:
            head, foot = [*head, []], [[], *foot]
        room = max(height - len(head) - len(foot), 0)
        if room < len(classes):
            probs = conclusion_of(prediction).probs
            most_probable = sorted(range(len(classes)), key=lambda index: -probs[index])[:room]
            classes = [classes[index] for index in sorted(most_probable)]
        return [*head, *classes, *foot]

    def _accuracy(self, width: int) -> list[list[Piece]]:
        stream = self.stream
        if stream is None or stream.accuracy is None:
            return [[("no scored window yet", theme.MUTED)]]
        scored = sum(right is not None for right in stream.scores)
        text = f"{stream.accuracy:.1%}"
        basis = f" of the last {scored}  "
        line: list[Piece] = [(text, f"bold {theme.level(stream.accuracy, 0.9, 0.75)}"), (basis, theme.MUTED)]
        room = width - len(text) - len(basis)
        line += [("▪" if right is not None else "·", _MARKS[right][1]) for right in list(stream.scores)[-room:]]
        return [line]


def _label(prediction: Prediction) -> list[Piece]:
    colour = theme.BAD if is_right(prediction) is False else theme.ACCENT
    label = conclusion_of(prediction).label
    line: list[Piece] = [(readable(label), f"bold {colour}")]
    if prediction.worn_otherwise:
        line.append(("  worn otherwise, i says how", theme.WARN))
    elif prediction.low_coverage:
        line.append((f"  {prediction.coverage:.0%} measured", theme.WARN))
    elif label == STILL and prediction.up_known is False:
        line.append(("  no up axis yet", theme.MUTED))
    return line


def _truth(prediction: Prediction) -> list[Piece]:
    right = is_right(prediction)
    sign, colour = _MARKS[right]
    line: list[Piece] = [(f"{sign} ", f"bold {colour}"), ("truth ", theme.MUTED), readable(prediction.truth or "")]
    if prediction.truth_share < 1.0:
        line.append((f"  {prediction.truth_share:.0%} of window", theme.MUTED))
    elif not shown_as(prediction.truth or "", prediction.labels):
        line.append(("  not a class", theme.MUTED))
    return line


def _classes(prediction: Prediction, width: int) -> list[list[Piece]]:
    """Return one line per class: name, bar, percentage; the true label's bar has its own colour."""
    conclusion = conclusion_of(prediction)
    names = [readable(label) for label in prediction.labels]
    name_width = min(max(map(len, names)), max(8, width // 2 - 2))
    bar_width = width - name_width - 6
    right = shown_as(prediction.truth or "", prediction.labels)
    lines: list[list[Piece]] = []
    for label, name, probability in zip(prediction.labels, names, conclusion.probs, strict=True):
        chosen = label == conclusion.label
        colour = theme.ACCENT if chosen else theme.FAINT
        if label in right:
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
