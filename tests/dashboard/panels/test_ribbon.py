"""The ribbon of predicted and true labels."""

from __future__ import annotations

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.ribbon import RibbonPanel

from ..screen import SIZE, settled, text
from ..synthetic import SyntheticSession


async def test_the_ribbon_shows_predicted_and_true_labels() -> None:
    session = SyntheticSession(57)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        predicted, truth = text(app, RibbonPanel).splitlines()
        assert truth.split()[0] == "truth"
        assert truth.index("walking") < truth.index("walking ups") < truth.index("walking down")
        assert predicted.count("▏") > truth.count("▏"), "every wrong window is a separate span"
        assert "1 min" in predicted
