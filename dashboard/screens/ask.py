"""A dialog that asks for one line: a setting's value or a file name."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ..drawing import theme


class AskScreen(ModalScreen[str | None]):
    """Returns the typed line, or None if the dialog was cancelled.

    Args:
        title: name of the value.
        value: initial text.
        above: lines above the input; lines with an arrow ``->`` are highlighted as changes.
    """

    AUTO_FOCUS = "Input"
    BINDINGS = [("escape", "dismiss", "close")]  # noqa: RUF012

    def __init__(self, title: str, value: str, above: list[str] | None = None) -> None:
        super().__init__()
        self._title, self._value, self._above = title, value, above or []

    def compose(self) -> ComposeResult:
        with Vertical(classes="page") as page:
            if self._above:
                lines = [Content.styled(line, theme.WARN if "->" in line else theme.MUTED) for line in self._above]
                yield Static(Content("\n").join(lines))
            yield Input(self._value)
        page.border_title = self._title
        page.border_subtitle = "enter confirms, esc cancels"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
