"""Whether a sensor is worn otherwise: the angle, the rule that makes it sure, and what a file may hold."""

from __future__ import annotations

import math

import pytest

from kinestream.core.errors import ConfigError
from kinestream.interpret.placement import SURE_BLOCKS, Placement, PlacementWatch

X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
PLACEMENT = Placement(X, 50.0, 17)


def test_the_angle_ignores_rounding_of_opposite_and_equal_directions() -> None:
    assert Placement((0.6, 0.8, 0.0), 50.0, 9).angle_deg((0.6, 0.8, 0.0)) == pytest.approx(0, abs=1e-5)
    assert PLACEMENT.angle_deg((-1.0, 1e-9, 0.0)) == pytest.approx(180)


def test_a_wearer_who_stands_still_proves_nothing_however_long() -> None:
    watch = PlacementWatch(PLACEMENT)
    assert not any(watch.see(Y, 6) for _ in range(500))


def test_it_is_sure_after_enough_blocks_also_where_windows_skip_some() -> None:
    watch = PlacementWatch(PLACEMENT)
    assert [watch.see(Y, blocks) for blocks in (6, 8, 6 + SURE_BLOCKS - 1)] == [False, False, True]


def test_one_look_within_the_limit_starts_over() -> None:
    watch = PlacementWatch(PLACEMENT)
    assert [watch.see(X if blocks == 9 else Y, blocks) for blocks in range(6, 14)] == [False] * 8
    assert watch.see(Y, 14)


@pytest.mark.parametrize("up", [X, None])
def test_it_ends_when_up_lies_within_the_limit_or_is_unknown(up: tuple[float, float, float] | None) -> None:
    watch = PlacementWatch(PLACEMENT)
    assert [watch.see(Y, blocks) for blocks in range(6, 12)][-1]
    assert not watch.see(up, 12)
    assert math.isnan(watch.angle_deg) == (up is None)
    assert not watch.see(Y, 13)


def test_it_continues_elsewhere() -> None:
    watch, copy = PlacementWatch(PLACEMENT), PlacementWatch(PLACEMENT)
    for blocks in range(6, 9):
        watch.see(Y, blocks)
    copy.restore(watch.state())
    assert [copy.see(Y, blocks) for blocks in (9, 10)] == [watch.see(Y, blocks) for blocks in (9, 10)] == [False, True]


@pytest.mark.parametrize(
    ("up", "limit_deg", "people"),
    [
        ((0.0, 0.0, 0.0), 50.0, 9),
        ((math.nan, 0.0, 1.0), 50.0, 9),
        ((2.0, 0.0, 0.0), 50.0, 9),
        ((1.0, 0.0), 50.0, 9),
        (X, 0.0, 9),
        (X, 90.1, 9),
        (X, math.nan, 9),
        (X, 50.0, 0),
    ],
)
def test_an_impossible_placement_is_refused(up, limit_deg, people) -> None:
    with pytest.raises(ConfigError, match=r"up is|limit_deg is"):
        Placement(up, limit_deg, people)
