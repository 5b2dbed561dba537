"""Pictures of the dashboard; after an intended change run ``pytest --snapshot-update``."""

from __future__ import annotations

import asyncio

import pytest
from textual.pilot import Pilot

from kinestream.dashboard import DashboardApp

from .synthetic import SyntheticSession


@pytest.mark.parametrize(
    ("size", "keys"),
    [((120, 40), ""), ((80, 24), ""), ((160, 50), "tp"), ((80, 24), "?")],
    ids=["usual", "small", "large-other-sensor-and-policy", "help"],
)
def test_the_dashboard_looks_as_before(snap_compare, size: tuple[int, int], keys: str) -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)

    async def play(pilot: Pilot[None]) -> None:
        await asyncio.wait_for(session.played.wait(), 20)
        await pilot.press(*("question_mark" if key == "?" else key for key in keys))
        app.poll()
        app.tick()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=play)
