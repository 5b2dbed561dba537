"""What each key does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from kinestream.policy import POLICIES

from .keys import KEYS
from .model.control import Control
from .model.policy_settings import differences, short_text
from .model.state import DashboardState
from .panels.decisions import DecisionPanel
from .panels.grid import GridPanel
from .panels.policy_panel import PolicyPanel
from .panels.status import StatusLine
from .panels.trace import TracePanel
from .playback import Replay
from .screens.ask import AskScreen
from .screens.help import HelpScreen
from .screens.notices import NoticeScreen
from .screens.streams import StreamScreen

if TYPE_CHECKING:
    from .model.session_like import SessionLike

PAGES = 3
"""A small terminal shows one of these at a time: the subnetworks with their costs; policy and link; the log."""
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class KeyedApp(App[None]):
    """The commands of the keys, of the palette, and of the pages that ask for something.

    Args:
        session: what they command.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    def __init__(self, session: SessionLike) -> None:
        super().__init__()
        self.session = session
        self.state = DashboardState()
        self.control = Control(session, self.state, self.refuse)
        self.replay = Replay(session, self.state, self.refuse)
        self.ended = False
        """The session has ended: the source has, or it was told to stop."""
        self.frozen = False
        """A live stream goes on unseen."""
        self._page = 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing for this session are not offered."""
        if action in ("stream", "streams"):
            return len(self.state.streams) > 1
        if action in ("speed", "seek", "step"):
            return self.replay.playback is not None
        if action == "activity":
            return self.replay.knows_activities
        return True

    def action_pause(self) -> None:
        if self.replay.playback is not None:
            self.replay.pause()
            return
        self.frozen = not self.frozen
        status = self.query_one(StatusLine)
        if not self.ended:
            status.phase = "frozen" if self.frozen else "running"

    def action_step(self) -> None:
        self.replay.step()

    def action_seek(self, by_s: float) -> None:
        self.replay.seek(by_s)

    def action_speed(self, step: int) -> None:
        self.replay.speed(step)

    def action_activity(self) -> None:
        self.replay.next_activity()

    def action_policy(self) -> None:
        self.control.next_policy()

    def action_deadline(self, step: int) -> None:
        self.control.change_deadline(step)

    def action_hop(self, step: int) -> None:
        self.control.change_hop(step)

    def action_battery(self, step: int) -> None:
        self.control.change_battery(step)

    def action_unpin(self) -> None:
        self.control.unpin()

    def action_grid(self) -> None:
        self._show(0)
        self.query_one(GridPanel).focus()

    def action_figure(self) -> None:
        self.query_one(GridPanel).next_figure()

    def action_edit(self) -> None:
        self._show(1)
        self.query_one(PolicyPanel).focus()

    def action_filter(self) -> None:
        self._show(2)
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()

    def action_page(self) -> None:
        self._show((self._page + 1) % PAGES)

    def _show(self, page: int) -> None:
        """The page that a small terminal shows; a large one shows all."""
        self._page = page
        for number in range(PAGES):
            self.screen_stack[0].set_class(number == page, f"-page-{number}")

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self.query_one(DecisionPanel).filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            event.input.display = bool(event.value)
            self.screen.set_focus(None)

    def action_escape(self) -> None:
        """Out of the filter, and all of the log again."""
        line = self.query_one("#filter", Input)
        line.value = ""
        line.display = False
        self.screen.set_focus(None)

    def action_sensor(self) -> None:
        self.query_one(TracePanel).next_sensor()

    def action_stream(self) -> None:
        self.state.show_next()

    def action_streams(self) -> None:
        self.push_screen(StreamScreen(self.state))

    def action_notices(self) -> None:
        self.push_screen(NoticeScreen(list(self.state.alarms), self.session.notices()))

    def action_save(self) -> None:
        policy = self.control.to_save()
        if policy is None:
            self.refuse("this policy cannot be saved: its text does not make it again")
            return
        changes = differences(policy, self.session.table) or ["all settings are as they are by default"]
        name = str(_unused("policy-{:03}.toml"))

        def save(path: str | None) -> None:
            if path and self.control.save(Path(path).expanduser()):
                self.notify(f"saved {path}; run it with --policy {path}", markup=False)

        self.push_screen(
            AskScreen("Save the policy as", name, [short_text(policy, self.session.table), "", *changes]), save
        )

    def on_policy_panel_asked(self, event: PolicyPanel.Asked) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                event.row.type(text)

        self.push_screen(AskScreen(event.row.name, event.row.text), take)

    def action_picture(self) -> None:
        path = _unused("kinestream-{:03}.svg")
        self.save_screenshot(str(path))
        self.notify(f"saved {path}", markup=False)

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG, without Textual's links to a font on the web: looking at a picture calls nobody."""
        return _WEB_FONT.sub("", super().export_screenshot(title=title, simplify=simplify))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """For the command palette: every key, and every kind of policy."""
        for key in KEYS:
            if key.tooltip and self.check_action(key.action.partition("(")[0], ()):
                what = key.tooltip[0].upper() + key.tooltip[1:]
                run = partial(self.call_later, self.run_action, key.action)
                yield SystemCommand(what, f"key {key.key_display or key.key}", run)
        for kind in POLICIES:
            yield SystemCommand(f"Policy {kind}", "decide by it", partial(self.control.set_policy, kind))

    def action_help(self) -> None:
        self.push_screen(HelpScreen([(key.key_display or key.key, key.tooltip) for key in KEYS if key.tooltip]))

    def refuse(self, why: str) -> None:
        """Tell a person why something cannot be."""
        self.notify(why, severity="warning", timeout=6, markup=False)


def _unused(pattern: str) -> Path:
    """The first numbered name that no file has."""
    number = 1
    while (path := Path(pattern.format(number))).exists():
        number += 1
    return path
