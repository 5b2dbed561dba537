"""An SVG picture of the dashboard, without a terminal."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING

from .app import DashboardApp

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction

    from .model.session_like import SessionLike

SETTLE_S = 1.0
"""The session runs at its own speed for this time before the picture, so that the screen shows a normal run."""


async def take_picture(
    session: SessionLike, path: Path, *, size: tuple[int, int] = (120, 40), after_windows: int = 100
) -> None:
    """Run ``session`` in an invisible dashboard and write its screen as SVG after ``after_windows`` or at the end.

    A recording plays at maximum speed until then. The session is stopped afterwards.

    Args:
        size: columns and rows of the terminal.
        after_windows: number of predictions before the picture.
    Raises:
        KinestreamError: raised by the session.
        OSError: ``path`` cannot be written.
    """
    app = DashboardApp(session)
    reached = asyncio.Event()
    windows = 0

    def count(_: Prediction) -> None:
        nonlocal windows
        windows += 1
        if windows == after_windows:
            reached.set()

    session.subscribe(lambda _: None, count)
    playback = session.playback
    speed = playback.speed if playback else 1.0
    async with app.run_test(size=size) as pilot:
        if playback:
            playback.speed = math.inf
        while not (reached.is_set() or app.ended):
            await asyncio.sleep(0.01)
        if playback and not app.ended:
            playback.speed = speed
            await asyncio.sleep(SETTLE_S)
        app.tick()
        await pilot.pause()
        if app.failure is None:
            path.write_text(app.export_screenshot(), encoding="utf-8")
        await app.action_quit()
    if app.failure is not None:
        raise app.failure
