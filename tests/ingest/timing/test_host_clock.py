"""Times of simulated sensors behind a simulated link, compared with the true sample times."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.timing import METHODS, Link, Notification, score, simulate
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, SampleChunk
from kinestream.ingest.profile import Clock
from kinestream.ingest.timing.host_clock import host_clock
from kinestream.ingest.timing.timed import HostClock, Timed
from kinestream.ingest.timing.unwrap import unwrap
from kinestream.windowing import Segmenter

MINUTES = Link(duration_s=150.0)
MICROSECONDS = Clock(tick_s=1e-6, time_modulus=2**32, stamps="last")
MILLISECONDS_16 = Clock(tick_s=1e-3, time_modulus=2**16)
NANOSECONDS = Clock(tick_s=1e-9, stamps="last")
NUMBERS = {bits: Clock(counter_modulus=2**bits) for bits in (8, 16)}


def stamp(packet: Notification, clock: Clock, fs_hz: float, start_s: float = 0.0) -> int:
    """The time of the device's clock for the packet."""
    assert clock.tick_s is not None
    device_s = packet.device_s - (0.0 if clock.stamps == "last" else (packet.n - 1) / fs_hz) + start_s
    ticks = round(device_s / clock.tick_s)
    return ticks % clock.time_modulus if clock.time_modulus else ticks


def run(packets: list[Notification], clock: Clock, host: HostClock, link: Link = MINUTES) -> list[Timed]:
    timed = []
    for packet in packets:
        time = stamp(packet, clock, link.rate_hz, 4290.0) if clock.tick_s else None
        number = packet.number % clock.counter_modulus if clock.counter_modulus else None
        timed.append(host.push(packet.n, packet.received_s, time, number))
    return timed


def errors_s(taken: NDArray[np.float64], packets: list[Notification], timed: list[Timed]) -> NDArray[np.float64]:
    """The error of each sample, relative to the median error."""
    error = np.concatenate([out.t - taken[p.first : p.first + p.n] for p, out in zip(packets, timed, strict=True)])
    return error - np.median(error)


def steps(timed: list[Timed]) -> NDArray[np.float64]:
    return np.diff(np.concatenate([out.t for out in timed]))


@pytest.mark.parametrize(("per_packet", "limit_ms"), [(1, 2.0), (3, 3.0), (36, 10.0)])
@pytest.mark.parametrize("method", ["device clock", "packet counter"])
def test_a_clock_or_a_counter_gives_close_times_and_finds_every_loss(
    method: str, per_packet: int, limit_ms: float
) -> None:
    link = replace(MINUTES, per_packet=per_packet, duration_s=600.0 if per_packet == 36 else 150.0)
    result = score(link, METHODS[method], seed=3)
    assert result.p95_ms < limit_ms
    assert (result.miscounted, result.back) == (0, 0)
    assert result.missing > 0


@pytest.mark.parametrize("per_packet", [1, 36])
def test_arrivals_alone_give_times_nearly_as_well_and_report_no_loss(per_packet: int) -> None:
    link = Link(per_packet=per_packet)
    result = score(link, METHODS["arrivals alone"], seed=3)
    assert result.p95_ms < 25.0
    assert result.back == 0
    assert result.missing > 0
    host = host_clock(link.nominal_hz, Clock())
    assert not any(out.lost for out in run(simulate(link, seed=3)[1], Clock(), host, link))
    assert host.status().lost == 0


@pytest.mark.parametrize("rate_hz", [49.2, 50.0, 50.9])
def test_a_slow_sensor_without_losses_is_not_mistaken_for_a_lossy_one(rate_hz: float) -> None:
    link = replace(MINUTES, nominal_hz=50.0, rate_hz=rate_hz, loss=0.0)
    _, packets = simulate(link, seed=1)
    host = host_clock(50.0, Clock())
    run(packets, Clock(), host)
    assert host.status().lost <= 1
    assert host.status().rate_hz == pytest.approx(rate_hz, rel=1e-3)


@pytest.mark.parametrize("kind", ["device clock", "packet counter"])
def test_the_true_rate_is_found(kind: str) -> None:
    clock = MICROSECONDS if kind == "device clock" else NUMBERS[16]
    link = replace(MINUTES, per_packet=36 if kind == "device clock" else 1)
    _, packets = simulate(link, seed=1)
    host = host_clock(52.0, clock)
    run(packets, clock, host)
    status = host.status()
    assert (status.kind, status.state) == (kind, "fitted")
    assert status.rate_hz == pytest.approx(52.62, rel=2e-4)


