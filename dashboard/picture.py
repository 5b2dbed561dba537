"""The dashboard as an SVG picture without a terminal: ``python -m kinestream.dashboard.picture OUT.svg``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from .app import DashboardApp

if TYPE_CHECKING:
    from .contract import SessionLike


async def picture(
    session: SessionLike, path: Path, *, size: tuple[int, int] = (120, 40), after_windows: int = 120
) -> None:
    """Run ``session`` in an unseen dashboard of ``size`` cells; write it as SVG after so many windows, or at its end.

    Windows are counted rather than seconds, so the same recording gives the same picture but for its latencies.

    Raises:
        KinestreamError: what the session itself raised.
    """
    app = DashboardApp(session)
    reached = asyncio.Event()
    session.subscribe(
        lambda chunk: None,
        lambda prediction: reached.set() if session.counts().get("windows", 0) >= after_windows else None,
    )
    async with app.run_test(size=size) as pilot:
        while not (reached.is_set() or app.ended):
            await asyncio.sleep(0.01)
        app.tick()
        await pilot.pause()
        if app.failure is None:
            path.write_text(app.export_screenshot(title="kinestream"))
        session.stop()
    if app.failure is not None:
        raise app.failure
