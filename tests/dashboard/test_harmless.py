"""No text of a stranger steers the terminal through the dashboard."""

from __future__ import annotations

from typing import Any

import pytest

from kinestream.core.printable import printable
from kinestream.dashboard import DashboardApp

from .screen import SIZE, drawn, settled
from .synthetic import SyntheticSession

HOSTILE = "walk\x1b]0;owned\x07\x1b[2J\x9b31m\u202ekcab[red]x[/x][@click=app.quit]"


@pytest.mark.parametrize("ascii", [False, True])
async def test_hostile_names_and_notices_are_drawn_without_control_characters(ascii: bool) -> None:
    session: Any = SyntheticSession(20)
    session.source_name = session.model_name = HOSTILE
    session.labels = (HOSTILE, *session.labels[1:])
    session.notice_lines = [HOSTILE]
    session.failure_lines = [HOSTILE]
    app = DashboardApp(session, ascii=ascii)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        app.poll()
        app.refuse(HOSTILE)
        assert app.state.stream is not None
        app.state.stream.note(HOSTILE)
        await drawn(pilot)
        for key in ("", "i", "escape", "e"):
            if key:
                await pilot.press(key)
            await pilot.pause()
            lines = ["".join(segment.text for segment in line) for line in app.screen._compositor.render_strips()]
            text = "\n".join(lines)
            assert [character for line in lines for character in line if printable(character) != character] == []
            assert "walk" in text
