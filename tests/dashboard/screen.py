"""Helpers that drive the dashboard in tests."""

from __future__ import annotations

import asyncio

from textual.pilot import Pilot

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.panel import Panel

from .synthetic import SyntheticSession

SIZE = (120, 40)


async def settled(pilot: Pilot[None], session: SyntheticSession) -> DashboardApp:
    """Wait until the whole stream is played and drawn."""
    await asyncio.wait_for(session.played.wait(), 20)
    await drawn(pilot)
    assert isinstance(pilot.app, DashboardApp)
    return pilot.app


async def drawn(pilot: Pilot[None]) -> None:
    """Draw the current state; nothing arrives between the last drawing and the next assertion."""
    app = pilot.app
    assert isinstance(app, DashboardApp)
    app.tick()
    await pilot.pause()
    app.tick()


def text(app: DashboardApp, panel: type[Panel]) -> str:
    """Return the text of a panel, without its frame."""
    shown = app.query_one(panel)
    return "\n".join(shown.render_line(y).text.rstrip() for y in range(shown.content_size.height))


async def polled(pilot: Pilot[None]) -> None:
    """Poll the session and draw the result."""
    assert isinstance(pilot.app, DashboardApp)
    pilot.app.poll()
    await drawn(pilot)  # the alarm bar first resizes, then is drawn
