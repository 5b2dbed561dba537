"""Keys that change the policy, the deadline and the battery."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.model.control import Control
from kinestream.dashboard.model.state import DashboardState
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.latency import LatencyPanel
from kinestream.policy import POLICIES, write_policy

from ..screen import SIZE, drawn, settled, text
from ..synthetic import SyntheticSession


async def test_p_cycles_through_the_policies() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        policies = []
        while not policies or policies[-1] != "battery:hours=6":
            await pilot.press("p")
            policies.append(session.policy_text)
        assert policies == [*(kind for kind in POLICIES if kind != "battery"), "battery:hours=6"]
        await drawn(pilot)
        assert "policy battery:hours=6" in text(app, DecisionPanel)


async def test_d_shortens_the_deadline_and_shift_d_lengthens_it() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.press("d")
        assert session.deadline_ms == 0.3
        await drawn(pilot)
        assert "deadline 0.3 ms" in text(app, LatencyPanel)
        await pilot.press("D", "D")
        assert session.deadline_ms == 0.7
        await pilot.press(*["D"] * 30)
        assert session.deadline_ms is None
        await drawn(pilot)
        assert "no deadline" in text(app, LatencyPanel)


async def test_b_lowers_the_simulated_battery_and_shift_b_raises_it() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert session.battery_frac == pytest.approx(0.8, abs=0.01)
        await pilot.press("b", "b", "b")
        assert session.battery_frac == pytest.approx(0.65)
        await pilot.press("B")
        assert session.battery_frac == pytest.approx(0.7)


async def test_setting_a_real_battery_is_refused_and_changes_nothing() -> None:
    session = SyntheticSession(5, live=True)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.press("b")
        await pilot.pause()
        assert "the battery is the laptop's own and cannot be set; start with --battery simulated" in [
            note.message for note in app._notifications
        ]
        assert "you" not in text(app, DecisionPanel)
        assert "battery unknown" in text(app, BatteryPanel)


async def test_h_predicts_fewer_windows_and_shift_h_more() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.press("h", "h")
        assert session.policy_text == "battery:hours=6+hop:hop=3"
        await pilot.press("H", "H", "H")
        assert session.policy_text == "battery:hours=6+hop:hop=1", "every window is the minimum"
        session.set_policy("battery:hours=6+persistence")
        await pilot.press("h", "h")
        assert session.policy_text == "battery:hours=6+persistence:hop=3", "a part's own hop takes precedence"


def test_a_policy_from_a_file_is_saved_under_its_own_name_with_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "widest.py"
    path.write_text("def decide(state, table):\n    return table.front[-1].subnet\n")
    session = SyntheticSession(5)
    session.set_policy(str(path))
    session.set_deadline(2.0)
    policy = Control(session, DashboardState(), lambda _: None).to_save()
    assert policy is not None
    assert write_policy(policy) == f"{path}+deadline:ms=2.0"
