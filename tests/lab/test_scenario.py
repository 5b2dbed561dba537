"""Scenario files: the bundled ones, and invalid ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError
from kinestream.lab import parse_scenario, read_scenario, scenario_names


@pytest.mark.parametrize("name", scenario_names())
def test_every_bundled_scenario_can_be_read_and_has_a_description(name: str) -> None:
    scenario = read_scenario(name)
    assert scenario.about
    assert scenario.hours >= 4


def test_four_scenarios_are_bundled() -> None:
    assert set(scenario_names()) == {"commute", "clinic_day", "low_battery", "busy_phone"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hour = 3", r"unknown key 'hour' \(did you mean 'hours'\?\)"),
        ("hours = 0", "expected above 0"),
        ('hours = "long"', "expected a number"),
        ("about = 'x'", "expected hours = "),
        ("hours = 3\n[[phase]]\nfrom_h = 1", "must begin at from_h = 0"),
        ("hours = 3\n[[phase]]\n[[phase]]\nfrom_h = 4", "must be in order"),
        ("hours = 3\n[[phase]]\ndeadlin = 4", "did you mean 'deadline'"),
        ("hours = 3\n[[phase]]\ndeadline = 4\ndeadline_ms = 4", "give only one"),
        ("hours = 3\n[[phase]]\ndeadline = -1", "deadline = -1"),
        ("hours = 3\n[[phase]]\nload = 0", "load = 0"),
        ("hours = 3\n[[phase]]\nmissing = 1.5", "missing = 1.5"),
        ("hours = 3\n[battery]\nfrac = 0.5", "either capacity_j or lasts_h"),
        ("hours = 3\n[battery]\nlasts_h = 3\nfrac = 5", "expected frac above 0"),
        ("hours = 3\n[battery]\nlasts_h = 3\ntells_capacity = 1", "expected true or false"),
        ("hours = 3\nbattery = 3", "expected a table"),
        ("hours = ", "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_scenario("mine", text)


def test_an_unknown_scenario_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'commute'"):
        read_scenario("comute")
    with pytest.raises(ConfigError, match="No such file"):
        read_scenario(str(tmp_path / "mine.toml"))
