"""Keys that act on the app: pages, pictures, streams, saving, the palette."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.command import CommandList
from textual.widgets import Input

from kinestream.dashboard import DashboardApp
from kinestream.dashboard.panels.decisions import DecisionPanel
from kinestream.dashboard.panels.grid import GridPanel
from kinestream.dashboard.panels.link import LinkPanel
from kinestream.dashboard.panels.policy_panel import PolicyPanel
from kinestream.dashboard.panels.prediction import PredictionPanel
from kinestream.dashboard.panels.status import StatusLine
from kinestream.dashboard.panels.trace import TracePanel
from kinestream.policy import make_policy, write_policy

from .screen import SIZE, drawn, settled, text
from .synthetic import SyntheticSession


async def test_space_freezes_the_picture_while_a_live_stream_continues() -> None:
    session = SyntheticSession(3600, live=True, pace_s=0.02)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await drawn(pilot)
        assert "● live" in text(app, StatusLine)
        await pilot.press("space")
        before = text(app, DecisionPanel), text(app, TracePanel)
        chunks = session.counts()["samples"]
        await asyncio.sleep(0.1)
        await drawn(pilot)
        assert session.counts()["samples"] > chunks
        assert "frozen" in text(app, StatusLine)
        assert (text(app, DecisionPanel), text(app, TracePanel)) == before
        await pilot.press("space")
        await drawn(pilot)
        assert "● live" in text(app, StatusLine)
        assert text(app, TracePanel) != before[1]


async def test_n_shows_the_next_stream() -> None:
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        session.play(0, stream="hip")
        session.predict(0, stream="hip")
        await drawn(pilot)
        assert "[left wrist]" in text(app, StatusLine)
        await pilot.press("n")
        await drawn(pilot)
        assert "[hip]" in text(app, StatusLine)
        assert "of the last 1 " in text(app, PredictionPanel)


async def test_s_saves_a_picture_and_never_overwrites_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = SyntheticSession(5)
    app = DashboardApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, session)
        await pilot.press("s", "s")
        await pilot.pause()
    saved = sorted(tmp_path.iterdir())
    assert [path.name for path in saved] == ["kinestream-001.svg", "kinestream-002.svg"]
    assert saved[0].read_text().startswith("<svg")


async def test_w_saves_the_policy_with_its_deadline_and_lists_the_changed_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("w")
        page = "\n".join(str(part.render()) for part in app.screen.query("Static"))
        assert "battery.hours: 8 -> 6" in page
        assert "deadline.ms: open -> 0.5" in page
        await pilot.press("enter")
        await pilot.press("w")
        app.screen.query_one(Input).value = "policy-001.toml"
        await pilot.press("enter")
        assert any("already exists" in note.message for note in app._notifications)
    saved = make_policy(str(tmp_path / "policy-001.toml"), session.table)
    assert write_policy(saved) == write_policy(make_policy("battery:hours=6+deadline=0.5", session.table))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("size", [(80, 24), (80, 40), (120, 30)])
async def test_a_small_terminal_shows_one_page_at_a_time(size: tuple[int, int]) -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=size) as pilot:
        app = await settled(pilot, session)

        def visible() -> list[bool]:
            return [
                all(part.region.area for part in (app.query_one(panel),))
                for panel in (GridPanel, PolicyPanel, LinkPanel, DecisionPanel)
            ]

        pages = []
        for _ in range(3):
            pages.append(visible())
            await pilot.press("v")
            await pilot.pause()
        assert pages == [[True, False, False, False], [False, True, True, False], [False, False, False, True]]
        await pilot.press("e")
        await pilot.pause()
        assert visible() == pages[1]
        await pilot.press("escape", "g")
        await pilot.pause()
        assert visible() == pages[0]


async def test_the_palette_finds_a_command_by_name() -> None:
    session = SyntheticSession(5)
    async with DashboardApp(session).run_test(size=SIZE) as pilot:
        app = await settled(pilot, session)
        await pilot.press("ctrl+p", *"policy slowdown")

        async def listed() -> None:  # the palette searches while the user types
            while not app.screen.query_one(CommandList).option_count:
                await pilot.pause(0.02)

        async def applied() -> None:
            while session.policy_text != "slowdown":
                await pilot.pause(0.02)

        await asyncio.wait_for(listed(), 20)
        await pilot.press("enter")
        await asyncio.wait_for(applied(), 20)
        await drawn(pilot)
        assert "→ slowdown" in text(app, StatusLine)
