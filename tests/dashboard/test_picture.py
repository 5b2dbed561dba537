"""SVG pictures of the dashboard."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from kinestream.core.errors import InputMismatch
from kinestream.dashboard import take_picture
from kinestream.run.session import Session

from .screen import SIZE

MakeSession = Callable[[str], Session]


async def test_the_picture_is_an_svg_of_the_running_dashboard(make_session: MakeSession, tmp_path: Path) -> None:
    path = tmp_path / "dashboard.svg"
    session = make_session("wearer://?seed=1")
    await take_picture(session, path, size=SIZE, after_windows=30)
    words = " ".join(ET.parse(path).getroot().itertext()).replace("\xa0", " ")
    for word in ("kinestream", "Acceleration", "Activity", "Pareto front", "p95", "Battery", "Decisions"):
        assert word in words
    assert session.summary()["predictions"] >= 30


async def test_no_picture_is_written_of_a_failing_session(make_session: MakeSession, tmp_path: Path) -> None:
    table = tmp_path / "walk.csv"
    table.write_text("t,gyro_x,gyro_y,gyro_z\n" + "".join(f"{i / 50},0,0,0\n" for i in range(200)))
    session = make_session(str(table))
    with pytest.raises(InputMismatch):
        await take_picture(session, tmp_path / "dashboard.svg")
    assert not (tmp_path / "dashboard.svg").exists()
