"""What arrives of a stream, measured from its samples' times and the host's clock."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.evidence import StreamFigures
from kinestream.core.signals import ACC, SampleChunk, Window
from kinestream.observe.stream_observer import MOST_CHUNKS, SPAN_S, StreamObserver, StreamObservers

ANNOUNCED_HZ = 50.0


def stream(
    t: Sequence[float] | np.ndarray,
    size: int = 10,
    *,
    announced_hz: float = ANNOUNCED_HZ,
    late_s: float = 0.03,
    epoch: str = "a",
    first: int = 0,
) -> Iterator[SampleChunk]:
    """Chunks of samples at these times, each received a little after its last sample."""
    t = np.asarray(t, np.float64)
    for start in range(0, len(t), size):
        part = t[start : start + size]
        x = np.zeros((len(part), 3), np.float32)
        yield SampleChunk(
            "wrist", epoch, part, x, ACC, announced_hz, first + start, received_s=float(part[-1]) + late_s
        )


def observed(*streams: Iterator[SampleChunk], live: bool = True) -> StreamFigures:
    """The figures after chunks whose ``received_s`` is the host's time."""
    observer, host_s = StreamObserver(live=live), 0.0
    for chunks in streams:
        for chunk in chunks:
            host_s = chunk.received_s
            observer.push(chunk, host_s)
    return observer.figures(host_s)


@pytest.mark.parametrize("rate_hz", [12.5, 20.0, 48.5, 50.0, 51.9, 80.0, 200.0])
@pytest.mark.parametrize("size", [1, 10, 25])
def test_the_true_rate_is_found_whatever_is_announced_and_however_the_stream_is_cut(rate_hz: float, size: int) -> None:
    figures = observed(stream(np.arange(int(20 * rate_hz)) / rate_hz, size))
    assert figures.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert figures.jitter_ms == pytest.approx(0.0, abs=1e-6)
    assert (figures.burst_samples, figures.lost) == (1, 0)
    assert figures.age_ms == pytest.approx(30.0)
    assert SPAN_S - 2.5 <= figures.span_s <= SPAN_S + 2.5


@pytest.mark.parametrize("rate_hz", [20.0, 48.5, 51.9, 80.0, 12.5])
def test_samples_stamped_at_the_announced_rate_are_measured_by_their_arrival(rate_hz: float) -> None:
    observer = StreamObserver(live=True)
    noise = np.random.default_rng(1)
    host_s = 0.0
    for number, chunk in enumerate(stream(np.arange(int(20 * rate_hz)) / ANNOUNCED_HZ)):
        host_s = (number + 1) * 10 / rate_hz + noise.exponential(0.01)
        observer.push(chunk, host_s)
    assert observer.figures(host_s).rate_hz == pytest.approx(rate_hz, rel=0.01)


@pytest.mark.parametrize("live", [True, False])
def test_the_arrivals_that_a_sender_or_a_recording_noted_count_more_than_those_here(live: bool) -> None:
    observer, noise = StreamObserver(live=live), np.random.default_rng(2)
    for number, chunk in enumerate(stream(np.arange(400) / ANNOUNCED_HZ)):
        received_s = (number + 1) * 10 / 36 + noise.exponential(0.01)
        observer.push(replace(chunk, received_s=received_s), host_s=number * 0.15)  # a backlog drains at 67 Hz
    assert observer.figures(20.0).rate_hz == pytest.approx(36.0, rel=0.01)


def test_a_backlog_that_arrives_at_once_does_not_change_the_rate() -> None:
    for silent_from_s, silent_to_s in ((3.0, 5.0), (4.0, 8.0), (0.5, 9.0)):
        observer, host_s = StreamObserver(live=True), 0.0
        for chunk in stream(np.arange(500) / 50.0):
            t_s = float(chunk.t[-1])
            host_s = max(t_s + 0.02, silent_to_s + t_s / 1000 if t_s > silent_from_s else 0.0)
            observer.push(chunk, host_s)
        assert observer.figures(host_s).rate_hz == pytest.approx(50.0, rel=1e-3), silent_from_s


def test_a_sender_that_replays_a_file_keeps_the_rate_of_its_stamps() -> None:
    observer = StreamObserver(live=True)
    for number, chunk in enumerate(stream(np.arange(50_000) / 50.0)):
        observer.push(chunk, host_s=number * 0.001)
    figures = observer.figures(5.0)
    assert figures.rate_hz == pytest.approx(50.0)
    assert figures.span_s <= 3 * SPAN_S


def test_a_replay_is_measured_on_its_own_clock() -> None:
    observer = StreamObserver(live=False)
    for chunk in stream(np.arange(1000) / 50.0):
        observer.push(chunk, host_s=3.0)  # all at once
    figures = observer.figures(60.0)
    assert figures.silence_s == 0.0
    assert figures.rate_hz == pytest.approx(50.0)
    assert SPAN_S - 0.5 <= figures.span_s <= SPAN_S + 0.5


