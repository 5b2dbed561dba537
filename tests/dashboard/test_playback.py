"""Keys that act on a recording."""

from __future__ import annotations

import math

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.status import StatusLine

from .screen import SIZE, drawn, settled, text
from .synthetic import SyntheticSession


async def test_space_pauses_and_resumes_a_recording() -> None:
    session = SyntheticSession(3600, pace_s=0.02)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("space")
        assert session.playback is not None
        assert session.playback.paused
        await drawn(pilot)
        assert "‖" in text(app, StatusLine)
        await pilot.press("space")
        assert not session.playback.paused


async def test_plus_and_minus_change_the_speed_up_to_the_maximum() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert session.playback is not None
        await pilot.press("plus", "plus")
        assert session.playback.speed == 5.0
        await pilot.press("minus")
        assert session.playback.speed == 2.0
        await pilot.press(*["plus"] * 10)
        assert session.playback.speed == math.inf
        await drawn(pilot)
        assert "▶ max" in text(app, StatusLine)
        assert "you" in text(app, DecisionPanel)


async def test_playback_keys_are_refused_after_the_recording_ends() -> None:
    session = SyntheticSession(5, hold=False)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert session.playback is not None
        before = session.playback.position_s, session.playback.speed
        await pilot.press("space", "plus", "right", "full_stop")
        assert (session.playback.position_s, session.playback.speed) == before
        assert not session.playback.paused
        assert {note.message for note in app._notifications} == {
            "the recording has ended; restart kinestream to play it again"
        }


async def test_arrows_seek_and_the_full_stop_plays_one_window() -> None:
    session = SyntheticSession(3600, pace_s=0.002)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        await pilot.press("space")
        playback = session.playback
        assert playback is not None
        playback.position_s = 100.0
        await pilot.press("right", "right", "shift+right", "left")
        assert playback.position_s == 170.0
        await pilot.press("shift+left", "shift+left", "shift+left")
        assert playback.position_s == 0.0
        for _ in range(3):
            samples = session.counts()["samples"]
            await pilot.press("full_stop")
            while not playback.paused:
                await pilot.pause(0.01)
            assert session.counts()["samples"] - samples in (65, 70), "one hop of 64 in chunks of 5"
