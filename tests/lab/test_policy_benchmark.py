"""The policy benchmark: which days a battery can last, and the summary over days."""

from __future__ import annotations

import pytest

from benchmarks.policy import _fair, _foreseeable, _summed
from kinestream.lab import Phase, Supply, fixed
from tests.lab.conftest import WIDE, Days


@pytest.mark.parametrize(
    ("capacity_j", "extra_mw", "from_h", "lasts"),
    [
        (2.0, 0.0, 0.05, True),  # 400 s at 2 mW for the cheapest need 0.8 J
        (0.7, 0.0, 0.05, False),
        (2.0, 2.0, 0.05, True),  # 220 s at 2 mW more: 0.44 J, of 1.1 J that an even plan has left
        (2.0, 10.0, 0.1, False),  # who spends evenly until then has 0.2 J left, and 40 s at 12 mW need 0.48 J
    ],
)
def test_a_day_counts_only_if_a_plan_without_foresight_survives_it(
    days: Days, capacity_j: float, extra_mw: float, from_h: float, lasts: bool
) -> None:
    day = days.day(Phase(), Phase(from_h=from_h, extra_mw=extra_mw), supply=Supply(capacity_j=capacity_j))
    assert _foreseeable(day) is lasts


def test_days_that_no_policy_can_last_are_counted_apart() -> None:
    row = {
        "name": "x", "minutes_early": [0.0, 3.0, 5.0], "foreseeable": [1, 1, 0],
        "below_oracle": [0.001, 0.02, 0.5], "left": [0.1, 0.0, 0.0],
    }  # fmt: skip
    total = _summed(row)
    assert (total["days"], total["could_not_last"], total["empty_before_the_hour"]) == (3, 1, 1)
    assert (total["most_minutes_early"], total["below_oracle_most"], total["within_1_percent"]) == (3.0, 0.02, 0.5)


def test_a_rival_must_keep_battery_and_deadline(days: Days) -> None:
    assert _fair(fixed(days.day(), WIDE))
    assert not _fair(fixed(days.day(supply=Supply(capacity_j=1.0)), WIDE))
    late = fixed(days.day(Phase(deadline_ms=30.0)), WIDE)
    assert not _fair(late)
    assert _fair(late, missed=1.0)
