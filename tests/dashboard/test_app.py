"""The dashboard driven by key presses."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from kinestream.core.errors import SourceLost
from kinestream.core.signals import ACC, SampleChunk
from kinestream.dashboard import DashboardApp, SessionLike
from kinestream.dashboard.drawing.theme import ACCENT, BAD
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.grid import GridPanel
from kinestream.dashboard.panels.latency import LatencyPanel
from kinestream.dashboard.panels.panel import Panel
from kinestream.dashboard.panels.prediction import PredictionPanel
from kinestream.dashboard.panels.status import StatusLine
from kinestream.dashboard.panels.trace import TracePanel
from kinestream.dashboard.refresh import FRAMES, Refresh
from kinestream.dashboard.screens.help import HelpScreen
from kinestream.policy import POLICIES

from .synthetic import SyntheticSession

SIZE = (120, 40)


async def settled(pilot: Pilot[None], session: SyntheticSession) -> None:
    """All there is has been played and drawn."""
    await asyncio.wait_for(session.played.wait(), 20)
    await drawn(pilot)


async def drawn(pilot: Pilot[None]) -> None:
    """The panels show what the state says: nothing comes in between the last drawing and whoever looks next."""
    app = pilot.app
    assert isinstance(app, DashboardApp)
    app.tick()
    await pilot.pause()
    app.tick()


def text(app: DashboardApp, panel: type[Panel]) -> str:
    """What a panel shows, without its frame."""
    shown = app.query_one(panel)
    return "\n".join(shown.render_line(y).text.rstrip() for y in range(shown.content_size.height))


def test_the_synthetic_session_is_what_the_dashboard_asks_for() -> None:
    session: SessionLike = SyntheticSession()
    assert session.policy_text == "battery:hours=6"


async def test_every_panel_shows_the_newest_of_its_kind() -> None:
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


async def test_the_grid_marks_the_front_and_the_subnetwork_that_runs() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        now = app.query_one(GridPanel).now
        rows = {line.split()[0]: line for line in text(app, GridPanel).splitlines()[:9]}
        assert now is not None
        assert [resolution for resolution, line in rows.items() if "◆" in line] == [str(now.resolution)]
        others = [point.subnet for point in session.table.front if point.subnet != now]
        for resolution, line in rows.items():
            assert line.count("▏▕") == sum(subnet.resolution == int(resolution) for subnet in others)


async def test_lost_samples_leave_a_blank_in_the_trace() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        lines = text(app, TracePanel).splitlines()
        width = max(map(len, lines))
        blank = [all(line.ljust(width)[column] == " " for line in lines[:-1]) for column in range(8, width)]
        # 1.2 s of 10 s over the columns beside the scale, and the other columns are all drawn.
        assert sum(blank) == pytest.approx(0.12 * len(blank), abs=2)


async def test_space_pauses_the_recording_and_lets_it_go_on() -> None:
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


async def test_space_freezes_the_picture_of_a_live_stream_that_goes_on() -> None:
    session = SyntheticSession(3600, live=True, pace_s=0.02)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await drawn(pilot)
        assert "● live" in text(app, StatusLine)
        await pilot.press("space")
        before = text(app, DecisionPanel), text(app, TracePanel)
        chunks = session.counts()["samples"]
        await asyncio.sleep(0.1)
        await drawn(pilot)
        assert session.counts()["samples"] > chunks
        assert "frozen" in text(app, StatusLine)
        assert (text(app, DecisionPanel), text(app, TracePanel)) == before
        await pilot.press("space")
        await drawn(pilot)
        assert "● live" in text(app, StatusLine)
        assert text(app, TracePanel) != before[1]


async def test_plus_and_minus_change_the_speed_up_to_as_fast_as_possible() -> None:
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


async def test_p_goes_round_the_policies_and_back_to_the_first() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        seen = []
        while not seen or seen[-1] != "battery:hours=6":
            await pilot.press("p")
            seen.append(session.policy_text)
        assert seen == [*(kind for kind in POLICIES if kind != "battery"), "battery:hours=6"]
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


async def test_the_deadline_is_a_line_in_the_histogram_and_the_late_bars_are_red() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        stream = app.state.stream
        assert stream is not None
        session.set_deadline(float(np.median(list(stream.latencies_ms))))
        await drawn(pilot)
        panel = app.query_one(LatencyPanel)
        rows = [panel.render_line(y) for y in range(2, panel.content_size.height - 1)]
        assert {row.text.index("┊") for row in rows if "┊" in row.text} != set(), "the deadline stands between the bars"
        foot = [(character, segment.style) for segment in rows[-1] for character in segment.text]
        bars = [str(style.color.name) for character, style in foot if character in "▁▂▃▄▅▆▇█" and style and style.color]
        assert {BAD, ACCENT} == set(bars)
        assert bars == sorted(bars, key=lambda colour: colour == BAD), "late ones right of the deadline"
        late = sum(latency_ms > (session.deadline_ms or 0.0) for latency_ms in stream.latencies_ms)
        assert f"{late} of {len(stream.latencies_ms)} late" in text(app, LatencyPanel)


async def test_b_drains_the_simulated_battery_press_by_press() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert session.battery_frac == pytest.approx(0.8, abs=0.01)
        await pilot.press("b", "b", "b")
        assert session.battery_frac == pytest.approx(0.65)
        await pilot.press("B")
        assert session.battery_frac == pytest.approx(0.7)


async def test_a_battery_that_cannot_be_set_says_so_and_nothing_else_happens() -> None:
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
        assert "no battery known" in text(app, BatteryPanel)


async def test_t_shows_the_next_sensor() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        panel = app.query_one(TracePanel)
        assert "Acceleration" in str(panel.border_title)
        await pilot.press("t")
        await drawn(pilot)
        assert "Angular rate" in str(panel.border_title)
        await pilot.press("t")
        await drawn(pilot)
        assert "Acceleration" in str(panel.border_title)


async def test_n_shows_the_next_stream() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        session.play(0, stream="hip")
        session.predict(0, stream="hip")
        await drawn(pilot)
        assert "[left wrist]" in text(app, StatusLine)
        await pilot.press("n")
        await drawn(pilot)
        assert "[hip]" in text(app, StatusLine)
        assert "of the last 1 " in text(app, PredictionPanel)


async def test_s_saves_a_picture_and_never_over_an_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.press("s", "s")
        await pilot.pause()
    saved = sorted(tmp_path.iterdir())
    assert [path.name for path in saved] == ["kinestream-001.svg", "kinestream-002.svg"]
    assert saved[0].read_text().startswith("<svg")


async def test_the_help_names_every_key_and_closes_again() -> None:
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


async def test_the_picture_stays_when_the_source_has_ended() -> None:
    session = SyntheticSession(5, hold=False)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert app.ended
        assert "ended" in text(app, StatusLine)
        assert app.is_running


async def test_the_replay_keys_say_that_a_recording_has_ended() -> None:
    session = SyntheticSession(5, hold=False)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert session.playback is not None
        before = session.playback.position_s, session.playback.speed
        await pilot.press("space", "plus", "right", "full_stop")
        assert (session.playback.position_s, session.playback.speed) == before
        assert not session.playback.paused
        assert {note.message for note in app._notifications} == {"the recording has ended; start it again to play on"}


async def test_an_error_of_the_source_closes_the_dashboard_and_is_kept() -> None:
    session = SyntheticSession(5)
    session.failure = SourceLost("the sensor went away and did not come back within 30 s")
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.wait_for(session.played.wait(), 20)
        await pilot.pause()
    assert app.failure is session.failure


async def test_before_the_first_sample_every_panel_says_what_it_waits_for() -> None:
    session = SyntheticSession(0)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        assert "waiting for samples" in text(app, TracePanel)
        assert "waiting for the first window" in text(app, PredictionPanel)
        assert "nothing lost" in text(app, StatusLine)
        await pilot.press("p", "d", "b", "t", "n", "plus", "space")
        await drawn(pilot)


async def test_nothing_is_drawn_again_while_nothing_changes() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        app.poll()  # the link panel looks at its figures again only then; the last of them came after the one before
        await drawn(pilot)
        asked = []
        for panel in app.query(Panel):
            panel.refresh = lambda *_, panel=panel, **__: asked.append(panel)  # type: ignore[method-assign]
        app.tick()
        assert asked == []
        session.predict(0)
        app.tick()
        assert {type(panel) for panel in asked} >= {PredictionPanel, LatencyPanel, BatteryPanel}
        assert TracePanel not in {type(panel) for panel in asked}


async def test_of_a_panel_only_the_lines_that_change_are_made_anew() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        panel = app.query_one(GridPanel)
        before = [panel.render_line(y) for y in range(panel.content_size.height)]
        cursor = min(point.subnet for point in session.table.points)  # the first cell of the last row
        app.state.cursor = cursor
        app.tick()
        after = [panel.render_line(y) for y in range(panel.content_size.height)]
        changed = [y for y, (old, new) in enumerate(zip(before, after, strict=True)) if old is not new]
        assert changed == [8, 10], "the row of the cell, and the words about it"


async def test_every_panel_gets_its_turn_and_the_traces_every_time() -> None:
    session = SyntheticSession(30)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        panels = list(app.query(Panel))
        drawn_now: list[Panel] = []

        def tick(panel: Panel) -> bool:
            drawn_now.append(panel)
            return True

        for panel in panels:
            panel.tick = partial(tick, panel)  # type: ignore[method-assign]
        refresh = Refresh(panels, lambda _: True)
        seen: list[Panel] = []
        for _ in range(math.ceil((len(panels) - 1) / (FRAMES - 1))):
            drawn_now.clear()
            await refresh.by_and_by()
            assert sum(isinstance(panel, TracePanel) for panel in drawn_now) >= 1
            seen += drawn_now
        assert set(seen) == set(panels)


async def test_a_sensor_that_says_nothing_but_zero_is_drawn() -> None:
    session = SyntheticSession(0)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        t = np.arange(100) / 50
        app.state.on_chunk(SampleChunk("still", "one", t, np.zeros((100, 3), np.float32), ACC, 50.0, 0, 2.0))
        await drawn(pilot)
        assert "⠒" in text(app, TracePanel) or "⠤" in text(app, TracePanel)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60), (40, 12)])
async def test_nothing_is_wider_than_its_panel(size: tuple[int, int]) -> None:
    session = SyntheticSession(30)
    app = DashboardApp(session)
    async with app.run_test(size=size) as pilot:
        await settled(pilot, session)
        for panel in app.query(Panel):
            if panel.display:
                for y in range(panel.content_size.height):
                    assert panel.render_line(y).cell_length <= panel.content_size.width
