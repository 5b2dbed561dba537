"""The whole dashboard on a synthetic session."""

from __future__ import annotations

import asyncio

import pytest

from kinestream.core.errors import SourceLost
from kinestream.dashboard import DashboardApp, SessionLike
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.grid import GridPanel
from kinestream.dashboard.panels.latency import LatencyPanel
from kinestream.dashboard.panels.prediction import PredictionPanel
from kinestream.dashboard.panels.status import StatusLine
from kinestream.dashboard.panels.trace import TracePanel

from .screen import SIZE, drawn, settled, text
from .synthetic import SyntheticSession


def test_the_synthetic_session_implements_the_dashboards_interface() -> None:
    session: SessionLike = SyntheticSession()
    assert session.policy_text == "battery:hours=6"


async def test_every_panel_shows_the_newest_values() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        stream = app.state.stream
        assert stream is not None
        newest = stream.prediction
        assert newest is not None
        assert "synthetic → uci_cnn → battery:hours=6" in text(app, StatusLine)
        assert "lost 240" in text(app, StatusLine)
        assert "gaps 4" in text(app, StatusLine)
        assert "truth walking downstairs" in text(app, PredictionPanel)
        assert "78%" in text(app, PredictionPanel)
        assert f"{stream.accuracy:.1%} of the last {newest.index + 1}" in text(app, PredictionPanel)
        assert f"◆ {newest.decision.subnet}" in text(app, GridPanel)
        assert f"{newest.latency_ms:.3f} ms" in text(app, LatencyPanel)
        assert "deadline 0.5 ms" in text(app, LatencyPanel)
        assert f"{newest.battery_frac:.1%}" in text(app, BatteryPanel)
        assert text(app, DecisionPanel).splitlines()[0].split()[1] == str(newest.decision.subnet)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quitting_stops_the_session_first(key: str) -> None:
    session = SyntheticSession(3600, pace_s=0.02)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await drawn(pilot)
        await pilot.press(key)
        await pilot.pause()
    assert app.ended
    assert session.summary()["summary"] is True
    assert not session.played.is_set()


async def test_the_dashboard_stays_open_after_the_source_ends() -> None:
    session = SyntheticSession(5, hold=False)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert app.ended
        assert "ended" in text(app, StatusLine)
        assert app.is_running


async def test_a_source_error_closes_the_dashboard_and_is_kept() -> None:
    session = SyntheticSession(5)
    session.failure = SourceLost("the sensor went away and did not come back within 30 s")
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.wait_for(session.played.wait(), 20)
        await pilot.pause()
    assert app.failure is session.failure


async def test_panels_show_what_they_wait_for_before_the_first_sample() -> None:
    session = SyntheticSession(0)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert "waiting for samples" in text(app, TracePanel)
        assert "waiting for the first window" in text(app, PredictionPanel)
        assert "nothing lost" in text(app, StatusLine)
        await pilot.press("p", "d", "b", "t", "n", "plus", "space")
        await drawn(pilot)


async def test_ascii_mode_draws_only_ascii_characters() -> None:
    session = SyntheticSession(30)
    async with DashboardApp(session, ascii=True).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("d")
        shown = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert shown.isascii()
        assert "Acceleration m/s2" in shown


async def test_without_colour_everything_is_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    session = SyntheticSession(30)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        colours = {
            colour.triplet
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour and colour.triplet
        }
        assert len(colours) > 5, "the grid is still shaded"
        assert all(len(set(triplet)) == 1 for triplet in colours)
