"""The policy's settings, changed by keys and mouse."""

from __future__ import annotations

from textual.widgets import Input

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.policy_panel import PolicyPanel

from ..screen import SIZE, settled
from ..synthetic import SyntheticSession


async def test_the_arrow_keys_change_the_policys_settings() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("e", "down", "down", "down", "left")
        assert session.policy_text == "battery:hours=5"
        await pilot.press("down", "right", "right")
        assert session.policy_text == "battery:hours=5,leave=0.1"
        await pilot.press("left", "left", "left")
        assert session.policy_text == "battery:hours=5,leave=0", "a charge below 0 is refused"
        assert any("leave=-0.05" in note.message for note in app._notifications)
        await pilot.press("up", "up", "left")
        assert session.deadline_ms == 0.3
        await pilot.press("up", "right")
        assert session.policy_text == "battery:hours=5,leave=0+slowdown"
        await pilot.press("up", "right")
        assert session.policy_text.partition(":")[0] != "battery"


async def test_a_value_can_be_typed() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("e", "down", "down", "down", "enter")
        app.screen.query_one(Input).value = "7.25"
        await pilot.press("enter")
        assert session.policy_text == "battery:hours=7.25"
        await pilot.press("enter")
        app.screen.query_one(Input).value = "soon"
        await pilot.press("enter")
        assert session.policy_text == "battery:hours=7.25"
        assert any("soon" in note.message for note in app._notifications)


async def test_the_first_click_on_a_row_chooses_it_and_the_second_changes_it() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.click(PolicyPanel, offset=(4, 4))
        assert session.policy_text == "battery:hours=6"
        await pilot.click(PolicyPanel, offset=(4, 4))
        assert session.policy_text == "battery:hours=5"
        await pilot.click(PolicyPanel, offset=(26, 4))
        assert session.policy_text == "battery:hours=6"
