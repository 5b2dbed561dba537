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
            "50.00 of 50 Hz  loss 6.0%",
            "queue 200 of 256  60 lost in total",
            "device clock, fitted",
            "-12 ppm ±3.2 ms age 41 ms",
        ):
            assert words in shown
