"""Rate, loss and age of a stream, from its chunks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinestream.dashboard.model.health import SPAN_S, StreamHealth

from .test_state import chunk


def test_the_rate_is_the_sensors_own_with_what_was_lost() -> None:
    health = StreamHealth()
    for first in range(0, 500, 10):
        if first % 50:  # every fifth chunk never comes
            health.push(chunk(first, 10), 0.0)
    assert health.rate_hz == pytest.approx(50.0)
    assert health.lost == 90
    assert health.loss == pytest.approx(90 / 480)


def test_no_rate_is_told_of_a_stream_that_has_just_begun() -> None:
    health = StreamHealth()
    assert (health.rate_hz, health.loss) == (None, 0.0)
    health.push(chunk(0, 50), 0.0)
    assert (health.rate_hz, health.loss) == (None, 0.0)


def test_old_losses_leave_the_share_and_stay_in_the_sum() -> None:
    health = StreamHealth()
    for first in [*range(0, 100, 10), *range(200, 200 + int(2 * SPAN_S * 50), 10)]:
        health.push(chunk(first, 10), 0.0)
    assert (health.loss, health.lost) == (0.0, 100)


def test_another_session_is_no_loss() -> None:
    health = StreamHealth()
    health.push(chunk(0, 10), 0.0)
    health.push(chunk(500, 10, session="two"), 0.0)
    assert health.lost == 0


def test_the_age_is_that_of_the_newest_sample_on_arrival() -> None:
    health = StreamHealth()
    first = chunk(0, 10)
    health.push(replace(first, received_s=float(first.t[-1]) + 0.25), 12.0)
    assert health.age_ms == pytest.approx(250.0)
    assert health.heard_s == 12.0