@pytest.mark.parametrize(("nominal_hz", "rate_hz"), [(50.0, 44.0), (50.0, 60.0), (20.0, 24.5), (25.0, 21.0)])
@pytest.mark.parametrize("clock", [NUMBERS[16], Clock()])
def test_a_misstated_rate_is_detected_within_seconds(clock: Clock, nominal_hz: float, rate_hz: float) -> None:
    """For example a board whose loop takes longer than its author expected."""
    link = replace(MINUTES, nominal_hz=nominal_hz, rate_hz=rate_hz, loss=0.0)
    taken, packets = simulate(link, seed=13)
    host = host_clock(nominal_hz, clock)
    timed = run(packets, clock, host, link)
    assert host.status().rate_hz == pytest.approx(rate_hz, rel=2e-3)
    assert host.status().lost <= 1
    later = len(packets) // 6
    assert not any(out.restarted for out in timed[later:])
    assert np.percentile(np.abs(errors_s(taken, packets[later:], timed[later:])), 95) < 0.01


def test_a_clock_with_a_misstated_tick_is_still_followed() -> None:
    """Some firmware of a family ticks every 10 ms where the others tick every 8."""
    link = replace(MINUTES, nominal_hz=20.0, rate_hz=20.0, loss=0.0)
    taken, packets = simulate(link, seed=14)
    clock = Clock(tick_s=0.008, time_modulus=2**16)
    host = host_clock(20.0, clock)
    timed = [host.push(1, packet.received_s, round(packet.device_s / 0.010) % 2**16) for packet in packets]
    assert not any(out.restarted for out in timed[400:])
    assert np.percentile(np.abs(errors_s(taken, packets[1000:], timed[1000:])), 95) < 0.02
    assert host.status().lost == 0


def test_a_lost_packet_does_not_stretch_its_neighbours_over_the_gap() -> None:
    """The vendor's rule for Polar would stretch them; here stamps of the last of 36 samples, 1.2 % off the nominal
    rate."""
    taken, packets = simulate(replace(MINUTES, per_packet=36, loss=0.05), seed=2)
    host = host_clock(52.0, NANOSECONDS)
    timed = run(packets, NANOSECONDS, host)
    for before, after, out_before, out in zip(packets[20:], packets[21:], timed[20:], timed[21:], strict=False):
        assert out.lost == after.first - before.first - before.n
        assert np.diff(out.t) == pytest.approx(np.diff(taken[:36]), rel=0.012)
        assert out.t[0] - out_before.t[-1] == pytest.approx((out.lost + 1) / 52.62, rel=0.03)


def test_steps_between_samples_stay_even() -> None:
    """Windowing needs times without a saw-tooth as the line is fitted, after the first seconds."""
    _, packets = simulate(replace(MINUTES, loss=0.0), seed=4)
    for clock in (MICROSECONDS, NUMBERS[16], Clock()):
        even = steps(run(packets, clock, host_clock(52.0, clock)))[600:] * 52.62
        even = even[np.abs(even - 2) > 0.01]  # arrivals alone may show a false loss
        assert np.abs(even - 1).max() < 0.03
        assert np.std(even) < 0.003


def test_windows_continue_without_losses_and_break_at_long_ones() -> None:
    spec = InputSpec(ACC, 50.0, 128, 64)
    _, packets = simulate(replace(MINUTES, loss=0.0), seed=5)
    hole = [packet for packet in packets if not 3000 <= packet.number < 3030]
    for received, gaps in ((packets, 0), (hole, 1)):
        segmenter = Segmenter(spec)
        host = host_clock(52.0, NUMBERS[16])
        seq = 0
        for packet, out in zip(received, run(received, NUMBERS[16], host), strict=True):
            seq += out.lost
            x = np.zeros((packet.n, 3), np.float32)
            segmenter.push(SampleChunk("s", "1", out.t, x, ACC, 52.0, seq, packet.received_s))
            seq += packet.n
        segmenter.flush()
        counts = segmenter.counts()
        assert (counts["gaps"], counts["lost"], counts["out_of_order"]) == (gaps, 30 * gaps, 0)


