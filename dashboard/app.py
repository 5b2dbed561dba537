"""The terminal dashboard: draws the newest state ten times a second and passes on the user's commands."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.filter import LineFilter
from textual.widgets import Footer, Input
from textual.worker import Worker, WorkerCancelled

from kinestream.core.errors import KinestreamError

from .actions import KeyedApp
from .drawing import theme
from .drawing.ascii import AsciiFilter, is_ascii_terminal
from .drawing.harmless import HarmlessFilter
from .model.alarms import AlarmWatch, alarms
from .model.state import ALARM, NOTE
from .panels.alarm_bar import AlarmBar
from .panels.battery import BatteryPanel
from .panels.decisions import DecisionPanel
from .panels.grid import GridPanel
from .panels.latency import LatencyPanel
from .panels.link import LinkPanel
from .panels.panel import Panel
from .panels.policy_panel import PolicyPanel
from .panels.prediction import PredictionPanel
from .panels.ribbon import RibbonPanel
from .panels.status import StatusLine
from .panels.trace import TracePanel
from .refresh import Refresh

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from kinestream.core.signals import SampleChunk

    from .model.session_like import SessionLike

REFRESH_HZ = 10.0
POLL_HZ = 2.0
SWITCH_S = 0.0005
"""Python's thread switch interval: the drawing thread yields to the computing thread after this time."""


class DashboardApp(KeyedApp):
    """Runs the session inside Textual's event loop; ``failure`` holds the error that ended it, if any.

    Args:
        session: must not run elsewhere.
        ascii: draw only ASCII characters; always so on terminals that are known to show no others.
        in_browser: a page in a browser shows it.
    """

    TITLE = "kinestream"
    CSS_PATH = Path(__file__).with_name("dashboard.tcss")
    AUTO_FOCUS = None  # the arrow keys seek until the user focuses a panel
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (150, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall"), (50, "-high")]  # noqa: RUF012

    def __init__(self, session: SessionLike, *, ascii: bool = False, in_browser: bool = False) -> None:
        super().__init__(session, in_browser=in_browser)
        self.failure: KinestreamError | None = None
        self._ascii = ascii or is_ascii_terminal()
        self._harmless = HarmlessFilter()
        self._refresh = Refresh((), self._is_drawn)
        self._watch = AlarmWatch()
        self._dropped = 0
        self._session_worker: Worker[None] | None = None
        self.register_theme(theme.THEME)
        self.theme = theme.THEME.name

    def compose(self) -> ComposeResult:
        data = self.session, self.state
        yield StatusLine(*data)
        yield AlarmBar(*data)
        with Horizontal(id="live"):
            yield TracePanel(*data)
            yield PredictionPanel(*data)
        yield RibbonPanel(*data)
        with Horizontal(id="budget"):
            yield GridPanel(*data, control=self.control)
            with Vertical(id="cost"):
                yield LatencyPanel(*data)
                yield BatteryPanel(*data)
        with Horizontal(id="talk"):
            with Vertical(id="log"):
                yield DecisionPanel(*data)
                yield Input(placeholder="words to find; enter keeps the filter, esc clears it", id="filter")
            yield PolicyPanel(*data, control=self.control)
            yield LinkPanel(*data)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        # SIGTERM must leave the terminal clean. Windows and threads have no such handlers.
        with suppress(NotImplementedError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.call_later, self.action_quit)
        self.session.subscribe(self._on_chunk, self.state.on_prediction)
        self._session_worker = self.run_worker(self._run(), exit_on_error=True)
        # Drawing is one long stretch of Python: by default the network's thread would wait 5 ms for each switch.
        sys.setswitchinterval(SWITCH_S)
        self._refresh = Refresh(list(self.query(Panel)), self._is_drawn)
        self.set_interval(1 / REFRESH_HZ, self._refresh.draw_in_turn)
        self.set_interval(1 / POLL_HZ, self.poll)

    def on_ready(self) -> None:
        # The present objects stay; each garbage collection over them would stop everything for 50 ms.
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
        self.playback_control.end()
        self.query_one(StatusLine).phase = "ended"

    def _on_chunk(self, chunk: SampleChunk) -> None:
        self.state.on_chunk(chunk)
        self.playback_control.on_chunk(chunk)

    def tick(self) -> None:
        """Draw everything that has changed."""
        self._refresh.draw_all()

    def _is_drawn(self, panel: Panel) -> bool:
        return panel.is_attached and (not self.frozen or isinstance(panel, StatusLine))

    def poll(self) -> None:
        """Read the session's figures, counts, failures and notices, and announce the new ones."""
        self.state.on_figures(self.session.figures())
        now_s, dropped = time.monotonic(), self.session.counts().get("dropped", 0)
        current = self.session.failures() if self.ended else self._alarms(dropped)
        self._dropped = dropped
        for alarm in self._watch.new_alarms(current, now_s):
            self._write_log(alarm, ALARM)
            self.notify(alarm, severity="error", timeout=8, markup=False)
        for notice in self._watch.new_notices(self.session.notices(), now_s):
            if notice not in current:
                self._write_log(notice, NOTE)
                self.notify(notice, timeout=8, markup=False)
        self.state.alarms = tuple(current)
        self.state.polls += 1

    def _alarms(self, dropped: int) -> list[str]:
        return alarms(self.session, self.state, dropped - self._dropped)

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = [*super().get_line_filters(), self._harmless]
        return [*filters, AsciiFilter()] if self._ascii else filters

    async def action_quit(self) -> None:
        self.session.stop()
        if self._session_worker is not None:
            with suppress(WorkerCancelled):
                await self._session_worker.wait()
        self.exit()

    def _write_log(self, text: str, origin: str) -> None:
        if self.state.stream is not None:
            self.state.stream.note(text, origin)


def run_dashboard(
    session: SessionLike, *, ascii: bool = False, in_browser: bool = False, loop: AbstractEventLoop | None = None
) -> Mapping[str, object]:
    """Show a session in the terminal until the user quits, and return its summary.

    Args:
        ascii: draw in ASCII only.
        in_browser: a page in a browser shows it; see ``KeyedApp``.
        loop: the event loop of a source that has begun; None: a new one.

    Raises:
        KinestreamError: raised by the session.
    """
    app = DashboardApp(session, ascii=ascii, in_browser=in_browser)
    app.run(loop=loop)
    if app.failure is not None:
        raise app.failure
    return session.summary()
