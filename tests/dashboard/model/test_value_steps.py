"""The steps of the keys for speed, deadline, battery and policy."""

from __future__ import annotations

import math

import pytest

from kinestream.dashboard.model.value_steps import (
    DEADLINES_MS,
    SPEEDS,
    next_battery_frac,
    next_deadline_ms,
    policies,
    stepped,
)
from kinestream.policy import POLICIES

from ..synthetic import table


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (1.0, 1, 2.0),
        (1.0, -1, 0.5),
        (3.0, 1, 5.0),
        (3.0, -1, 2.0),
        (0.01, -1, 0.25),
        (0.25, -1, 0.25),
        (100.0, 1, math.inf),
        (math.inf, 1, math.inf),
        (math.inf, -1, 100.0),
    ],
)
def test_the_speed_steps_up_and_down_and_stops_at_its_ends(value: float, step: int, expected: float) -> None:
    assert stepped(SPEEDS, value, step) == expected


def test_the_deadline_steps_from_none_to_the_first_that_all_subnetworks_meet() -> None:
    operating_table = table()
    first = next_deadline_ms(None, -1, operating_table)
    assert first is not None
    assert first > max(point.p95_ms for point in operating_table.points)
    assert next_deadline_ms(None, 1, operating_table) is None
    assert next_deadline_ms(DEADLINES_MS[-1], 1, operating_table) is None
    assert next_deadline_ms(DEADLINES_MS[0], -1, operating_table) == DEADLINES_MS[0]
    assert next_deadline_ms(2.0, -1, operating_table) == 1.5


@pytest.mark.parametrize(
    ("frac", "step", "expected"),
    [(0.5, 1, 0.55), (0.5, -1, 0.45), (0.52, 1, 0.55), (0.52, -1, 0.5), (1.0, 1, 1.0), (0.0, -1, 0.0), (0.03, -1, 0.0)],
)
def test_the_battery_steps_to_the_next_five_per_cent(frac: float, step: int, expected: float) -> None:
    assert next_battery_frac(frac, step) == pytest.approx(expected)


def test_the_policies_begin_with_the_text_of_the_session() -> None:
    offered = policies("latency:low=0.5")
    assert offered[0] == "latency:low=0.5"
    assert sorted(text.partition(":")[0] for text in offered) == sorted(POLICIES)
