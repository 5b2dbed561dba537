"""The actions of the keys."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from kinestream.core.errors import ConfigError
from kinestream.policy import POLICIES
from kinestream.policy.policy_file import policy_toml

from .keys import KEYS
from .model.control import CANNOT_SAVE, Control
from .model.policy_settings import differences, short_text
from .model.state import DashboardState
from .panels.decisions import DecisionPanel
from .panels.grid import GridPanel
from .panels.policy_panel import PolicyPanel
from .panels.status import StatusLine
from .panels.trace import TracePanel
from .playback import PlaybackControl
from .screens.ask import AskScreen
from .screens.help import HelpScreen
from .screens.notices import NoticeScreen
from .screens.streams import StreamScreen

if TYPE_CHECKING:
    from .model.session_like import SessionLike

PAGES = 3
"""A small terminal shows one page at a time: the subnetworks with their costs; policy and link; the log."""
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class KeyedApp(App[None]):
    """The actions of the keys, the command palette and the dialogs.

    Args:
        session: receives the commands.
        in_browser: a page sends them. It names no files: what it saves, the browser downloads.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    def __init__(self, session: SessionLike, *, in_browser: bool = False) -> None:
        super().__init__()
        self.session = session
        self.in_browser = in_browser
        self.state = DashboardState()
        self.control = Control(session, self.state, self.refuse, in_browser=in_browser)
        self.playback_control = PlaybackControl(session, self.state, self.refuse)
        self.ended = False
        """Whether the session has ended, by itself or by ``stop()``."""
        self.frozen = False
        """Whether the picture of a live stream is frozen; the stream continues."""
        self._page = 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action applies to this session; other keys are not offered."""
        if action in ("stream", "streams"):
            return len(self.state.streams) > 1
        if action in ("speed", "seek", "step"):
            return self.playback_control.playback is not None
        if action == "activity":
            return self.playback_control.has_activities
        return True

    def action_pause(self) -> None:
        if self.playback_control.playback is not None:
            self.playback_control.pause()
            return
        self.frozen = not self.frozen
        status = self.query_one(StatusLine)
        if not self.ended:
            status.phase = "frozen" if self.frozen else "running"

    def action_step(self) -> None:
        self.playback_control.step()

    def action_seek(self, by_s: float) -> None:
        self.playback_control.seek(by_s)

    def action_speed(self, step: int) -> None:
        self.playback_control.speed(step)

    def action_activity(self) -> None:
        self.playback_control.next_activity()

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

    def action_metric(self) -> None:
        self.query_one(GridPanel).next_metric()

    def action_edit(self) -> None:
        self._show(1)
        self.query_one(PolicyPanel).focus()

    def action_filter(self) -> None:
        self._show(2)
        entry = self.query_one("#filter", Input)
        entry.display = True
        entry.focus()

    def action_page(self) -> None:
        self._show((self._page + 1) % PAGES)

    def _show(self, page: int) -> None:
        """Choose the page that a small terminal shows; a large one shows all."""
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
        """Close the filter and show the whole log."""
        entry = self.query_one("#filter", Input)
        entry.value = ""
        entry.display = False
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
            self.refuse(CANNOT_SAVE)
            return
        if self.in_browser:
            try:
                self._download("policy.toml", policy_toml(policy))
            except ConfigError as error:
                self.refuse(str(error))
            return
        changes = differences(policy, self.session.table) or ["all settings have their default values"]
        name = str(_free_path("policy-{:03}.toml"))

        def save(path: str | None) -> None:
            if path and self.control.save(Path(path).expanduser()):
                self.notify(f"saved {path}; run it with --policy {path}", markup=False)

        self.push_screen(
            AskScreen("Save the policy as", name, [short_text(policy, self.session.table), "", *changes]), save
        )

    def on_policy_panel_type_requested(self, event: PolicyPanel.TypeRequested) -> None:
        def change(text: str | None) -> None:
            if text is not None:
                event.row.type(text)

        self.push_screen(AskScreen(event.row.name, event.row.text), change)

    def _download(self, name: str, text: str) -> None:
        self.deliver_text(io.StringIO(text), save_filename=name)
        self.notify(f"the browser saves {name}", markup=False)

    def action_picture(self) -> None:
        if self.in_browser:
            self._download("kinestream.svg", self.export_screenshot())
            return
        path = _free_path("kinestream-{:03}.svg")
        self.save_screenshot(str(path))
        self.notify(f"saved {path}", markup=False)

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Return the screen as SVG, without Textual's links to a web font: opening the picture contacts no server."""
        return _WEB_FONT.sub("", super().export_screenshot(title=title, simplify=simplify))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return the command palette's entries: every key and every kind of policy."""
        for key in KEYS:
            if key.tooltip and self.check_action(key.action.partition("(")[0], ()):
                title = key.tooltip[0].upper() + key.tooltip[1:]
                run = partial(self.call_later, self.run_action, key.action)
                yield SystemCommand(title, f"key {key.key_display or key.key}", run)
        for kind in POLICIES:
            yield SystemCommand(f"Policy {kind}", "use this policy", partial(self.control.set_policy, kind))

    def action_help(self) -> None:
        self.push_screen(HelpScreen([(key.key_display or key.key, key.tooltip) for key in KEYS if key.tooltip]))

    def refuse(self, reason: str) -> None:
        """Notify the user why a command is impossible."""
        self.notify(reason, severity="warning", timeout=6, markup=False)


def _free_path(pattern: str) -> Path:
    """Return the first numbered name that is free."""
    number = 1
    while (path := Path(pattern.format(number))).exists():
        number += 1
    return path
