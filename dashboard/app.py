"""The terminal dashboard: draws the newest state ten times a second and sends a person's commands back."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer
from textual.worker import Worker, WorkerCancelled

from kinestream.errors import ConfigError, KinestreamError

from . import commands, theme
from .battery import BatteryPanel
from .decisions import DecisionPanel
from .grid import GridPanel
from .help import HelpScreen
from .latency import LatencyPanel
from .panel import Panel
from .prediction import PredictionPanel
from .state import DashboardState
from .status import StatusLine, speed_text
from .trace import TracePanel

if TYPE_CHECKING:
    from .contract import SessionLike

REFRESH_HZ = 10.0
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class DashboardApp(App[None]):
    """Runs the session inside Textual's event loop; ``failure`` keeps the error that ended it, if one did."""

    TITLE = "kinestream"
    CSS_PATH = Path(__file__).with_name("dashboard.tcss")
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (150, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall"), (50, "-high")]  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012
        Binding("space", "pause", "pause", tooltip="pause a recording; freeze the picture of a live stream"),
        Binding("plus,equals_sign", "speed(1)", "speed", key_display="+/-", tooltip="play faster or slower"),
        Binding("minus", "speed(-1)", show=False),
        Binding("p", "policy", "policy", tooltip="decide by the next policy"),
        Binding("d", "deadline(-1)", "deadline", key_display="d/D", tooltip="deadline shorter or longer"),
        Binding("D", "deadline(1)", show=False),
        Binding("b", "battery(-1)", "battery", key_display="b/B", tooltip="simulated battery down or up"),
        Binding("B", "battery(1)", show=False),
        Binding("t", "sensor", show=False, tooltip="show the traces of the next sensor"),
        Binding("n", "stream", show=False, tooltip="show the next stream"),
        Binding("s", "picture", "picture", tooltip="save a screenshot as SVG in the current folder"),
        Binding("question_mark", "help", "help", key_display="?", tooltip="this page"),
        Binding("q", "quit", "quit", tooltip="stop, and print the summary"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, session: SessionLike) -> None:
        super().__init__()
        self.session = session
        self.state = DashboardState()
        self.failure: KinestreamError | None = None
        self._policies = commands.policies(session.policy_text)
        self.ended = False
        """The session has ended: the source has, or it was told to stop."""
        self._frozen = False
        self._battery_asked: tuple[int, float] = (-1, 1.0)
        self._session_worker: Worker[None] | None = None
        self.register_theme(theme.THEME)
        self.theme = theme.THEME.name

    def compose(self) -> ComposeResult:
        yield StatusLine(self.session, self.state)
        with Horizontal(id="live"):
            yield TracePanel(self.session, self.state)
            yield PredictionPanel(self.session, self.state)
        with Horizontal(id="budget"):
            yield GridPanel(self.session, self.state)
            with Vertical(id="cost"):
                yield LatencyPanel(self.session, self.state)
                yield BatteryPanel(self.session, self.state)
        yield DecisionPanel(self.session, self.state)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        # A polite kill must leave the terminal as it was. Windows has no such handlers, nor has a thread.
        with suppress(NotImplementedError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.call_later, self.action_quit)
        self.session.subscribe(self.state.on_chunk, self.state.on_prediction)
        self._session_worker = self.run_worker(self._run(), exit_on_error=True)
        self.set_interval(1 / REFRESH_HZ, self.tick)

    async def _run(self) -> None:
        try:
            await self.session.run()
        except KinestreamError as error:
            self.failure = error
            self.exit()
        self.ended = True
        self.query_one(StatusLine).phase = "ended"

    def tick(self) -> None:
        """Draw what has changed."""
        if self._frozen:
            self.query_one(StatusLine).tick()
            return
        for panel in self.query(Panel):
            panel.tick()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing for this session are not offered."""
        if action == "stream":
            return len(self.state.streams) > 1
        if action == "speed":
            return self.session.playback is not None
        return True

    def action_pause(self) -> None:
        playback = self.session.playback
        if playback is not None:
            playback.paused = not playback.paused
            return
        self._frozen = not self._frozen
        status = self.query_one(StatusLine)
        if not self.ended:
            status.phase = "frozen" if self._frozen else "running"

    def action_speed(self, step: int) -> None:
        playback = self.session.playback
        if playback is not None:
            playback.speed = commands.stepped(commands.SPEEDS, playback.speed, step)
            self._note(f"speed {speed_text(playback.speed)}")

    def action_policy(self) -> None:
        now = self.session.policy_text
        place = self._policies.index(now) + 1 if now in self._policies else 0
        text = self._policies[place % len(self._policies)]
        try:
            self.session.set_policy(text)
        except ConfigError as error:
            self._refuse(error)
        else:
            self._note(f"policy {text}")

    def action_deadline(self, step: int) -> None:
        deadline_ms = commands.next_deadline_ms(self.session.deadline_ms, step, self.session.table)
        self.session.set_deadline(deadline_ms)
        self._note("no deadline" if deadline_ms is None else f"deadline {deadline_ms:g} ms")

    def action_battery(self, step: int) -> None:
        stream = self.state.stream
        told = stream.prediction.battery_frac if stream and stream.prediction else None
        windows = stream.prediction_count if stream else 0
        asked_at, asked = self._battery_asked
        # Until the next window tells the charge, a second press goes on from what the first one asked for.
        frac = commands.next_battery_frac(asked if told is None or asked_at == windows else told, step)
        try:
            self.session.set_battery(frac)
        except ConfigError as error:
            self._refuse(error)
        else:
            self._battery_asked = (windows, frac)
            self._note(f"battery {frac:.0%}")

    def action_sensor(self) -> None:
        self.query_one(TracePanel).next_sensor()

    def action_stream(self) -> None:
        self.state.show_next()

    def action_picture(self) -> None:
        number = 1
        while (path := Path(f"kinestream-{number:03}.svg")).exists():
            number += 1
        self.save_screenshot(str(path))
        self.notify(f"saved {path}")

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG, without Textual's links to a font on the web: looking at a picture calls nobody."""
        return _WEB_FONT.sub("", super().export_screenshot(title=title, simplify=simplify))

    def action_help(self) -> None:
        shown = [binding for binding in self.BINDINGS if isinstance(binding, Binding) and binding.tooltip]
        self.push_screen(HelpScreen([(binding.key_display or binding.key, binding.tooltip) for binding in shown]))

    async def action_quit(self) -> None:
        self.session.stop()
        if self._session_worker is not None:
            with suppress(WorkerCancelled):
                await self._session_worker.wait()
        self.exit()

    def _note(self, text: str) -> None:
        if self.state.stream is not None:
            self.state.stream.note(text)

    def _refuse(self, error: ConfigError) -> None:
        self.notify(str(error), severity="warning", timeout=6)


def run_dashboard(session: SessionLike) -> Mapping[str, object]:
    """Show a session in the terminal until it is quit, and return its summary.

    Raises:
        KinestreamError: what the session itself raised.
    """
    app = DashboardApp(session)
    app.run()
    if app.failure is not None:
        raise app.failure
    return session.summary()
