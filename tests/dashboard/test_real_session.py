"""The dashboard on a real session with wearer, windowing, network, policy and battery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from kinestream.dashboard import DashboardApp, SessionLike
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.grid import GridPanel
from kinestream.dashboard.panels.prediction import PredictionPanel
from kinestream.dashboard.panels.status import StatusLine
from kinestream.dashboard.panels.trace import TracePanel
from kinestream.run.session import Session

from .screen import SIZE, drawn, text

MakeSession = Callable[[str], Session]
WEARER = "wearer://?seed=1&speed=10"


async def windows(pilot: Pilot[None], session: Session, at_least: int = 1) -> None:
    """Wait until so many more windows are predicted and drawn."""
    goal = session.summary()["predictions"] + at_least

    async def wait() -> None:
        while session.summary()["predictions"] < goal:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 20)
    await drawn(pilot)


def test_a_session_implements_the_dashboards_interface(make_session: MakeSession) -> None:
    session: SessionLike = make_session(WEARER)
    assert session.playback is not None


async def test_every_panel_shows_the_wearer(make_session: MakeSession) -> None:
    session = make_session(WEARER)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await windows(pilot, session, 20)
        await pilot.press("space")
        await drawn(pilot)
        stream = app.state.stream
        assert stream is not None
        assert stream.prediction is not None
        assert stream.accuracy is not None
        assert any(0x2800 < ord(character) < 0x2900 for character in text(app, TracePanel))
        assert f"{WEARER} → tiny → battery:hours=1   ‖ 10×" in text(app, StatusLine)
        assert f"{stream.accuracy:.1%} of the last" in text(app, PredictionPanel)
        assert str(stream.prediction.decision.subnet) in text(app, GridPanel)
        assert f"{stream.prediction.battery_frac:.1%}" in text(app, BatteryPanel)
        assert stream.log[-1].text.split(";")[0] in " ".join(text(app, DecisionPanel).split())
        await pilot.press("q")
        await pilot.pause()
    assert session.summary()["predictions"] == stream.prediction_count


async def test_keys_reach_the_player_the_policy_the_deadline_and_the_battery(make_session: MakeSession) -> None:
    session = make_session(WEARER)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await windows(pilot, session)
        assert session.playback is not None
        await pilot.press("minus", "minus")
        assert session.playback.speed == 2.0
        await pilot.press("p")
        assert (session.policy_text, session.pipeline.policy.kind) == ("fixed", "fixed")
        await pilot.press("d")
        assert session.pipeline.deadline_ms == 3.0
        await pilot.press("b", "b")
        reading = session.pipeline.battery.read(0.0) if session.pipeline.battery else None
        assert reading is not None
        assert reading.frac == pytest.approx(0.9, abs=0.01)
        await windows(pilot, session)
        stream = app.state.stream
        assert stream is not None
        assert stream.prediction is not None
        assert 0.8 < (stream.prediction.battery_frac or 0.0) < 0.91
        await pilot.press("space")
        await asyncio.sleep(0.2)
        samples = session.counts()["samples"]
        await asyncio.sleep(0.2)
        assert session.counts()["samples"] == samples, "paused"
        await pilot.press("space")
        await windows(pilot, session)


async def test_the_status_line_counts_lost_packets(make_session: MakeSession) -> None:
    session = make_session("wearer://?seed=1&speed=100&loss=0.1&duration=30")
    app = DashboardApp(session)
    async with app.run_test(size=(160, 40)) as pilot:
        while not app.ended:
            await asyncio.sleep(0.02)
        await drawn(pilot)
        lost = session.counts()["lost"]
        assert lost > 0
        assert f"lost {lost}" in text(app, StatusLine)
        assert "ended" in text(app, StatusLine)


async def test_every_wearer_is_a_separate_stream(make_session: MakeSession) -> None:
    session = make_session("wearer://?seed=1&people=2&speed=10")
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await windows(pilot, session, 8)
        first = app.state.shown
        await pilot.press("n")
        await drawn(pilot)
        assert app.state.shown != first
        assert f"[{app.state.shown}]" in text(app, StatusLine)
