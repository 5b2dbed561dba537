"""Times of simulated sensors behind a simulated link, against when the samples were truly taken."""

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
    """What the device's clock shows for the packet."""
    assert clock.tick_s is not None
    device_s = packet.device_s - (0.0 if clock.stamps == "last" else (packet.n - 1) / fs_hz) + start_s
    ticks = round(device_s / clock.tick_s)
    return ticks % clock.time_modulus if clock.time_modulus else ticks


def run(packets: list[Notification], clock: Clock, host: HostClock, link: Link = MINUTES) -> list[Timed]:
    found = []
    for packet in packets:
        time = stamp(packet, clock, link.rate_hz, 4290.0) if clock.tick_s else None
        number = packet.number % clock.counter_modulus if clock.counter_modulus else None
        found.append(host.push(packet.n, packet.received_s, time, number))
    return found


def off_s(taken: NDArray[np.float64], packets: list[Notification], found: list[Timed]) -> NDArray[np.float64]:
    """The error of each sample, the median taken off."""
    error = np.concatenate([out.t - taken[p.first : p.first + p.n] for p, out in zip(packets, found, strict=True)])
    return error - np.median(error)


def steps(found: list[Timed]) -> NDArray[np.float64]:
    return np.diff(np.concatenate([out.t for out in found]))


@pytest.mark.parametrize(("per_packet", "most_ms"), [(1, 2.0), (3, 3.0), (36, 10.0)])
@pytest.mark.parametrize("method", ["device clock", "packet counter"])
def test_with_a_clock_or_a_number_times_are_close_to_the_truth_and_every_loss_is_found(
    method: str, per_packet: int, most_ms: float
) -> None:
    link = replace(MINUTES, per_packet=per_packet, duration_s=600.0 if per_packet == 36 else 150.0)
    found = score(link, METHODS[method], seed=3)
    assert found.p95_ms < most_ms
    assert (found.miscounted, found.back) == (0, 0)
    assert found.missing > 0


@pytest.mark.parametrize("per_packet", [1, 36])
def test_arrivals_alone_tell_times_and_losses_nearly_as_well(per_packet: int) -> None:
    found = score(Link(per_packet=per_packet), METHODS["arrivals alone"], seed=3)
    assert found.p95_ms < 30.0
    assert found.back == 0
    assert found.missing > 0
    assert found.miscounted is not None
    assert abs(found.miscounted) <= per_packet


@pytest.mark.parametrize("rate_hz", [49.2, 50.0, 50.9])
def test_a_slow_sensor_that_loses_nothing_is_not_taken_for_one_that_loses(rate_hz: float) -> None:
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
def test_a_rate_that_was_misstated_is_noticed_within_seconds(clock: Clock, nominal_hz: float, rate_hz: float) -> None:
    """A board whose loop takes longer than its author thought, say."""
    link = replace(MINUTES, nominal_hz=nominal_hz, rate_hz=rate_hz, loss=0.0)
    taken, packets = simulate(link, seed=13)
    host = host_clock(nominal_hz, clock)
    found = run(packets, clock, host, link)
    assert host.status().rate_hz == pytest.approx(rate_hz, rel=2e-3)
    assert host.status().lost <= 1
    later = len(packets) // 6
    assert not any(out.fresh for out in found[later:])
    assert np.percentile(np.abs(off_s(taken, packets[later:], found[later:])), 95) < 0.01


def test_a_clock_whose_tick_was_misstated_is_followed_all_the_same() -> None:
    """Some firmware of a family ticks every 10 ms where the others tick every 8."""
    link = replace(MINUTES, nominal_hz=20.0, rate_hz=20.0, loss=0.0)
    taken, packets = simulate(link, seed=14)
    clock = Clock(tick_s=0.008, time_modulus=2**16)
    host = host_clock(20.0, clock)
    found = [host.push(1, packet.received_s, round(packet.device_s / 0.010) % 2**16) for packet in packets]
    assert not any(out.fresh for out in found[400:])
    assert np.percentile(np.abs(off_s(taken, packets[1000:], found[1000:])), 95) < 0.02
    assert host.status().lost == 0


def test_a_lost_packet_stretches_no_sample_over_the_gap() -> None:
    """As the vendor's rule for Polar does; stamps of the last of 36 samples, 1.2 % off the nominal rate."""
    taken, packets = simulate(replace(MINUTES, per_packet=36, loss=0.05), seed=2)
    host = host_clock(52.0, NANOSECONDS)
    found = run(packets, NANOSECONDS, host)
    for before, after, out_before, out in zip(packets[20:], packets[21:], found[20:], found[21:], strict=False):
        assert out.lost == after.first - before.first - before.n
        assert np.diff(out.t) == pytest.approx(np.diff(taken[:36]), rel=0.012)
        assert out.t[0] - out_before.t[-1] == pytest.approx((out.lost + 1) / 52.62, rel=0.03)


