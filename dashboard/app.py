"""The terminal dashboard: draws the newest state ten times a second and sends a person's commands back."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Footer, Input
from textual.worker import Worker, WorkerCancelled

from kinestream.errors import KinestreamError
from kinestream.policy import POLICIES

from . import plain, theme
from .alarm_bar import AlarmBar
from .alarms import Watch, alarms
from .ask import AskScreen
from .battery import BatteryPanel
from .control import Control
from .decisions import DecisionPanel
from .grid import GridPanel
from .help import HelpScreen
from .keys import KEYS
from .latency import LatencyPanel
from .link import LinkPanel
from .notices import NoticeScreen
from .panel import Panel
from .policy_panel import PolicyPanel
from .policy_settings import differences, short_text
from .prediction import PredictionPanel
from .replay import Replay
from .ribbon import RibbonPanel
from .state import ALARM, NOTE, DashboardState
from .status import StatusLine
from .streams import StreamScreen
from .trace import TracePanel

if TYPE_CHECKING:
    from kinestream.signals import SampleChunk

    from .contract import SessionLike

REFRESH_HZ = 10.0
POLL_HZ = 2.0
FRAME_S = 1 / 60
"""Textual puts what changes within this time on the screen at once."""
FRAMES = 5
"""So many fit into the time of a refresh."""
SWITCH_S = 0.0005
"""After so long the thread that draws lets the one that computes go on."""
PAGES = 3
"""A small terminal shows one of these at a time: the subnetworks with their costs; policy and link; the log."""
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class DashboardApp(App[None]):
    """Runs the session inside Textual's event loop; ``failure`` keeps the error that ended it, if one did.

    Args:
        session: not to be run elsewhere.
        ascii: draw with nothing but ASCII characters; also so on terminals that are known to have no others.
    """

    TITLE = "kinestream"
    CSS_PATH = Path(__file__).with_name("dashboard.tcss")
    AUTO_FOCUS = None  # the arrow keys seek until a person goes into a panel
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (150, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall"), (50, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    def __init__(self, session: SessionLike, *, ascii: bool = False) -> None:
        super().__init__()
        self.session = session
        self.state = DashboardState()
        self.control = Control(session, self.state, self._refuse)
        self.replay = Replay(session, self.state)
        self.failure: KinestreamError | None = None
        self.ended = False
        """The session has ended: the source has, or it was told to stop."""
        self._ascii = ascii or plain.wanted()
        self._frozen = False
        self._page = 0
        self._turn = 0
        self._watch = Watch()
        self._dropped = 0
        self._session_worker: Worker[None] | None = None
        self.register_theme(theme.THEME)
        self.theme = theme.THEME.name

    def compose(self) -> ComposeResult:
        both = self.session, self.state
        yield StatusLine(*both)
        yield AlarmBar(*both)
        with Horizontal(id="live"):
            yield TracePanel(*both)
            yield PredictionPanel(*both)
        yield RibbonPanel(*both)
        with Horizontal(id="budget"):
            yield GridPanel(*both, control=self.control)
            with Vertical(id="cost"):
                yield LatencyPanel(*both)
                yield BatteryPanel(*both)
        with Horizontal(id="talk"):
            with Vertical(id="log"):
                yield DecisionPanel(*both)
                yield Input(placeholder="words that a line must have; enter keeps them, esc shows all", id="filter")
            yield PolicyPanel(*both, control=self.control)
            yield LinkPanel(*both)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        # A polite kill must leave the terminal as it was. Windows has no such handlers, nor has a thread.
        with suppress(NotImplementedError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.call_later, self.action_quit)
        self.session.subscribe(self._on_chunk, self.state.on_prediction)
        self._session_worker = self.run_worker(self._run(), exit_on_error=True)
        # Drawing is one long stretch of Python: without this, the network's thread would wait 5 ms each time it asks.
        sys.setswitchinterval(SWITCH_S)
        self.set_interval(1 / REFRESH_HZ, self._draw_by_and_by)
        self.set_interval(1 / POLL_HZ, self.poll)

    def on_ready(self) -> None:
        # What is there now stays. Looking through it for garbage again and again stops everything for 50 ms each time.
        gc.collect()
        gc.freeze()

    def on_unmount(self) -> None:
        gc.unfreeze()

    async def _run(self) -> None:
        try:
            await self.session.run()
        except KinestreamError as error:
            self.failure = error
            self.exit()
        self.ended = True
        self.query_one(StatusLine).phase = "ended"

    def _on_chunk(self, chunk: SampleChunk) -> None:
        self.state.on_chunk(chunk)
        self.replay.on_chunk(chunk)

    def tick(self) -> None:
        """Draw all that has changed."""
        for panel in self._panels():
            panel.tick()

    async def _draw_by_and_by(self) -> None:
        """The same, but each panel in a frame of its own: samples that arrive wait for one panel, not for all.

        The traces change every time; the others take turns where more change than there are frames.
        """
        panels = self._panels()
        turn = self._turn % max(1, len(panels))
        drawn = 0
        for panel in sorted(panels[turn:] + panels[:turn], key=lambda panel: not isinstance(panel, TracePanel)):
            if drawn == FRAMES:
                return
            if panel.is_attached and panel.tick():
                self._turn = panels.index(panel) + 1
                drawn += 1
                await asyncio.sleep(FRAME_S)

    def _panels(self) -> list[Panel]:
        if not self.screen_stack:  # the application is ending
            return []
        return list(self.screen_stack[0].query(StatusLine if self._frozen else Panel))

    def poll(self) -> None:
        """Ask the session for what it does not tell by itself, and tell what is new of it."""
        now_s, dropped = time.monotonic(), self.session.counts().get("dropped", 0)
        wrong = self.session.failures() if self.ended else self._wrong(dropped, now_s)
        self._dropped = dropped
        for alarm in self._watch.new_alarms(wrong, now_s):
            self._tell(alarm, ALARM)
            self.notify(alarm, severity="error", timeout=8)
        for notice in self._watch.new_notices(self.session.notices(), now_s):
            if notice not in wrong:
                self._tell(notice, NOTE)
                self.notify(notice, timeout=8)
        self.state.alarms = tuple(wrong)
        self.state.polls += 1

    def _wrong(self, dropped: int, now_s: float) -> list[str]:
        return alarms(self.session, self.state, dropped - self._dropped, now_s)

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return [*filters, plain.Plain()] if self._ascii else filters

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
        self._frozen = not self._frozen
        status = self.query_one(StatusLine)
        if not self.ended:
            status.phase = "frozen" if self._frozen else "running"

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
            self._refuse("this policy cannot be saved: its text does not make it again")
            return
        changes = differences(policy, self.session.table) or ["all settings are as they are by default"]
        name = str(_unused("policy-{:03}.toml"))

        def save(path: str | None) -> None:
            if path and self.control.save(Path(path).expanduser()):
                self.notify(f"saved {path}; run it with --policy {path}")

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
        self.notify(f"saved {path}")

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

    async def action_quit(self) -> None:
        self.session.stop()
        if self._session_worker is not None:
            with suppress(WorkerCancelled):
                await self._session_worker.wait()
        self.exit()

    def _tell(self, text: str, who: str) -> None:
        if self.state.stream is not None:
            self.state.stream.note(text, who)

    def _refuse(self, why: str) -> None:
        self.notify(why, severity="warning", timeout=6)


def _unused(pattern: str) -> Path:
    """The first numbered name that no file has."""
    number = 1
    while (path := Path(pattern.format(number))).exists():
        number += 1
    return path


def run_dashboard(session: SessionLike, *, ascii: bool = False) -> Mapping[str, object]:
    """Show a session in the terminal until it is quit, and return its summary.

    Raises:
        KinestreamError: what the session itself raised.
    """
    app = DashboardApp(session, ascii=ascii)
    app.run()
    if app.failure is not None:
        raise app.failure
    return session.summary()
