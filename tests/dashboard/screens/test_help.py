"""The help page."""

from __future__ import annotations

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.screens.help import HelpScreen

from ..screen import SIZE, settled
from ..synthetic import SyntheticSession


async def test_the_help_lists_every_key_and_closes_again() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        page = str(app.screen.query_one("#help").render())
        for key in ("space", "+/-", "p", "d/D", "h/H", "b/B", "t", "n", "s", "?", "q"):
            assert any(line.split()[:1] == [key] for line in page.splitlines()), key
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)
