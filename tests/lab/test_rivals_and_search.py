"""The oracle is never beaten at equal energy, and a search finds the best settings."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinestream.core.operating_table import OperatingTable, SensingRow
from kinestream.core.signals import Sensing
from kinestream.lab import Phase, Supply, best_fixed, budget_mj, cheapest_as_accurate, fixed, oracle, search
from kinestream.lab.search import space_of
from kinestream.policy import make_policy, parse_policy, write_policy
from tests.lab.conftest import MIDDLE, THIN, WIDE, Days


def test_the_oracle_shares_the_time_between_two_neighbours(days: Days) -> None:
    day = days.day()
    assert oracle(day, 400 * 4.0) == 1.0
    assert oracle(day, 400 * 3.0) == pytest.approx(0.875)  # half the time the middle one, half the wide one
    assert oracle(day, 400 * 1.0) == pytest.approx(0.5)
    assert oracle(day, 400 * 0.5) == pytest.approx(0.25)  # not even the cheapest all the time
    assert oracle(day, 0.0) == 0.0


def test_a_battery_too_small_for_the_device_alone_has_no_oracle(days: Days, table: OperatingTable) -> None:
    free = replace(table, points=tuple(replace(point, energy_mj=0.0) for point in table.points))
    for costs in (table, free):
        day = days.day(supply=Supply(capacity_j=0.3), table=costs)  # the rest of the day takes 0.4 J
        assert budget_mj(day) < 0
        assert isnan(oracle(day, budget_mj(day)))


def test_the_oracle_meets_the_deadlines(days: Days) -> None:
    day = days.day(Phase(deadline_ms=25.0), Phase(from_h=200 / 3600))
    assert oracle(day, 1e9) == pytest.approx((0.75 + 1.0) / 2)


LUCK = 0.03
"""Tolerance for chance: with only four windows repeated, it matters which of them the wide subnetwork meets."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.5, 2.5), st.floats(0.5, 3.0), st.integers(0, 5))
def test_no_policy_beats_the_oracle_at_equal_energy(days: Days, capacity_j: float, load: float, seed: int) -> None:
    day = days.day(Phase(deadline_ms=45.0), Phase(from_h=0.05, load=load, deadline_ms=45.0), seed=seed,
                   supply=Supply(capacity_j=capacity_j))  # fmt: skip
    for text in ("battery:hours=0.111", "slowdown"):
        outcome = day.run(make_policy(text, days.table))
        if outcome.missed == 0:
            assert outcome.accuracy <= oracle(day, 1000 * outcome.processor_j) + LUCK


def test_the_battery_policy_ends_the_day_with_a_near_empty_battery_and_near_the_oracle(days: Days) -> None:
    day = days.day(supply=Supply(capacity_j=8.0), seconds=2000)  # 2 J for the rest, 3 mJ a window
    outcome = day.run(make_policy(f"battery:hours={2000 / 3600},period_s=40", days.table))
    assert outcome.hours >= 2000 / 3600
    assert outcome.left < 0.02
    assert outcome.accuracy == pytest.approx(oracle(day, budget_mj(day)), abs=0.01)


def test_the_rivals_are_the_best_at_no_more_energy_and_the_cheapest_as_accurate(days: Days) -> None:
    day = days.day()
    outcomes = [fixed(day, subnet) for subnet in (THIN, MIDDLE, WIDE)]
    best = best_fixed(outcomes, 1.3)
    assert best is not None
    assert best.name == str(MIDDLE)
    assert best_fixed(outcomes, 0.1) is None
    cheap = cheapest_as_accurate(outcomes, 0.8)
    assert cheap is not None
    assert cheap.name == str(WIDE)


@pytest.mark.parametrize("optuna", [False, True])
def test_a_search_finds_the_cheapest_settings_and_is_repeatable(
    days: Days, table: OperatingTable, optuna: bool
) -> None:
    if optuna:
        pytest.importorskip("optuna")
    day = days.day(seconds=200)
    parts = parse_policy("persistence:sure=1,margin=1,settle=1,look_s=0.001")  # wide on every window
    results = [
        search(day, parts, table, trials=20, seed=5, goal="energy", accuracy=0.7, optuna=optuna) for _ in range(2)
    ]
    assert write_policy(results[0].policy) == write_policy(results[1].policy)
    assert results[0].outcome.accuracy >= 0.7
    assert results[0].outcome.processor_j == pytest.approx(0.4)  # the middle one all the time
    assert results[0].tried == 20


@pytest.mark.parametrize("gyro", [True, False])
def test_only_rates_that_save_with_the_models_gyroscope_are_tried(table: OperatingTable, gyro: bool) -> None:
    ways = (
        (Sensing(50.0, gyro), 6.0),
        (Sensing(25.0, gyro), 5.0),
        (Sensing(12.5, gyro), 6.0),
        (Sensing(20.0, not gyro), 1.0),
    )
    steerable = replace(table, sensing=tuple(SensingRow(way, {}, mw) for way, mw in ways))
    tried = {key: list(values) for _, key, values in space_of(parse_policy("persistence"), steerable)}
    assert tried["fs_hz"] == [50.0, 25.0]
    assert "fs_hz" not in {key for _, key, _ in space_of(parse_policy("persistence"), table)}


def test_given_settings_are_kept_and_a_small_grid_is_tried_completely(days: Days, table: OperatingTable) -> None:
    result = search(days.day(seconds=100), parse_policy("battery:hours=3,leave=0.1"), table, trials=30)
    assert (result.tried, result.how) == (4, "all settings of the grid")
    assert "hours=3.0,leave=0.1" in write_policy(result.policy)
    assert search(days.day(seconds=100), parse_policy("fixed"), table, trials=30).tried == 1
