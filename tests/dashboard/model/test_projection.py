"""How long the battery lasts."""

from __future__ import annotations

import math

import pytest

from kinestream.dashboard.model.projection import hours_at, hours_seen, hours_text
from kinestream.policy import BatteryReading


def test_a_known_capacity_is_shared_out_over_device_and_windows() -> None:
    battery = BatteryReading(0.5, 72.0, base_mw=8.0)  # 36 J left; 8 mW and 2 mW
    assert hours_at(battery, energy_mj=4.0, hop_s=2.0) == pytest.approx(1.0)


def test_without_a_capacity_nothing_is_projected_from_the_table() -> None:
    assert hours_at(BatteryReading(0.5, None), 4.0, 2.0) is None


def test_a_device_that_draws_nothing_lasts_for_ever() -> None:
    assert hours_at(BatteryReading(0.5, 72.0), 0.0, 2.0) == math.inf


def test_a_charge_that_fell_goes_on_falling() -> None:
    assert hours_seen([(0.0, 0.6), (1800.0, 0.55), (3600.0, 0.5)]) == pytest.approx(5.0)


@pytest.mark.parametrize(
    "charges", [[], [(0.0, 0.5)], [(0.0, 0.5), (60.0, 0.499)], [(0.0, 0.5), (60.0, 0.4), (120.0, 0.45)]]
)
def test_a_charge_that_hardly_fell_or_was_charged_tells_nothing(charges: list[tuple[float, float]]) -> None:
    assert hours_seen(charges) is None


@pytest.mark.parametrize(
    ("hours", "text"), [(0.2, "12 min"), (5.33, "5.3 h"), (400.0, "17 days"), (math.inf, "for ever")]
)
def test_hours_are_told_as_people_say_them(hours: float, text: str) -> None:
    assert hours_text(hours) == text
