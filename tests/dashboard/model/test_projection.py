"""Battery lifetime."""

from __future__ import annotations

import math

import pytest

from kinestream.dashboard.model.projection import hours_at, hours_at_past_rate, hours_text
from kinestream.policy import BatteryReading


def test_a_known_capacity_pays_for_device_and_windows() -> None:
    battery = BatteryReading(0.5, 72.0, base_mw=8.0)  # 36 J left; 8 mW and 2 mW
    assert hours_at(battery, energy_mj=4.0, hop_s=2.0) == pytest.approx(1.0)


def test_an_unknown_capacity_gives_no_lifetime() -> None:
    assert hours_at(BatteryReading(0.5, None), 4.0, 2.0) is None


def test_a_device_without_power_draw_lasts_forever() -> None:
    assert hours_at(BatteryReading(0.5, 72.0), 0.0, 2.0) == math.inf


def test_a_falling_charge_keeps_falling_at_its_rate() -> None:
    assert hours_at_past_rate([(0.0, 0.6), (1800.0, 0.55), (3600.0, 0.5)]) == pytest.approx(5.0)


@pytest.mark.parametrize(
    "charges", [[], [(0.0, 0.5)], [(0.0, 0.5), (60.0, 0.499)], [(0.0, 0.5), (60.0, 0.4), (120.0, 0.45)]]
)
def test_a_steady_or_rising_charge_gives_no_lifetime(charges: list[tuple[float, float]]) -> None:
    assert hours_at_past_rate(charges) is None


@pytest.mark.parametrize(
    ("hours", "text"), [(0.2, "12 min"), (5.33, "5.3 h"), (400.0, "17 days"), (math.inf, "forever")]
)
def test_hours_are_shown_in_a_suitable_unit(hours: float, text: str) -> None:
    assert hours_text(hours) == text
