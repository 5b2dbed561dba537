"""The grid of subnetworks."""

from __future__ import annotations

import pytest

from kinestream.core.signals import Subnet
from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.grid import GridPanel

from ..screen import SIZE, drawn, settled, text
from ..synthetic import SyntheticSession


async def test_the_grid_marks_the_front_and_the_active_subnetwork() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        now = app.query_one(GridPanel).active
        rows = {line.split()[0]: line for line in text(app, GridPanel).splitlines()[:9]}
        assert now is not None
        assert [resolution for resolution, line in rows.items() if "◆" in line] == [str(now.resolution)]
        others = [point.subnet for point in session.table.front if point.subnet != now]
        for resolution, line in rows.items():
            assert line.count("▏▕") == sum(subnet.resolution == int(resolution) for subnet in others)


async def test_enter_pins_and_unpins_the_subnetwork_under_the_cursor() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        now = app.query_one(GridPanel).active
        assert now is not None
        await pilot.press("g", "right", "down")
        target = Subnet(round(now.width + 0.05, 2), now.resolution - 4)
        assert app.state.cursor == target
        await drawn(pilot)
        assert f"{target} pinned: " in text(app, BatteryPanel), "the cost shows before the pin"
        await pilot.press("enter")
        assert session.policy_text == f"fixed:{target}"
        await drawn(pilot)
        assert "pinned" in text(app, GridPanel)
        await pilot.press("enter")
        assert session.policy_text == "battery:hours=6"
        await pilot.press("enter", "escape", "u")
        assert session.policy_text == "battery:hours=6"
        assert app.state.cursor is None


async def test_the_cursor_stays_inside_the_grid() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("g", *["up"] * 12, *["right"] * 25)
        assert app.state.cursor == Subnet(1.0, 128)
        await pilot.press(*["down"] * 12, *["left"] * 25)
        assert app.state.cursor == Subnet(0.1, 96)


async def test_the_first_click_moves_the_cursor_and_the_second_pins() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        cell = (2 + 4 + 2 * 18, 1)  # frame and padding, row labels, 18 cells of two: the full network
        await pilot.click(GridPanel, offset=cell)
        assert app.state.cursor == Subnet(1.0, 128)
        assert session.policy_text == "battery:hours=6"
        await pilot.click(GridPanel, offset=cell)
        assert session.policy_text == "fixed:1.00x-128"


async def test_m_colours_the_grid_by_accuracy_latency_and_energy() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        legends = []
        for _ in range(3):
            await drawn(pilot)
            legends.append(text(app, GridPanel).splitlines()[-1])
            await pilot.press("m")
        assert ["%" in legends[0], " ms " in legends[1], " mJ " in legends[2]] == [True] * 3


async def test_cells_that_miss_the_deadline_are_dimmed() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)

        def backgrounds() -> list[str]:
            row = app.query_one(GridPanel).render_line(0)
            return [str(s.style.bgcolor.name) for s in row if s.style and s.style.bgcolor for _ in s.text]

        session.set_deadline(None)
        await drawn(pilot)
        bright = backgrounds()
        session.set_deadline(0.3)
        await drawn(pilot)
        changed = [before != after for before, after in zip(bright, backgrounds(), strict=True)]
        late = [point.subnet for point in session.table.points if point.p95_ms > 0.3 and point.subnet.resolution == 128]
        assert sum(changed) == 2 * len(late), "only late cells change, each two columns wide"
        assert changed == sorted(changed), "the widest subnetworks are late"


@pytest.mark.parametrize("how", ["colour", "no colour", "ascii"])
async def test_signs_mark_the_front_and_late_cells_in_every_colour_mode(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    session = SyntheticSession(5)
    async with DashboardApp(session, ascii=how == "ascii").run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        session.set_deadline(0.3)
        await drawn(pilot)
        await pilot.pause()
        panel = app.query_one(GridPanel)
        row = app.screen._compositor.render_strips()[panel.content_region.y]
        cells = [(sign, segment.style) for segment in row for sign in segment.text][panel.content_region.x + 4 :]
        now = panel.active
        front = {point.subnet for point in session.table.front} - {now}
        for place, width in enumerate(sorted({point.subnet.width for point in session.table.points})):
            subnet = Subnet(width, 128)
            signs = "".join(sign for sign, _ in cells[2 * place : 2 * place + 2])
            style = cells[2 * place][1]
            late = session.table[subnet].p95_ms > 0.3
            assert subnet in front or subnet == now, "the synthetic table has its whole top row on the front"
            if subnet != now:
                assert signs == ("||" if how == "ascii" else "▏▕")
                assert style is not None
                assert style.underline
                assert bool(style.bold) != late
        row = app.screen._compositor.render_strips()[panel.content_region.y + 8]
        last = "".join(segment.text for segment in row)[panel.content_region.x + 4 :][: 2 * 19]
        assert last.endswith("----" if how == "ascii" else "╌╌╌╌"), "late and not on the front"
        assert not last.startswith("-" if how == "ascii" else "╌")


async def test_a_small_terminal_shows_the_reason_above_the_grid() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=(80, 24)) as pilot:
        app = await settled(pilot, session)
        stream = app.state.stream
        assert stream is not None
        assert stream.prediction is not None
        assert stream.prediction.decision.reason in str(app.query_one(GridPanel).border_title)
