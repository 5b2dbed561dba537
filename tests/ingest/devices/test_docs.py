"""docs/bluetooth.md names every profile and says what its decoder was tested on."""

from __future__ import annotations

from pathlib import Path

from kinestream.ingest.devices import profiles

PAGE = Path(__file__).parents[3] / "docs" / "bluetooth.md"


def test_the_page_has_every_profile_with_what_it_was_tested_on() -> None:
    rows = {
        cells[0].strip("` "): (cells[1].strip(), cells[2].strip())
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `") and len(cells := line.strip("|").split("|")) == 3
    }
    assert rows == {profile.name: (profile.title, profile.tested_on) for profile in profiles()}
