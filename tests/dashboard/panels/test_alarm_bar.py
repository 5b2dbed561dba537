"""The red lines of current faults."""

from __future__ import annotations

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.alarm_bar import AlarmBar
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.screens.notices import NoticeScreen

from ..screen import SIZE, polled, settled, text
from ..synthetic import SyntheticSession


async def test_a_failure_shows_a_bar_and_a_line_in_the_log() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await polled(pilot)
        assert not app.query_one(AlarmBar).display
        session.failure_lines = ["RECORDING ENDED: no space left on the disk"]
        await polled(pilot)
        assert app.query_one(AlarmBar).display
        assert "! RECORDING ENDED: no space left on the disk" in text(app, AlarmBar)
        assert "alarm" in text(app, DecisionPanel)
        assert [note.severity for note in app._notifications] == ["error"]
        await polled(pilot)
        assert len(app._notifications) == 1, "announced once"
        await pilot.press("i")
        assert isinstance(app.screen, NoticeScreen)
        assert "RECORDING ENDED" in str(app.screen.query_one("Static").render())
        session.failure_lines = []
        await polled(pilot)
        assert not app.query_one(AlarmBar).display
