"""The panels a person goes into: the grid, the policy, the log, the pages over the screen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.command import CommandList
from textual.pilot import Pilot
from textual.widgets import Input

from kinestream.core.signals import Subnet
from kinestream.core.source import LinkStatus
from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.alarm_bar import AlarmBar
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.grid import GridPanel
from kinestream.dashboard.panels.link import LinkPanel
from kinestream.dashboard.panels.policy_panel import PolicyPanel
from kinestream.dashboard.panels.ribbon import RibbonPanel
from kinestream.dashboard.panels.status import StatusLine
from kinestream.dashboard.panels.trace import TracePanel
from kinestream.dashboard.screens.notices import NoticeScreen
from kinestream.dashboard.screens.streams import StreamScreen
from kinestream.policy import make_policy, write_policy

from ..synthetic import SyntheticSession
from ..test_app import SIZE, drawn, settled, text


async def at_end(pilot: Pilot[None], session: SyntheticSession) -> DashboardApp:
    await settled(pilot, session)
    assert isinstance(pilot.app, DashboardApp)
    return pilot.app


async def polled(pilot: Pilot[None]) -> None:
    assert isinstance(pilot.app, DashboardApp)
    pilot.app.poll()
    await drawn(pilot)  # an alarm first makes itself room, then is drawn


async def test_enter_pins_the_cell_under_the_cursor_and_enter_unpins_it() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        now = app.query_one(GridPanel).now
        assert now is not None
        await pilot.press("g", "right", "down")
        wished = Subnet(round(now.width + 0.05, 2), now.resolution - 4)
        assert app.state.cursor == wished
        await drawn(pilot)
        assert f"{wished} pinned: " in text(app, BatteryPanel), "what it would cost is told before"
        await pilot.press("enter")
        assert session.policy_text == f"fixed:{wished}"
        await drawn(pilot)
        assert "pinned" in text(app, GridPanel)
        await pilot.press("enter")
        assert session.policy_text == "battery:hours=6"
        await pilot.press("enter", "escape", "u")
        assert session.policy_text == "battery:hours=6"
        assert app.state.cursor is None


async def test_the_cursor_stays_in_the_grid() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await pilot.press("g", *["up"] * 12, *["right"] * 25)
        assert app.state.cursor == Subnet(1.0, 128)
        await pilot.press(*["down"] * 12, *["left"] * 25)
        assert app.state.cursor == Subnet(0.1, 96)


async def test_a_click_moves_the_cursor_and_another_pins() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        cell = (2 + 4 + 2 * 18, 1)  # frame and padding, the names, 18 cells of two: the whole network
        await pilot.click(GridPanel, offset=cell)
        assert app.state.cursor == Subnet(1.0, 128)
        assert session.policy_text == "battery:hours=6"
        await pilot.click(GridPanel, offset=cell)
        assert session.policy_text == "fixed:1.00x-128"


async def test_m_colours_the_grid_by_accuracy_latency_and_energy() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        legends = []
        for _ in range(3):
            await drawn(pilot)
            legends.append(text(app, GridPanel).splitlines()[-1])
            await pilot.press("m")
        assert ["%" in legends[0], " ms " in legends[1], " mJ " in legends[2]] == [True] * 3


async def test_cells_that_miss_the_deadline_are_dimmed() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)

        def backgrounds() -> list[str]:
            row = app.query_one(GridPanel).render_line(0)
            return [str(s.style.bgcolor.name) for s in row if s.style and s.style.bgcolor for _ in s.text]

        session.set_deadline(None)
        await drawn(pilot)
        bright = backgrounds()
        session.set_deadline(0.3)
        await drawn(pilot)
        changed = [one != other for one, other in zip(bright, backgrounds(), strict=True)]
        late = [point.subnet for point in session.table.points if point.p95_ms > 0.3 and point.subnet.resolution == 128]
        assert sum(changed) == 2 * len(late), "cells of two, and no others"
        assert changed == sorted(changed), "the widest are late"


@pytest.mark.parametrize("how", ["colour", "no colour", "ascii"])
async def test_front_and_deadline_are_told_by_signs_as_well_as_by_colour(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    session = SyntheticSession(5)
    async with DashboardApp(session, ascii=how == "ascii").run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        session.set_deadline(0.3)
        await drawn(pilot)
        await pilot.pause()
        panel = app.query_one(GridPanel)
        row = app.screen._compositor.render_strips()[panel.content_region.y]
        cells = [(sign, segment.style) for segment in row for sign in segment.text][panel.content_region.x + 4 :]
        now = panel.now
        front = {point.subnet for point in session.table.front} - {now}
        for place, width in enumerate(sorted({point.subnet.width for point in session.table.points})):
            subnet = Subnet(width, 128)
            signs = "".join(sign for sign, _ in cells[2 * place : 2 * place + 2])
            style = cells[2 * place][1]
            late = session.table[subnet].p95_ms > 0.3
            assert subnet in front or subnet == now, "of the synthetic table, all of the top row are"
            if subnet != now:
                assert signs == ("||" if how == "ascii" else "▏▕")
                assert style is not None
                assert style.underline
                assert bool(style.bold) != late
        row = app.screen._compositor.render_strips()[panel.content_region.y + 8]
        last = "".join(segment.text for segment in row)[panel.content_region.x + 4 :][: 2 * 19]
        assert last.endswith("----" if how == "ascii" else "╌╌╌╌"), "late, and not on the front"
        assert not last.startswith("-" if how == "ascii" else "╌")


async def test_a_small_terminal_tells_the_reason_over_the_grid() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=(80, 24)) as pilot:
        app = await at_end(pilot, session)
        stream = app.state.stream
        assert stream is not None
        assert stream.prediction is not None
        assert stream.prediction.decision.reason in str(app.query_one(GridPanel).border_title)


async def test_h_lets_more_windows_pass() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        await at_end(pilot, session)
        await pilot.press("h", "h")
        assert session.policy_text == "battery:hours=6+hop:hop=3"
        await pilot.press("H", "H", "H")
        assert session.policy_text == "battery:hours=6+hop:hop=1", "every window, and not more"
        session.set_policy("battery:hours=6+persistence")
        await pilot.press("h", "h")
        assert session.policy_text == "battery:hours=6+persistence:hop=3", "a part's own hop goes before"


async def test_the_arrow_keys_change_the_policys_settings() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
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
        app = await at_end(pilot, session)
        await pilot.press("e", "down", "down", "down", "enter")
        app.screen.query_one(Input).value = "7.25"
        await pilot.press("enter")
        assert session.policy_text == "battery:hours=7.25"
        await pilot.press("enter")
        app.screen.query_one(Input).value = "soon"
        await pilot.press("enter")
        assert session.policy_text == "battery:hours=7.25"
        assert any("soon" in note.message for note in app._notifications)


async def test_a_click_on_a_row_chooses_it_and_another_changes_it() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        await at_end(pilot, session)
        await pilot.click(PolicyPanel, offset=(4, 4))
        assert session.policy_text == "battery:hours=6"
        await pilot.click(PolicyPanel, offset=(4, 4))
        assert session.policy_text == "battery:hours=5"
        await pilot.click(PolicyPanel, offset=(26, 4))
        assert session.policy_text == "battery:hours=6"


async def test_w_saves_the_policy_with_its_deadline_and_shows_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await pilot.press("w")
        page = "\n".join(str(part.render()) for part in app.screen.query("Static"))
        assert "battery.hours: 8 -> 6" in page
        assert "deadline.ms: open -> 0.5" in page
        await pilot.press("enter")
        await pilot.press("w")
        app.screen.query_one(Input).value = "policy-001.toml"
        await pilot.press("enter")
        assert any("is there already" in note.message for note in app._notifications)
    saved = make_policy(str(tmp_path / "policy-001.toml"), session.table)
    assert write_policy(saved) == write_policy(make_policy("battery:hours=6+deadline=0.5", session.table))
    assert len(list(tmp_path.iterdir())) == 1


async def test_the_log_shows_only_lines_with_the_words_asked_for() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await pilot.press("d", "slash", *"you DEADLINE")
        await drawn(pilot)
        assert [line.split()[1:] for line in text(app, DecisionPanel).splitlines() if line] == [
            ["you", "deadline", "0.3", "ms"]
        ]
        await pilot.press("enter", "p")
        assert session.policy_text != "battery:hours=6", "the keys are commands again"
        await drawn(pilot)
        assert len([line for line in text(app, DecisionPanel).splitlines() if line]) == 1
        await pilot.press("escape")
        await drawn(pilot)
        assert len([line for line in text(app, DecisionPanel).splitlines() if line]) > 1


async def test_brackets_in_the_filter_are_words_like_others() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await pilot.press("slash", *"[/")
        await drawn(pilot)
        assert "[/'" in str(app.query_one(DecisionPanel).border_title)
        assert "none with these words" in text(app, DecisionPanel)


async def test_in_a_narrow_log_the_newest_line_goes_on_below_its_time() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=(100, 40)) as pilot:
        app = await at_end(pilot, session)
        stream = app.state.stream
        assert stream is not None
        told = " ".join(text(app, DecisionPanel).split())
        assert stream.log[-1].text in told


async def test_the_streams_are_listed_and_one_is_chosen() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        session.play(0, stream="hip")
        session.predict(0, stream="hip")
        await pilot.press("l")
        assert isinstance(app.screen, StreamScreen)
        await pilot.press("down", "enter")
        assert app.state.shown == "hip"
        assert not isinstance(app.screen, StreamScreen)


async def test_a_failure_is_a_bar_across_the_screen_and_a_line_in_the_log() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await polled(pilot)
        assert not app.query_one(AlarmBar).display
        session.broken = ["RECORDING ENDED: no space left on the disk"]
        await polled(pilot)
        assert app.query_one(AlarmBar).display
        assert "! RECORDING ENDED: no space left on the disk" in text(app, AlarmBar)
        assert "alarm" in text(app, DecisionPanel)
        assert [note.severity for note in app._notifications] == ["error"]
        await polled(pilot)
        assert len(app._notifications) == 1, "told once"
        await pilot.press("i")
        assert isinstance(app.screen, NoticeScreen)
        assert "RECORDING ENDED" in str(app.screen.query_one("Static").render())
        session.broken = []
        await polled(pilot)
        assert not app.query_one(AlarmBar).display


async def test_the_link_panel_tells_what_the_source_tells() -> None:
    session = SyntheticSession(20, live=True)
    session.linked = [
        LinkStatus("left wrist", "streaming", -61, 0.87, 2, 0.1, "device clock, fitted", -12.0, 3.25, 41.0)
    ]
    session.queued = (200, 256)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await polled(pilot)
        shown = text(app, LinkPanel)
        for words in (
            "● streaming  -61 dBm",
            "sensor battery 87%  2 reconnects",
            "50.00 of 50 Hz  loss 6.0%",
            "queue 200 of 256  60 lost in all",
            "device clock, fitted",
            "-12 ppm ±3.2 ms age 41 ms",
        ):
            assert words in shown


async def test_the_ribbon_shows_what_was_said_and_what_was_true() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        said, truth = text(app, RibbonPanel).splitlines()
        assert truth.split()[0] == "truth"
        assert truth.index("walking") < truth.index("walking ups") < truth.index("walking down")
        assert said.count("▏") > truth.count("▏"), "every wrong window is an episode of its own"
        assert "1 min" in said


async def test_lost_samples_are_marked_and_counted_under_the_traces() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=(200, 50)) as pilot:
        app = await at_end(pilot, session)
        assert "×60 lost×" in text(app, TracePanel).splitlines()[-1].replace(" now", "")


async def test_the_arrows_seek_and_the_full_stop_plays_one_window() -> None:
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
            assert session.counts()["samples"] - samples in (65, 70), "one hop of 64, in chunks of 5"


@pytest.mark.parametrize("size", [(80, 24), (80, 40), (120, 30)])
async def test_a_small_terminal_shows_one_page_at_a_time(size: tuple[int, int]) -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=size) as pilot:
        app = await at_end(pilot, session)

        def seen() -> list[bool]:
            return [
                all(part.region.area for part in (app.query_one(panel),))
                for panel in (GridPanel, PolicyPanel, LinkPanel, DecisionPanel)
            ]

        pages = []
        for _ in range(3):
            pages.append(seen())
            await pilot.press("v")
            await pilot.pause()
        assert pages == [[True, False, False, False], [False, True, True, False], [False, False, False, True]]
        await pilot.press("e")
        await pilot.pause()
        assert seen() == pages[1]
        await pilot.press("escape", "g")
        await pilot.pause()
        assert seen() == pages[0]


async def test_in_ascii_no_other_character_is_on_the_screen() -> None:
    session = SyntheticSession(30)
    async with DashboardApp(session, ascii=True).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await pilot.press("d")
        shown = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert shown.isascii()
        assert "Acceleration m/s2" in shown


async def test_without_colour_everything_is_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    session = SyntheticSession(30)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
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


async def test_the_palette_finds_a_command_by_its_name() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await at_end(pilot, session)
        await pilot.press("ctrl+p", *"policy slowdown")

        async def found() -> None:  # the palette searches while one types
            while not app.screen.query_one(CommandList).option_count:
                await pilot.pause(0.02)

        async def done() -> None:
            while session.policy_text != "slowdown":
                await pilot.pause(0.02)

        await asyncio.wait_for(found(), 20)
        await pilot.press("enter")
        await asyncio.wait_for(done(), 20)
        await drawn(pilot)
        assert "→ slowdown" in text(app, StatusLine)