def test_samples_that_share_one_instant_are_a_burst_and_do_not_change_the_rate() -> None:
    t = np.repeat(np.arange(60) * 0.24, 12)
    for size in (12, 1, 7):
        figures = observed(stream(t, size))
        assert figures.burst_samples == 12
        assert figures.rate_hz == pytest.approx(50.0, rel=0.01)
        assert figures.jitter_ms == pytest.approx(240.0)


def test_samples_a_millisecond_apart_are_a_burst() -> None:
    t = (np.arange(60)[:, None] * 0.24 + np.arange(12) * 0.001).ravel()
    figures = observed(stream(t, 12))
    assert figures.burst_samples == 12
    assert figures.rate_hz == pytest.approx(50.0, rel=0.01)


def test_jitter_is_no_burst() -> None:
    noise = np.random.default_rng(3)
    t = np.sort(np.arange(500) / 50.0 + noise.normal(0, 0.008, 500))
    figures = observed(stream(t))
    assert figures.burst_samples == 1
    assert figures.jitter_ms == pytest.approx(2 * 1.645 * 0.008 * 2**0.5 * 1000, rel=0.2)
    assert figures.rate_hz == pytest.approx(50.0, rel=0.01)


def test_a_clock_that_jumps_breaks_the_stream_and_not_its_figures() -> None:
    t = np.arange(450) / 50.0
    for jump_s in (-3600.0, -0.5, 3.0, 1e9):
        figures = observed(stream(np.where(np.arange(450) < 200, t, t + jump_s)))
        assert figures.rate_hz == pytest.approx(50.0, rel=1e-6), jump_s
        assert figures.jitter_ms == pytest.approx(0.0, abs=1e-3)
        assert figures.lost == 0


def test_many_short_epochs_have_one_rate_and_lose_nothing() -> None:
    epochs = [stream(5.0 * n + np.arange(60) / 50.0, epoch=f"e{n}", first=1000 * n) for n in range(4)]
    figures = observed(*epochs)
    assert figures.rate_hz == pytest.approx(50.0)
    assert (figures.lost, figures.samples) == (0, 240)


def test_a_jump_of_the_sequence_is_a_loss_and_leaves_the_sensors_rate() -> None:
    t = np.arange(500) / 50.0
    figures = observed(*(stream(t[at : at + 10], first=at) for at in range(0, 500, 10) if at % 50))
    assert figures.lost == 90
    assert figures.rate_hz == pytest.approx(50.0)
    assert figures.lost_share == pytest.approx(0.2, abs=0.02)
    assert figures.interpolated_share == pytest.approx(0.2, abs=0.03)
    assert figures.jitter_ms == pytest.approx(0.0, abs=1e-6)


def test_old_losses_leave_the_share_but_stay_in_the_total() -> None:
    t = np.arange(1500) / 50.0
    figures = observed(stream(t[:100]), stream(t[200:], first=200))
    assert (figures.lost_share, figures.lost) == (0.0, 100)


def test_a_hole_without_a_counter_is_interpolated_and_not_lost() -> None:
    t = np.arange(450) / 50.0
    t[225:] += 0.9
    figures = observed(stream(t))
    assert figures.lost == 0
    assert figures.interpolated_share == pytest.approx(0.9 / 9.9, abs=0.02)


@pytest.mark.parametrize(("before_hz", "after_hz"), [(207.5, 15.6), (100.0, 50.0), (50.0, 12.5), (25.0, 100.0)])
@pytest.mark.parametrize("size", [1, 5])
def test_a_rate_that_changes_is_known_after_four_seconds_and_never_the_mean_of_both(
    before_hz: float, after_hz: float, size: int
) -> None:
    before, after = np.arange(0, 10, 1 / before_hz), np.arange(10, 25, 1 / after_hz)
    observer, rates = StreamObserver(live=True), {}
    for chunk in stream(np.concatenate([before, after]), size, announced_hz=before_hz):
        observer.push(chunk, chunk.received_s)
        rates[chunk.received_s] = observer.figures(chunk.received_s)
    for at_s, figures in rates.items():
        if at_s < 4:
            continue
        assert figures.rate_hz is not None
        expected = [rate for rate, holds in ((before_hz, at_s < 15), (after_hz, at_s > 10)) if holds]
        assert min(abs(figures.rate_hz / rate - 1) for rate in expected) < 0.25, at_s
        if at_s > 15:
            assert figures.rate_hz == pytest.approx(after_hz, rel=0.2), at_s
            assert figures.span_s >= 3.5


