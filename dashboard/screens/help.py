"""The help page: every key and the signs of the panels."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ..drawing import theme

_LEGEND = (
    ("◆", "the subnetwork that made the newest prediction"),
    ("▏▕", "outlined: on the Pareto front, no cheaper subnetwork is as accurate"),
    ("╌", "dim: its p95 misses the deadline"),
    ("✓ ✗ ·", "right, wrong, not scored (no label or two activities)"),
    ("┊", "in the histogram: the deadline"),
    ("× ┄ ┊", "below the traces: samples lost, no samples, stream restarted"),
    ("you", "in the decision log: your command"),
)


class HelpScreen(ModalScreen[None]):
    """The help page; the key that opens it also closes it."""

    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "close")]  # noqa: RUF012

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        lines = [_line(key, meaning, theme.ACCENT) for key, meaning in self._keys]
        lines += [Content(), *(_line(sign, meaning, theme.WARN) for sign, meaning in _LEGEND)]
        with VerticalScroll(classes="page") as page:
            yield Static(Content("\n").join(lines), id="help")
        page.border_title = "Keys and signs"
        page.border_subtitle = "esc closes"


def _line(sign: str, meaning: str, colour: str) -> Content:
    return Content.assemble((f"{sign:>6}", f"bold {colour}"), "  ", meaning)