def test_steps_between_samples_stay_even() -> None:
    """What windowing wants: no saw-tooth as the line is learnt, after the first seconds."""
    _, packets = simulate(replace(MINUTES, loss=0.0), seed=4)
    for clock in (MICROSECONDS, NUMBERS[16], Clock()):
        even = steps(run(packets, clock, host_clock(52.0, clock)))[600:] * 52.62
        even = even[np.abs(even - 2) > 0.01]  # arrivals alone may tell of a loss that was none
        assert np.abs(even - 1).max() < 0.03
        assert np.std(even) < 0.003


def test_windows_run_on_where_nothing_was_lost_and_break_where_much_was() -> None:
    spec = InputSpec(ACC, 50.0, 128, 64)
    _, packets = simulate(replace(MINUTES, loss=0.0), seed=5)
    hole = [packet for packet in packets if not 3000 <= packet.number < 3030]
    for kept, gaps in ((packets, 0), (hole, 1)):
        segmenter = Segmenter(spec)
        host = host_clock(52.0, NUMBERS[16])
        seq = 0
        for packet, out in zip(kept, run(kept, NUMBERS[16], host), strict=True):
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
def test_wraps_are_survived_with_their_packets_lost_and_several_in_one_silence(
    clock: Clock, per_packet: int, silence_s: float
) -> None:
    link = replace(MINUTES, per_packet=per_packet, loss=0.02)
    taken, packets = simulate(link, seed=6)
    kept = [packet for packet in packets if not 60.0 <= taken[packet.first] - 100.0 < 60.0 + silence_s]
    host = host_clock(52.0, clock)
    found = run(kept, clock, host)
    assert not any(out.fresh for out in found)
    assert host.status().lost == kept[-1].first - kept[0].first - sum(packet.n for packet in kept[:-1])
    assert np.percentile(np.abs(off_s(taken, kept, found)), 90) < 0.005
    assert steps(found).min() > 0


def test_a_wild_stamp_is_set_aside_and_its_samples_timed_by_their_place() -> None:
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=7)
    host = host_clock(52.0, NANOSECONDS)
    found = []
    for packet in packets:
        wild = {1000: 9e6, 2000: -40.0, 3000: 3.0}.get(packet.number, 0.0)
        found.append(host.push(1, packet.received_s, stamp(packet, NANOSECONDS, 52.62, 100.0 + wild)))
    status = host.status()
    assert (status.outliers, status.jumps, status.lost) == (3, 0, 0)
    assert np.abs(off_s(taken, packets, found)[600:]).max() < 0.003
    assert steps(found).min() > 0


@pytest.mark.parametrize("jump_s", [-75.0, -3.0, 3.0, 86_400.0])
@pytest.mark.parametrize("clock", [NANOSECONDS, MICROSECONDS, NUMBERS[16]])
def test_a_device_that_begins_its_time_anew_begins_a_new_session(clock: Clock, jump_s: float) -> None:
    """A restart, or a clock that was set: three packets that agree, then times follow the new one."""
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=8)
    host = host_clock(52.0, clock)
    found = []
    for packet in packets:
        jumped = jump_s if packet.number >= 4000 else 0.0
        if clock.tick_s:
            out = host.push(1, packet.received_s, stamp(packet, clock, 52.62, 200.0 + jumped))
        else:
            number = packet.number + 30_000 + round(jumped * 52) % 40_000
            out = host.push(1, packet.received_s, None, number % 2**16)
        found.append(out)
    assert [i for i, out in enumerate(found) if out.fresh] == [4002]
    status = host.status()
    assert (status.jumps, status.outliers, status.lost) == (1, 0, 0)
    assert np.percentile(np.abs(off_s(taken, packets, found)), 95) < 0.005


def test_a_backlog_shows_as_age_and_moves_no_time() -> None:
    """Fifteen seconds of samples held up somewhere, then all at once, as a chest strap was seen to do."""
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=9)
    held = [replace(packet, received_s=175.0) if 160.0 <= packet.received_s < 175.0 else packet for packet in packets]
    host = host_clock(52.0, NANOSECONDS)
    oldest_ms = 0.0
    found = []
    for packet in held:
        found += run([packet], NANOSECONDS, host)
        oldest_ms = max(oldest_ms, host.status().age_ms)
    assert oldest_ms == pytest.approx(15_000, abs=100)
    assert host.status().jumps == 0
    assert np.abs(off_s(taken, held, found)[600:]).max() < 0.003