@pytest.mark.parametrize(
    ("clock", "per_packet"),
    [(NUMBERS[8], 1), (NUMBERS[8], 3), (NUMBERS[16], 1), (MICROSECONDS, 1), (MILLISECONDS_16, 4)],
)
@pytest.mark.parametrize("silence_s", [0.0, 3.0, 21.0])
def test_wraps_are_handled_even_if_packets_around_them_are_lost(
    clock: Clock, per_packet: int, silence_s: float
) -> None:
    link = replace(MINUTES, per_packet=per_packet, loss=0.02)
    taken, packets = simulate(link, seed=6)
    received = [packet for packet in packets if not 60.0 <= taken[packet.first] - 100.0 < 60.0 + silence_s]
    host = host_clock(52.0, clock)
    timed = run(received, clock, host)
    assert not any(out.restarted for out in timed)
    assert host.status().lost == received[-1].first - received[0].first - sum(packet.n for packet in received[:-1])
    assert np.percentile(np.abs(errors_s(taken, received, timed)), 90) < 0.005
    assert steps(timed).min() > 0


def test_samples_with_an_implausible_stamp_are_timed_by_their_position() -> None:
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=7)
    host = host_clock(52.0, NANOSECONDS)
    timed = []
    for packet in packets:
        wild = {1000: 9e6, 2000: -40.0, 3000: 3.0}.get(packet.number, 0.0)
        timed.append(host.push(1, packet.received_s, stamp(packet, NANOSECONDS, 52.62, 100.0 + wild)))
    status = host.status()
    assert (status.outliers, status.jumps, status.lost) == (3, 0, 0)
    assert np.abs(errors_s(taken, packets, timed)[600:]).max() < 0.003
    assert steps(timed).min() > 0


@pytest.mark.parametrize("jump_s", [-75.0, -3.0, 3.0, 86_400.0])
@pytest.mark.parametrize("clock", [NANOSECONDS, MICROSECONDS, NUMBERS[16]])
def test_a_restart_of_the_device_time_starts_a_new_epoch(clock: Clock, jump_s: float) -> None:
    """A restart, or a clock that was set: after three packets that agree, times follow the new clock."""
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=8)
    host = host_clock(52.0, clock)
    timed = []
    for packet in packets:
        jumped = jump_s if packet.number >= 4000 else 0.0
        if clock.tick_s:
            out = host.push(1, packet.received_s, stamp(packet, clock, 52.62, 200.0 + jumped))
        else:
            number = packet.number + 30_000 + round(jumped * 52) % 40_000
            out = host.push(1, packet.received_s, None, number % 2**16)
        timed.append(out)
    assert [i for i, out in enumerate(timed) if out.restarted] == [4002]
    status = host.status()
    assert (status.jumps, status.outliers, status.lost) == (1, 0, 0)
    assert np.percentile(np.abs(errors_s(taken, packets, timed)), 95) < 0.005


def test_a_backlog_shows_as_age_and_does_not_change_times() -> None:
    """Fifteen seconds of samples held back and then sent all at once, as observed with a chest strap."""
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=9)
    held = [replace(packet, received_s=175.0) if 160.0 <= packet.received_s < 175.0 else packet for packet in packets]
    host = host_clock(52.0, NANOSECONDS)
    oldest_ms = 0.0
    timed = []
    for packet in held:
        timed += run([packet], NANOSECONDS, host)
        oldest_ms = max(oldest_ms, host.status().age_ms)
    assert oldest_ms == pytest.approx(15_000, abs=100)
    assert host.status().jumps == 0
    assert np.abs(errors_s(taken, held, timed)[600:]).max() < 0.003


def test_time_restarts_after_a_backlog_at_the_start() -> None:
    _, packets = simulate(replace(MINUTES, loss=0.0), seed=10)
    held = [replace(packet, received_s=max(packet.received_s, 104.0)) for packet in packets]
    for clock in (NANOSECONDS, NUMBERS[16], Clock()):
        host = host_clock(52.0, clock)
        timed = run(held, clock, host)
        assert 0 < sum(out.restarted for out in timed) < 10
        assert not any(out.restarted for out in timed[300:])
        late_s = np.array([p.received_s - out.t[-1] for p, out in zip(held[600:], timed[600:], strict=True)])
        assert 0 <= np.percentile(late_s, 5) < 0.06


