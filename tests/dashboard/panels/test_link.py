"""The link panel."""

from __future__ import annotations

from kinestream.core.source import LinkStatus
from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.link import LinkPanel

from ..screen import SIZE, polled, settled, text
from ..synthetic import SyntheticSession


async def test_the_link_panel_shows_the_links_state() -> None:
    session = SyntheticSession(20, live=True)
    session.link_list = [
        LinkStatus("left wrist", "streaming", -61, 0.87, 2, 0.1, "device clock, fitted", -12.0, 3.25, 41.0)
    ]
    session.queued = (200, 256)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await polled(pilot)
        shown = text(app, LinkPanel)
        for words in (
            "● streaming  -61 dBm",
            "sensor battery 87%  2 reconnects",
            "rate 50 Hz, announced 50",
            "lost 13.3% (60)  queue 200/256",
            "age 0 ms  jitter 0 ms  -12 ppm",
            "device clock, fitted ±3.2 ms",
        ):
            assert words in shown
