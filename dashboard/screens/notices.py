"""The page of all current alarms and notices."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ..drawing import theme


class NoticeScreen(ModalScreen[None]):
    """Lists the alarms, then the notices."""

    BINDINGS = [("escape,i,q,enter", "dismiss", "close")]  # noqa: RUF012

    def __init__(self, alarms: list[str], notices: list[str]) -> None:
        super().__init__()
        self._alarms, self._notices = alarms, notices

    def compose(self) -> ComposeResult:
        lines = [Content.assemble(("! ", f"bold {theme.BAD}"), alarm) for alarm in self._alarms]
        lines += [Content.assemble(("· ", theme.WARN), notice) for notice in self._notices]
        page = Static(Content("\n").join(lines or [Content("no alarms or notices")]), classes="page")
        page.border_title = "Alarms and notices"
        page.border_subtitle = "esc closes"
        yield page
