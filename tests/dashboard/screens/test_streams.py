"""The list of streams."""

from __future__ import annotations

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.screens.streams import StreamScreen

from ..screen import SIZE, settled
from ..synthetic import SyntheticSession


async def test_a_stream_is_chosen_from_the_list() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        session.play(0, stream="hip")
        session.predict(0, stream="hip")
        await pilot.press("l")
        assert isinstance(app.screen, StreamScreen)
        await pilot.press("down", "enter")
        assert app.state.shown == "hip"
        assert not isinstance(app.screen, StreamScreen)
