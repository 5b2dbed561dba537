"""docs/bluetooth.md lists every profile and the data its decoder was tested on."""

from __future__ import annotations

from pathlib import Path

from kinestream.ingest.devices import profiles

PAGE = Path(__file__).parents[3] / "docs" / "bluetooth.md"


def test_the_page_lists_every_profile_with_its_test_data() -> None:
    rows = {
        cells[0].strip("` "): (cells[1].strip(), cells[2].strip())
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `") and len(cells := line.strip("|").split("|")) == 3
    }
    assert rows == {profile.name: (profile.title, profile.tested_on) for profile in profiles()}