def test_another_setting_of_the_sensor_voids_the_earlier_figures() -> None:
    slower = stream(10 + np.arange(100) / 25.0, announced_hz=25.0, first=500)
    figures = observed(stream(np.arange(500) / 50.0), slower)
    assert figures.announced_hz == 25.0
    assert figures.rate_hz == pytest.approx(25.0)
    assert figures.lost == 0


def test_without_samples_or_with_few_nothing_is_claimed() -> None:
    observer = StreamObserver(live=True)
    assert observer.figures(5.0).rate_hz is None
    (chunk,) = stream(np.arange(10) / 50.0)
    observer.push(replace(chunk, t=chunk.t[:0]), 1.0)
    assert observer.figures(5.0).samples == 0
    observer.push(chunk, 1.0)
    figures = observer.figures(5.0)
    assert (figures.rate_hz, figures.jitter_ms, figures.burst_samples, figures.coverage) == (None, None, None, None)
    assert figures.silence_s == 4.0
    assert figures.rate_text() == "rate unknown yet, announced 50"


@pytest.mark.parametrize("t", [np.zeros(400), np.full(400, np.nan), np.arange(400) * 20.0, np.arange(400) * -0.02])
def test_useless_stamps_leave_the_pace_of_the_arrivals(t: np.ndarray) -> None:
    observer = StreamObserver(live=True)
    for number, chunk in enumerate(stream(t)):
        observer.push(chunk, host_s=0.2 * number)
    figures = observer.figures(8.0)
    assert figures.rate_hz == pytest.approx(50.0)
    json.dumps(figures.to_dict(), allow_nan=False)


def test_stamps_in_the_future_give_a_negative_age() -> None:
    assert observed(stream(np.arange(100) / 50.0, late_s=-1.5)).age_ms == pytest.approx(-1500.0)


def window(index: int, coverage: float) -> Window:
    t_s = 1.28 * index
    return Window("wrist", "a", index, t_s, t_s + 2.54, np.zeros((128, 3)), ACC, 50.0, coverage, t_s + 2.6)


def test_the_coverage_is_that_of_the_windows_of_the_last_seconds() -> None:
    observer = StreamObserver(live=True)
    for index in range(40):
        observer.see(window(index, 1.0 if index < 20 else 0.25))
    figures = observer.figures(0.0)
    assert (figures.windows, figures.coverage) == (40, 0.25)
    observer.see(replace(window(0, 0.75), session="b"))  # a clock set back
    assert observer.figures(0.0).coverage == 0.75


def test_memory_is_bounded_whatever_the_clocks_do() -> None:
    observer = StreamObserver(live=True)
    (chunk,) = stream([0.0])
    for number in range(3 * MOST_CHUNKS):
        observer.push(replace(chunk, seq=number), host_s=1.0)
    figures = observer.figures(math.inf)
    assert figures.samples == 3 * MOST_CHUNKS
    assert len(observer._arrivals) <= MOST_CHUNKS


def test_a_sequence_number_beyond_belief_leaves_the_rate() -> None:
    t = np.arange(450) / 50.0
    for jump in (10**6, 2**63, -200):
        figures = observed(stream(t[:200]), stream(t[200:], first=200 + jump))
        assert figures.rate_hz == pytest.approx(50.0), jump
        assert figures.lost == max(0, jump)


def test_each_stream_has_its_own_figures() -> None:
    observers = StreamObservers(live=True)
    for chunk in stream(np.arange(500) / 50.0):
        observers.push(chunk, chunk.received_s)
        observers.push(replace(chunk, stream="ankle", t=chunk.t * 2), chunk.received_s * 2)
    observers.see(window(0, 0.5))
    observers.see(replace(window(0, 0.5), stream="never seen"))
    wrist, ankle = observers.figures(20.0)
    assert (wrist.stream, wrist.windows, ankle.stream, ankle.windows) == ("wrist", 1, "ankle", 0)
    assert (wrist.rate_hz, ankle.rate_hz) == (pytest.approx(50.0), pytest.approx(25.0))


def test_the_longest_hole_of_the_last_seconds_is_kept_also_after_a_long_silence() -> None:
    t = np.arange(300) / 50.0
    t[100:] += 30.0
    observer = StreamObserver(live=True)
    for chunk in stream(t):
        observer.push(chunk, chunk.received_s)
    assert observer.figures(0.0).longest_hole_s == pytest.approx(30.02)
    for chunk in stream(36 + np.arange(500) / 50.0, first=300):
        observer.push(chunk, chunk.received_s)
    assert observer.figures(0.0).longest_hole_s == pytest.approx(0.02)


def test_samples_that_are_not_later_are_counted_within_an_epoch_only() -> None:
    t = np.array([0.0, 0.02, 0.02, 0.01, 0.04])
    for size in (1, 2, 5):
        figures = observed(stream(t, size), stream(t[:2], size, epoch="b"))
        assert (figures.out_of_order, figures.epochs) == (2, 2)
