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

OWN = "open('ran', 'w')\ndef decide(state, table):\n    return table.front[0].subnet\n"


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


@pytest.mark.parametrize(
    "text",
    ["own.py", "/tmp/own.py:n=1", "fixed+own.py", "own.py=1", "own.py ", "x:y=own.py", "own.toml", "fixed+own.toml",
     "~/own.toml"],
)  # fmt: skip
def test_a_page_in_a_browser_names_no_files(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own.py", "own.toml"):
        (tmp_path / name).write_text(OWN if name.endswith("py") else 'kind = "fixed"\n')
    session, refused = SyntheticSession(), []
    control = Control(session, DashboardState(), refused.append, in_browser=True)
    control.set_policy(text)
    assert session.policy_text == "battery:hours=6"
    assert len(refused) == 1
    control.set_policy("slowdown+battery:hours=8")
    assert session.policy_text == "slowdown+battery:hours=8"
    assert not (tmp_path / "ran").exists()


def test_the_policy_file_of_the_command_line_remains_in_a_browser(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("def decide(state, table, n=1):\n    return table.front[0].subnet\n")
    session, refused = SyntheticSession(), []
    session.policy_text = f"{own}:n=2"
    control = Control(session, DashboardState(), refused.append, in_browser=True)
    for policy in ("fixed", f"{own}:n=3", f"{own}+deadline=5"):
        control.set_policy(policy)
        assert session.policy_text == policy
    assert refused == []


@pytest.mark.parametrize("in_browser", [False, True])
def test_a_policy_file_that_a_recording_names_is_not_run(
    in_browser: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    session = SyntheticSession()
    session.repeats, session.policy_text = True, "own.py+deadline=20"
    control = Control(session, DashboardState(), lambda reason: None, in_browser=in_browser)
    assert control.policy is None
    control.change_hop(1)
    control.change_limit(1)
    assert not (tmp_path / "ran").exists()