def test_silence_of_a_sensor_that_sends_only_changes_is_not_a_loss() -> None:
    link = replace(MINUTES, nominal_hz=10.0, rate_hz=10.05, loss=0.0)
    taken, packets = simulate(link, seed=11)
    moving = [packet for packet in packets if packet.number % 300 < 200]
    host = host_clock(10.0, Clock(), on_change=True)
    timed = run(moving, Clock(), host, link)
    assert not any(out.lost for out in timed)
    assert host.status().lost == 0
    assert np.percentile(np.abs(errors_s(taken, moving, timed)), 95) < 0.15


@pytest.mark.parametrize("at_s", [2.5, 60.0])
def test_times_from_arrivals_alone_are_right_at_once_after_a_long_silence(at_s: float) -> None:
    """A silence in the first seconds must not look like a slow sensor either."""
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=15)
    received = [packet for packet in packets if not at_s <= taken[packet.first] - 100.0 < at_s + 10.0]
    host = host_clock(52.0, Clock())
    timed = run(received, Clock(), host)
    assert host.status().rate_hz == pytest.approx(52.62, rel=1e-3)
    assert (host.status().lost, host.status().gaps) == (0, 1)
    assert np.abs(errors_s(taken, received, timed)).max() < 0.7


@pytest.mark.parametrize(
    "clock",
    [
        MICROSECONDS,
        NANOSECONDS,
        Clock(tick_s=0.008, time_modulus=2**16),
        NUMBERS[8],
        Clock(counter_modulus=101, counts="samples"),
        Clock(),
    ],
)
def test_times_ascend_until_a_restart_whatever_the_device_sends(clock: Clock) -> None:
    rng = random.Random(16)
    for _ in range(3):
        host, received_s, last_s, count = host_clock(50.0, clock), 1000.0, 0.0, 0
        for _ in range(1500):
            received_s += rng.choice((0, 0, 0.02, 0.05, rng.expovariate(2), 30 * (rng.random() < 0.002)))
            n = rng.choice((1, 1, 3, rng.randint(1, 71)))
            count += n
            ticks = rng.randrange(2**40) if rng.random() < 0.3 else int(count / 50 / (clock.tick_s or 1))
            number = rng.randrange(2**16) if rng.random() < 0.3 else count
            out = host.push(n, received_s, ticks % (clock.time_modulus or 2**64), number % (clock.counter_modulus or 1))
            assert np.isfinite(out.t).all()
            assert out.lost >= 0
            assert np.diff(out.t, prepend=-np.inf if out.restarted else last_s).min() > 0
            last_s = out.t[-1]


def test_the_same_packets_give_the_same_times() -> None:
    _, packets = simulate(replace(MINUTES, duration_s=30.0), seed=12)
    for clock in (MICROSECONDS, NUMBERS[8], Clock()):
        first, second = (run(packets, clock, host_clock(52.0, clock)) for _ in range(2))
        assert all((a.t == b.t).all() and a.lost == b.lost for a, b in zip(first, second, strict=True))


def test_the_status_before_the_first_packet_is_waiting() -> None:
    for clock in (MICROSECONDS, NUMBERS[8], Clock()):
        assert host_clock(52.0, clock).status().state == "waiting"


@given(
    modulus=st.sampled_from([101, 2**8, 2**16, 2**32]),
    true=st.integers(0, 2**50),
    wrong=st.floats(-0.24, 0.74),
)
def test_a_count_is_unwrapped_up_to_three_quarters_behind_the_expectation(
    modulus: int, true: int, wrong: float
) -> None:
    assert unwrap(true % modulus, true + int(wrong * modulus), modulus) == true


@given(st.integers(0, 255), st.integers(-(2**40), 2**40))
def test_an_unwrapped_count_is_congruent_and_near_the_expectation(raw: int, expected: int) -> None:
    count = unwrap(raw, expected, 256)
    assert count % 256 == raw
    assert expected - 192 <= count < expected + 64


def test_a_count_without_a_modulus_stays_unchanged() -> None:
    assert unwrap(7, 1000, None) == 7


def test_the_simulated_link_loses_and_delays_packets_in_order() -> None:
    taken, packets = simulate(MINUTES, seed=0)
    received = np.array([packet.received_s for packet in packets])
    latency = received - [taken[packet.first] for packet in packets]
    assert (np.diff(received) >= 0).all()
    assert latency.min() > 0.02
    assert latency.max() > 0.1
    assert len(packets) < len(taken)
