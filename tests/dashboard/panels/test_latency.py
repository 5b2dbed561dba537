"""The latency histogram."""

from __future__ import annotations

import numpy as np

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.drawing.theme import ACCENT, BAD
from kinestream.dashboard.panels.latency import LatencyPanel

from ..screen import SIZE, drawn, settled, text
from ..synthetic import SyntheticSession


async def test_the_histogram_marks_the_deadline_and_draws_late_bars_red() -> None:
    session = SyntheticSession(57)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        stream = app.state.stream
        assert stream is not None
        session.set_deadline(float(np.median(list(stream.latencies_ms))))
        await drawn(pilot)
        panel = app.query_one(LatencyPanel)
        rows = [panel.render_line(y) for y in range(2, panel.content_size.height - 1)]
        assert {row.text.index("┊") for row in rows if "┊" in row.text} != set(), "the deadline lies between the bars"
        foot = [(character, segment.style) for segment in rows[-1] for character in segment.text]
        bars = [str(style.color.name) for character, style in foot if character in "▁▂▃▄▅▆▇█" and style and style.color]
        assert {BAD, ACCENT} == set(bars)
        assert bars == sorted(bars, key=lambda colour: colour == BAD), "late bars are right of the deadline"
        late = sum(latency_ms > (session.deadline_ms or 0.0) for latency_ms in stream.latencies_ms)
        assert f"{late} of {len(stream.latencies_ms)} late" in text(app, LatencyPanel)
