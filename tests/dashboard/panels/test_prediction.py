"""The label of the current window says why it names no activity."""

from __future__ import annotations

from dataclasses import replace

from kinestream.core.signals import STILL, UNKNOWN
from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.prediction import PredictionPanel
from kinestream.interpret.withhold import withhold

from ..screen import SIZE, polled, settled, text
from ..synthetic import SyntheticSession


async def test_the_panel_says_why_no_activity_is_named() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        stream = app.state.stream
        assert stream is not None
        assert stream.prediction is not None
        plain = replace(stream.prediction, truth=None)
        for changes, label, reason in (
            ({}, "", ""),
            ({"worn_otherwise": True}, UNKNOWN, "worn otherwise"),
            ({"low_coverage": True, "coverage": 0.25}, UNKNOWN, "25% measured"),
            ({"up_known": False}, STILL, "no up axis yet"),
        ):
            app.state.on_prediction(withhold(replace(plain, **changes), plain.labels))
            app.tick()
            await polled(pilot)
            shown = text(app, PredictionPanel)
            assert label in shown
            assert reason in shown
            assert ("worn otherwise" in shown) is (reason == "worn otherwise")
