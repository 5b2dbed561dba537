"""The decision log and its filter."""

from __future__ import annotations

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.decisions import DecisionPanel

from ..screen import SIZE, drawn, settled, text
from ..synthetic import SyntheticSession


async def test_the_filter_shows_only_lines_with_its_words() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("d", "slash", *"you DEADLINE")
        await drawn(pilot)
        assert [line.split()[1:] for line in text(app, DecisionPanel).splitlines() if line] == [
            ["you", "deadline", "0.3", "ms"]
        ]
        await pilot.press("enter", "p")
        assert session.policy_text != "battery:hours=6", "keys are commands again"
        await drawn(pilot)
        assert len([line for line in text(app, DecisionPanel).splitlines() if line]) == 1
        await pilot.press("escape")
        await drawn(pilot)
        assert len([line for line in text(app, DecisionPanel).splitlines() if line]) > 1


async def test_brackets_in_the_filter_are_ordinary_text() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("slash", *"[/")
        await drawn(pilot)
        assert "[/'" in str(app.query_one(DecisionPanel).border_title)
        assert "no matching lines" in text(app, DecisionPanel)


async def test_the_newest_line_of_a_narrow_log_wraps_below_its_time() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=(100, 40)) as pilot:
        app = await settled(pilot, session)
        stream = app.state.stream
        assert stream is not None
        shown = " ".join(text(app, DecisionPanel).split())
        assert stream.log[-1].text in shown
