"""Rate, loss and age of a stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinestream.dashboard.model.health import SPAN_S, StreamHealth

from ..builders import chunk


def test_the_rate_includes_lost_samples() -> None:
    health = StreamHealth()
    for first in range(0, 500, 10):
        if first % 50:  # every fifth chunk never arrives
            health.push(chunk(first, 10), 0.0)
    assert health.rate_hz == pytest.approx(50.0)
    assert health.lost == 90
    assert health.loss == pytest.approx(90 / 480)


def test_a_new_stream_has_no_rate() -> None:
    health = StreamHealth()
    assert (health.rate_hz, health.loss) == (None, 0.0)
    health.push(chunk(0, 50), 0.0)
    assert (health.rate_hz, health.loss) == (None, 0.0)


def test_old_losses_leave_the_share_but_stay_in_the_total() -> None:
    health = StreamHealth()
    for first in [*range(0, 100, 10), *range(200, 200 + int(2 * SPAN_S * 50), 10)]:
        health.push(chunk(first, 10), 0.0)
    assert (health.loss, health.lost) == (0.0, 100)


def test_a_new_epoch_is_not_a_loss() -> None:
    health = StreamHealth()
    health.push(chunk(0, 10), 0.0)
    health.push(chunk(500, 10, session="two"), 0.0)
    assert health.lost == 0


def test_the_age_is_the_newest_samples_age_on_arrival() -> None:
    health = StreamHealth()
    first = chunk(0, 10)
    health.push(replace(first, received_s=float(first.t[-1]) + 0.25), 12.0)
    assert health.age_ms == pytest.approx(250.0)
    assert health.last_arrival_s == 12.0
