"""The order in which panels are drawn."""

from __future__ import annotations

import math
from functools import partial

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.panel import Panel
from kinestream.dashboard.panels.trace import TracePanel
from kinestream.dashboard.refresh import FRAMES, Refresh

from .screen import SIZE, settled
from .synthetic import SyntheticSession


async def test_every_panel_takes_its_turn_and_the_traces_are_drawn_every_time() -> None:
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
        all_drawn: list[Panel] = []
        for _ in range(math.ceil((len(panels) - 1) / (FRAMES - 1))):
            drawn_now.clear()
            await refresh.draw_in_turn()
            assert sum(isinstance(panel, TracePanel) for panel in drawn_now) >= 1
            all_drawn += drawn_now
        assert set(all_drawn) == set(panels)
