"""Sensors that neither stamp nor number their packets, at rates that were not announced."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.timing import Link, follow, simulate
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, SampleChunk
from kinestream.ingest.profile import Clock
from kinestream.ingest.timing.host_clock import host_clock
from kinestream.windowing import Segmenter

STEADY = Link(duration_s=30.0, retries=0.02, stalls_per_minute=0.0, loss=0.0, interval_s=0.03)
STAMPED_OR_COUNTED = (
    Clock(counter_modulus=256),
    Clock(counter_modulus=65536),
    Clock(tick_s=1e-3, time_modulus=2**32),
)


def at(nominal_hz: float, rate_hz: float, per_packet: int = 1, **changes: object) -> Link:
    return replace(STEADY, nominal_hz=nominal_hz, rate_hz=rate_hz, per_packet=per_packet, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nominal_hz", "rate_hz", "per_packet"),
    [
        (50, 48.5, 1),
        (50, 48.2, 1),
        (100, 97, 1),
        (50, 51.9, 1),
        (52, 50.4, 3),
        (50, 25, 1),
        (50, 12.5, 1),
        (25, 12.5, 1),
        (25, 40, 3),
        (50, 20, 6),
        (50, 80, 1),
        (200, 61, 1),
        (104, 166, 6),
        (100, 48, 20),
        (12.5, 50, 5),
    ],
)
def test_the_true_rate_is_found_within_seconds_and_nothing_is_called_lost(
    nominal_hz: float, rate_hz: float, per_packet: int
) -> None:
    found = follow(at(nominal_hz, rate_hz, per_packet), seed=1)
    assert (found.lost, found.gaps, found.restarts) == (0, 0, 0)
    assert found.rate_off < 0.005
    assert found.final_rate_off < 0.001
    assert found.early_ms < 150.0 + 1e3 * per_packet / nominal_hz
    assert found.later_ms < 40.0


def test_rates_of_any_sensor_over_any_link_are_found_with_nothing_called_lost() -> None:
    rng = random.Random(7)
    for seed in range(36):
        nominal_hz = rng.choice((12.5, 25.0, 50.0, 52.0, 100.0, 104.0, 200.0))
        rate_hz = nominal_hz * rng.uniform(0.4, 1.6)
        per_packet = rng.choice([n for n in (1, 1, 2, 3, 6, 10, 20) if n < 0.5 * rate_hz])
        link = at(
            nominal_hz,
            rate_hz,
            per_packet,
            duration_s=20.0,
            interval_s=rng.choice((0.0075, 0.015, 0.03, 0.04875, 0.1)),
            loss=rng.choice((0.0, 0.0, 0.01, 0.05)),
        )
        found = follow(link, seed)
        packet_ms = 1e3 * per_packet / rate_hz
        assert found.lost == 0, link
        assert found.restarts <= (link.loss > 0), link
        assert found.rate_off < (0.02 if link.loss else 0.006), link
        assert found.later_ms < (100.0 + 1.5 * packet_ms if link.loss else 60.0), link


@pytest.mark.parametrize("clock", STAMPED_OR_COUNTED)
@pytest.mark.parametrize(("nominal_hz", "rate_hz", "per_packet"), [(50, 48.5, 1), (100, 97.5, 1), (52, 50.4, 3)])
def test_a_sensor_off_its_nominal_rate_loses_nothing_by_its_clock_or_counter(
    clock: Clock, nominal_hz: float, rate_hz: float, per_packet: int
) -> None:
    _, packets = simulate(at(nominal_hz, rate_hz, per_packet), seed=1)
    host = host_clock(nominal_hz, clock)
    for packet in packets:
        number = packet.number % clock.counter_modulus if clock.counter_modulus else None
        ticks = int(packet.device_s * 1e3) if clock.tick_s else None
        host.push(packet.n, packet.received_s, ticks, number)
    assert (host.status().lost, host.status().jumps) == (0, 0)
    assert host.status().rate_hz == pytest.approx(rate_hz, rel=2e-3)


@pytest.mark.parametrize(
    ("before_hz", "after_hz", "per_packet"),
    [(50, 25, 1), (25, 50, 1), (50, 12.5, 1), (50, 25, 6), (26, 104, 6), (50, 40, 1)],
)
def test_another_rate_in_mid_stream_is_found_within_ten_seconds(
    before_hz: float, after_hz: float, per_packet: int
) -> None:
    link = at(50.0, before_hz, per_packet, later=(20.0, after_hz), duration_s=40.0)
    taken, packets = simulate(link, seed=2)
    host = host_clock(50.0, Clock())
    errors_s = []
    for packet in packets:
        timed = host.push(packet.n, packet.received_s)
        assert not timed.restarted
        assert timed.lost == 0
        since_s = packet.received_s - taken[0] - 20.0
        if since_s > 10.0:
            assert host.status().rate_hz == pytest.approx(after_hz, rel=0.03)
            errors_s.append(timed.t[-1] - taken[packet.first + packet.n - 1])
    assert host.status().rate_hz == pytest.approx(after_hz, rel=0.005)
    assert np.abs(np.array(errors_s) - np.median(errors_s)).max() < 0.08


@pytest.mark.parametrize("held", [0, 8])
@pytest.mark.parametrize("rate_hz", [50.0, 48.5, 25.0])
def test_a_silence_of_seconds_is_a_gap_in_time_and_not_a_loss(rate_hz: float, held: int) -> None:
    """As windowing sees it: no window spans the gap, and no number jumps."""
    link = at(50.0, rate_hz, long_stalls=((10.0, 4.0), (20.0, 2.0)), held=held)
    taken, packets = simulate(link, seed=3)
    host = host_clock(50.0, Clock())
    segmenter = Segmenter(InputSpec(ACC, 50.0, 128, 64), any_rate=True)
    windows, wrong_s, seq = [], 0.0, 0
    for packet in packets:
        timed = host.push(packet.n, packet.received_s)
        assert (timed.lost, timed.restarted) == (0, False)
        wrong_s += packet.n / rate_hz * (abs(timed.t[-1] - taken[packet.first + packet.n - 1] - 0.03) > 0.15)
        chunk = SampleChunk("s", "1", timed.t, np.zeros((packet.n, 3), np.float32), ACC, 50.0, seq, packet.received_s)
        windows += segmenter.push(chunk)
        seq += packet.n
    windows += segmenter.flush()
    assert (host.status().lost, host.status().gaps) == (0, 2)
    assert segmenter.counts()["lost"] == 0
    assert 2 <= segmenter.counts()["gaps"] <= 4  # the end of a silence may be found half a second later
    assert wrong_s < 1.6
    for start_s, end_s in ((110.5, 113.3), (120.5, 121.3)):
        assert not any(window.t_start_s < start_s and window.t_end_s > end_s for window in windows)


@pytest.mark.parametrize("per_packet", [1, 6, 20])
def test_a_link_that_holds_all_samples_back_in_its_stalls_restarts_time_once_at_most(per_packet: int) -> None:
    link = at(50.0, 48.5, per_packet, long_stalls=((10.0, 3.0), (20.0, 4.0), (30.0, 0.6), (34.0, 5.0)), duration_s=50.0)
    taken, packets = simulate(link, seed=4)
    host = host_clock(50.0, Clock())
    errors_s, restarts = [], 0
    for packet in packets:
        timed = host.push(packet.n, packet.received_s)
        restarts += timed.restarted
        errors_s.append(timed.t[-1] - taken[packet.first + packet.n - 1])
    error_s = np.abs(np.array(errors_s) - np.median(errors_s))
    assert restarts <= 1
    assert (host.status().lost, host.status().gaps) == (0, 0)
    assert host.status().rate_hz == pytest.approx(48.5, rel=1e-3)
    assert np.mean(error_s * (np.arange(len(error_s)) > 100) > 0.05) < 0.06


def test_lost_packets_leave_times_right_and_are_not_counted() -> None:
    for per_packet, limit_ms in ((1, 80.0), (6, 130.0)):
        found = follow(at(50.0, 48.5, per_packet, loss=0.03, duration_s=60.0, interval_s=0.05), seed=5)
        assert (found.lost, found.restarts) == (0, 0)
        assert found.later_ms < limit_ms


def test_the_reported_rate_is_that_at_which_samples_arrive() -> None:
    """Without a counter, a sensor of 50 Hz that loses 5 % is one of 47.5 Hz."""
    taken, packets = simulate(at(50.0, 50.0, loss=0.05, duration_s=60.0), seed=6)
    host = host_clock(50.0, Clock())
    for packet in packets:
        host.push(packet.n, packet.received_s)
    newest = [taken[packet.first] for packet in packets if taken[packet.first] > taken[-1] - 30.0]
    assert host.status().rate_hz == pytest.approx(len(newest) / 30.0, rel=0.015)
