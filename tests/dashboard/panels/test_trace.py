"""The traces."""

from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.signals import ACC, SampleChunk
from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.trace import TracePanel

from ..screen import SIZE, drawn, settled, text
from ..synthetic import SyntheticSession


async def test_lost_samples_leave_a_blank_in_the_trace() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        lines = text(app, TracePanel).splitlines()
        width = max(map(len, lines))
        blank = [all(line.ljust(width)[column] == " " for line in lines[:-1]) for column in range(8, width)]
        # 1.2 s of 10 s are blank over the columns beside the scale; all other columns are drawn.
        assert sum(blank) == pytest.approx(0.12 * len(blank), abs=2)


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


async def test_a_constant_zero_signal_is_drawn() -> None:
    session = SyntheticSession(0)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        t = np.arange(100) / 50
        app.state.on_chunk(SampleChunk("still", "one", t, np.zeros((100, 3), np.float32), ACC, 50.0, 0, 2.0))
        await drawn(pilot)
        assert "⠒" in text(app, TracePanel) or "⠤" in text(app, TracePanel)


async def test_lost_samples_are_marked_and_counted_below_the_traces() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=(200, 50)) as pilot:
        app = await settled(pilot, session)
        assert "×60 lost×" in text(app, TracePanel).splitlines()[-1].replace(" now", "")
