"""All panels redraw only their changes and stay within their frame."""

from __future__ import annotations

import pytest

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.battery import BatteryPanel
from kinestream.dashboard.panels.grid import GridPanel
from kinestream.dashboard.panels.latency import LatencyPanel
from kinestream.dashboard.panels.panel import Panel
from kinestream.dashboard.panels.prediction import PredictionPanel
from kinestream.dashboard.panels.trace import TracePanel

from ..screen import SIZE, drawn, settled
from ..synthetic import SyntheticSession


async def test_an_unchanged_panel_is_not_redrawn() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        app.poll()  # the link panel updates only on a poll, and the last values arrived after the previous one
        await drawn(pilot)
        refreshed = []
        for panel in app.query(Panel):
            panel.refresh = lambda *_, panel=panel, **__: refreshed.append(panel)  # type: ignore[method-assign]
        app.tick()
        assert refreshed == []
        session.predict(0)
        app.tick()
        assert {type(panel) for panel in refreshed} >= {PredictionPanel, LatencyPanel, BatteryPanel}
        assert TracePanel not in {type(panel) for panel in refreshed}


async def test_only_the_changed_lines_of_a_panel_are_redrawn() -> None:
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
        assert changed == [8, 10], "the cell's row and the details below"


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60), (40, 12)])
async def test_no_line_is_wider_than_its_panel(size: tuple[int, int]) -> None:
    session = SyntheticSession(30)
    app = DashboardApp(session)
    async with app.run_test(size=size) as pilot:
        await settled(pilot, session)
        for panel in app.query(Panel):
            if panel.display:
                for y in range(panel.content_size.height):
                    assert panel.render_line(y).cell_length <= panel.content_size.width