def test_what_was_held_up_before_the_first_arrivals_begins_anew_when_it_has_come() -> None:
    _, packets = simulate(replace(MINUTES, loss=0.0), seed=10)
    held = [replace(packet, received_s=max(packet.received_s, 104.0)) for packet in packets]
    for clock in (NANOSECONDS, NUMBERS[16], Clock()):
        host = host_clock(52.0, clock)
        found = run(held, clock, host)
        assert 0 < sum(out.fresh for out in found) < 10
        assert not any(out.fresh for out in found[300:])
        late_s = np.array([p.received_s - out.t[-1] for p, out in zip(held[600:], found[600:], strict=True)])
        assert 0 <= np.percentile(late_s, 5) < 0.06


def test_a_sensor_that_speaks_only_of_changes_loses_nothing_by_silence() -> None:
    link = replace(MINUTES, nominal_hz=10.0, rate_hz=10.05, loss=0.0)
    taken, packets = simulate(link, seed=11)
    moving = [packet for packet in packets if packet.number % 300 < 200]
    host = host_clock(10.0, Clock(), on_change=True)
    found = run(moving, Clock(), host, link)
    assert not any(out.lost for out in found)
    assert host.status().lost == 0
    assert np.percentile(np.abs(off_s(taken, moving, found)), 95) < 0.15


@pytest.mark.parametrize("at_s", [2.5, 60.0])
def test_after_a_long_silence_arrivals_alone_give_times_that_follow_at_once(at_s: float) -> None:
    """And a silence in the first seconds is not taken for a slow sensor."""
    taken, packets = simulate(replace(MINUTES, loss=0.0), seed=15)
    kept = [packet for packet in packets if not at_s <= taken[packet.first] - 100.0 < at_s + 10.0]
    host = host_clock(52.0, Clock())
    found = run(kept, Clock(), host)
    assert host.status().rate_hz == pytest.approx(52.62, rel=1e-3)
    assert abs(host.status().lost - (len(packets) - len(kept))) <= 2
    assert np.abs(off_s(taken, kept, found)).max() < 0.7


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
def test_whatever_a_device_says_times_ascend_until_they_begin_anew(clock: Clock) -> None:
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
            assert np.diff(out.t, prepend=-np.inf if out.fresh else last_s).min() > 0
            last_s = out.t[-1]


def test_the_same_packets_give_the_same_times() -> None:
    _, packets = simulate(replace(MINUTES, duration_s=30.0), seed=12)
    for clock in (MICROSECONDS, NUMBERS[8], Clock()):
        one, other = (run(packets, clock, host_clock(52.0, clock)) for _ in range(2))
        assert all((a.t == b.t).all() and a.lost == b.lost for a, b in zip(one, other, strict=True))


def test_a_status_before_the_first_packet_says_that_it_waits() -> None:
    for clock in (MICROSECONDS, NUMBERS[8], Clock()):
        assert host_clock(52.0, clock).status().state == "waiting"


@given(
    modulus=st.sampled_from([101, 2**8, 2**16, 2**32]),
    true=st.integers(0, 2**50),
    wrong=st.floats(-0.24, 0.74),
)
def test_a_count_is_unwrapped_wherever_the_expectation_lies_up_to_three_quarters_ahead(
    modulus: int, true: int, wrong: float
) -> None:
    assert unwrap(true % modulus, true + int(wrong * modulus), modulus) == true


@given(st.integers(0, 255), st.integers(-(2**40), 2**40))
def test_an_unwrapped_count_is_congruent_and_near(raw: int, expected: int) -> None:
    count = unwrap(raw, expected, 256)
    assert count % 256 == raw
    assert expected - 192 <= count < expected + 64


def test_a_count_without_end_is_left_alone() -> None:
    assert unwrap(7, 1000, None) == 7


def test_the_simulated_link_loses_delays_and_keeps_the_order() -> None:
    taken, packets = simulate(MINUTES, seed=0)
    received = np.array([packet.received_s for packet in packets])
    latency = received - [taken[packet.first] for packet in packets]
    assert (np.diff(received) >= 0).all()
    assert latency.min() > 0.02
    assert latency.max() > 0.1
    assert len(packets) < len(taken)
