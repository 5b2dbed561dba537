from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import InputMismatch
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, UNLABELLED, SampleChunk
from kinestream.windowing import Segmenter
from tests.windowing.streams import CHANNELS, NINE, PLAIN, content, cut, regular, stream, windows_of


def test_at_the_models_own_rate_the_windows_are_the_samples_themselves() -> None:
    whole = regular(500)
    windows = windows_of(PLAIN, [whole])
    assert len(windows) == (500 - 128) // 64 + 1
    for k, window in enumerate(windows):
        assert window.x.tobytes() == whole.x[64 * k : 64 * k + 128].tobytes()
        assert window.t_start_s == pytest.approx(64 * k / 50)
        assert window.t_end_s == pytest.approx((64 * k + 127) / 50)
        assert (window.index, window.coverage, window.truth) == (k, 1.0, None)


def test_a_window_comes_with_the_push_of_its_last_sample() -> None:
    segmenter = Segmenter(PLAIN)
    for number, chunk in enumerate(cut(regular(300), 1), start=1):
        expected = number >= 128 and (number - 128) % 64 == 0
        assert len(segmenter.push(chunk)) == expected, number


def lossy() -> SampleChunk:
    """A stream without a fifth of its samples, so that a window is complete before its number of samples arrives."""
    received = np.random.default_rng(1).random(400) > 0.2
    return stream((np.arange(400) / 50)[received])


def handed_out(segmenter: Segmenter, chunks: list[SampleChunk], *, look: bool = False) -> list[tuple[int, int]]:
    """The window returned for each chunk; ``look`` makes the segmenter process every chunk."""
    indices: list[tuple[int, int]] = []
    for number, chunk in enumerate(chunks):
        windows = segmenter.push(chunk) + (segmenter.flush() if look else [])
        indices += [(number, window.index) for window in windows]
    return indices


@pytest.mark.parametrize("first_s", [0.0, math.nan, 5e8, -1e9])
def test_no_window_is_late_for_any_start_time(first_s: float) -> None:
    chunks = cut(lossy(), 1)
    chunks[0].t[0] = first_s
    empty = replace(chunks[0], t=np.empty(0), x=np.empty((0, len(CHANNELS)), np.float32))
    expected = handed_out(Segmenter(PLAIN), [empty, *chunks], look=True)
    assert len(expected) == 5
    assert handed_out(Segmenter(PLAIN), [empty, *chunks]) == expected


def test_no_window_is_late_after_a_restore() -> None:
    chunks = cut(lossy(), 1)
    one, two = Segmenter(PLAIN), Segmenter(PLAIN)
    handed_out(one, chunks[:20])
    two.restore(one.state())
    assert handed_out(two, chunks[20:]) == handed_out(one, chunks[20:])


def test_a_window_is_read_only_and_never_overwritten() -> None:
    segmenter = Segmenter(PLAIN)
    whole = regular(40 * 128)
    first = segmenter.push(cut(whole, 128)[0])[0]
    before = first.x.tobytes()
    for chunk in cut(whole, 128)[1:]:
        segmenter.push(chunk)
    assert first.x.tobytes() == before
    with pytest.raises(ValueError, match="read-only"):
        first.x[0, 0] = 1


def test_the_chunks_are_never_changed() -> None:
    chunks = cut(regular(400, labels=np.zeros(400, np.int16)), 33)
    before = [(c.t.tobytes(), c.x.tobytes()) for c in chunks]
    windows_of(NINE, chunks)
    assert [(c.t.tobytes(), c.x.tobytes()) for c in chunks] == before


@st.composite
def difficult_streams(draw: st.DrawFn) -> SampleChunk:
    """Streams with drift, jitter, losses, gaps, clocks set back, unordered or repeated samples, and invalid values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fs_hz = draw(st.sampled_from([50.0, 49.3, 52.0, 40.0, 100.0, 104.0, 208.0]))
    n = draw(st.integers(300, 1500))
    t = np.arange(n) / fs_hz * draw(st.sampled_from([1.0, 1.0004, 0.997]))
    t = t + rng.uniform(-1, 1, n) * draw(st.sampled_from([0.0, 0.004, 0.3])) / fs_hz
    x = (rng.normal(size=(n, 6)) * 10).astype(np.float32)
    labels = (np.arange(n) // draw(st.integers(50, 400)) % 4 - 1).astype(np.int16)
    keep = rng.random(n) > draw(st.sampled_from([0.0, 0.02, 0.2]))
    for _ in range(draw(st.integers(0, 4))):
        kind, at = (
            draw(st.sampled_from(["gap", "back", "early", "twice", "nan", "inf", "huge", "nat"])),
            int(rng.integers(1, n)),
        )
        if kind == "gap":
            t[at:] += rng.uniform(0.05, 30)
        elif kind == "back":
            t[at:] -= rng.uniform(0.5, 1000)
        elif kind == "early":
            t[at] -= rng.uniform(0, 0.2)
        elif kind == "twice":
            t[at] = t[at - 1]
        elif kind == "nat":
            t[at] = np.nan
        else:
            x[at, int(rng.integers(6))] = {"nan": np.nan, "inf": np.inf, "huge": 1.5e6}[kind]
    t += draw(st.sampled_from([0.0, -5.0, 1.7e9, 3e12]))  # a clock may count from anywhere
    return stream(t[keep], x[keep], fs_hz, labels[keep])


@settings(max_examples=60, deadline=None)
@given(difficult_streams(), st.lists(st.integers(1, 90), min_size=1, max_size=5), st.sampled_from([PLAIN, NINE]))
def test_windows_are_equal_to_the_last_bit_for_any_chunking(
    whole: SampleChunk, sizes: list[int], spec: InputSpec
) -> None:
    counts = []
    expected = None
    for size in (1, 5, 25, 60, 1000, sizes):
        segmenter = Segmenter(spec)
        windows = [window for chunk in cut(whole, size) for window in segmenter.push(chunk)] + segmenter.flush()
        expected = content(windows) if expected is None else expected
        assert content(windows) == expected
        counts.append(segmenter.counts())
    assert all(count == counts[0] for count in counts)
    assert counts[0]["samples"] == len(whole)


@settings(max_examples=15, deadline=None)
@given(difficult_streams())
def test_no_window_is_late_in_a_difficult_stream(whole: SampleChunk) -> None:
    chunks = cut(whole, 1)
    assert handed_out(Segmenter(PLAIN), chunks) == handed_out(Segmenter(PLAIN), chunks, look=True)


@pytest.mark.parametrize("every", [3, 700])
def test_a_very_long_chunk_gives_the_windows_of_short_chunks(every: int) -> None:
    t = np.arange(10_000) / 50 + np.arange(10_000) // every * 0.3
    whole = stream(t)
    one, two = Segmenter(PLAIN), Segmenter(PLAIN)
    assert content(one.push(whole)) == content([w for c in cut(whole, 25) for w in two.push(c)])
    two.flush()
    assert one.counts() == two.counts()
    assert one.counts()["gaps"] == 9_999 // every


def test_a_stream_far_slower_than_announced_does_not_fill_the_memory() -> None:
    chunk = stream(np.arange(100) / 4, fs_hz=100_000.0)  # at the gap limit: each sample completes 25,000 points
    tracemalloc.start()
    try:
        assert Segmenter(PLAIN).push(chunk)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


@settings(max_examples=40, deadline=None)
@given(difficult_streams())
def test_no_window_crosses_a_gap_over_the_limit(whole: SampleChunk) -> None:
    good = np.isfinite(whole.t) & (np.abs(whole.x) < 1e6).all(axis=1)
    t = whole.t[good]
    for window in windows_of(PLAIN, [whole]):
        inside = np.sort(t[(t >= window.t_start_s - 1e-9) & (t <= window.t_end_s + 1e-9)])
        edges = np.concatenate(([window.t_start_s], inside, [window.t_end_s]))
        assert np.diff(edges).max() <= PLAIN.max_gap_s + 1e-6
        assert np.isfinite(window.x).all()


def test_a_gap_over_the_limit_starts_a_new_grid_at_its_first_sample() -> None:
    t = np.arange(400) / 50
    t[150:] += 0.3137
    segmenter = Segmenter(PLAIN)
    windows = segmenter.push(stream(t))
    np.testing.assert_allclose([w.t_start_s for w in windows], [0, t[150], t[150] + 64 / 50])
    assert segmenter.counts()["gaps"] == 1


def test_a_short_gap_is_bridged_by_a_straight_line_and_counted() -> None:
    t = np.arange(128) / 50
    x = np.repeat(np.arange(128, dtype=np.float32)[:, None], 6, axis=1)
    keep = np.ones(128, bool)
    keep[50:55] = False
    segmenter = Segmenter(PLAIN)
    (window,) = segmenter.push(stream(t[keep], x[keep]))
    np.testing.assert_allclose(window.x, x, rtol=1e-5)
    assert window.coverage == 123 / 128
    assert segmenter.counts()["interpolated"] == 5


@pytest.mark.parametrize("fs_hz", [40.0, 52.0, 64.0, 100.0, 200.0])
def test_resampling_keeps_a_slow_wave(fs_hz: float) -> None:
    t = np.arange(int(fs_hz * 12)) / fs_hz
    x = np.repeat(np.sin(2 * np.pi * 1.5 * t)[:, None], 6, axis=1).astype(np.float32)
    windows = windows_of(PLAIN, [stream(t, x, fs_hz)])
    assert len(windows) >= 7
    for window in windows[1:]:
        grid_t = window.t_start_s + np.arange(128) / 50
        # A causal filter is late; find by how much, within its group delay, and compare there.
        errors = [np.abs(window.x[:, 0] - np.sin(2 * np.pi * 1.5 * (grid_t - late))).max() for late in DELAYS_S]
        assert min(errors) < 0.02


DELAYS_S = np.linspace(0, 0.05, 51)


def test_reducing_the_rate_does_not_alias() -> None:
    t = np.arange(1000) / 100
    x = np.repeat(np.sin(2 * np.pi * 45 * t)[:, None], 6, axis=1).astype(np.float32)  # would fold to 5 Hz at 50 Hz
    windows = windows_of(PLAIN, [stream(t, x, 100.0)])
    assert max(np.abs(window.x).max() for window in windows[1:]) < 0.02


def test_gravity_is_separated_from_body_acceleration_causally() -> None:
    t = np.arange(1000) / 50
    x = np.zeros((1000, 6), np.float32)
    x[:, 2] = 9.81
    x[:, 0] = np.sin(2 * np.pi * 2 * t)
    windows = windows_of(replace(NINE, lowpass_hz=None), [stream(t, x)])
    last = windows[-1].x
    assert np.abs(last[:, 2]).max() < 1e-3  # no body acceleration along gravity
    assert np.abs(last[:, 0]).max() == pytest.approx(1.0, abs=0.05)  # the movement stays
    np.testing.assert_allclose(last[:, 8], 9.81, rtol=1e-5)  # total acceleration


def test_a_sources_own_body_acceleration_is_used_directly() -> None:
    spec = replace(NINE, lowpass_hz=None)
    x = np.random.default_rng(0).normal(size=(200, 9)).astype(np.float32)
    chunk = SampleChunk("s", "one", np.arange(200) / 50, x, spec.channels, 50.0, 0, 4.0)
    (window, *_) = Segmenter(spec).push(chunk)
    assert window.x.tobytes() == x[:128].tobytes()


def test_a_source_without_a_needed_channel_is_refused_by_name() -> None:
    chunk = SampleChunk("s", "one", np.arange(9) / 50, np.zeros((9, 3), np.float32), ACC, 50.0, 0, 0.0)
    with pytest.raises(InputMismatch, match="needs gyro_x, gyro_y, gyro_z"):
        Segmenter(PLAIN).push(chunk)


def test_a_source_much_slower_than_the_model_is_refused() -> None:
    with pytest.raises(InputMismatch, match="the model reads 50 Hz, the source offers 20 Hz"):
        Segmenter(PLAIN).push(regular(10, fs_hz=20.0))


def test_lost_samples_are_counted_by_sequence_number() -> None:
    chunks = cut(regular(300), 50)
    segmenter = Segmenter(PLAIN)
    for chunk in (*chunks[:2], *chunks[3:]):
        segmenter.push(chunk)
    segmenter.flush()
    assert segmenter.counts()["lost"] == 50


def test_no_window_spans_two_sessions_and_numbering_restarts() -> None:
    one, two = regular(200), replace(regular(200), session="two")
    windows = windows_of(PLAIN, [*cut(one, 30), *cut(two, 30)])
    assert [(w.session, w.index) for w in windows] == [("one", 0), ("one", 1), ("two", 0), ("two", 1)]


def test_invalid_values_are_dropped_bridged_and_counted() -> None:
    whole = regular(200)
    whole.x[20, 3] = np.nan
    whole.x[90, 0] = np.inf
    whole.x[100, 1] = -3e38
    segmenter = Segmenter(PLAIN)
    windows = segmenter.push(whole)
    assert segmenter.counts()["not_finite"] == 3
    assert windows[0].coverage == 125 / 128
    assert np.abs(windows[0].x).max() < 10


def test_samples_out_of_order_or_repeated_are_dropped_and_counted() -> None:
    t = np.arange(200) / 50
    t[60] = t[59]
    t[100] = t[97]
    segmenter = Segmenter(PLAIN)
    segmenter.push(stream(t))
    assert segmenter.counts()["out_of_order"] == 2
    assert segmenter.counts()["gaps"] == 0


def test_a_clock_set_back_starts_a_new_stretch() -> None:
    t = np.arange(400) / 50
    t[200:] -= 3600
    segmenter = Segmenter(PLAIN)
    windows = segmenter.push(stream(t))
    assert segmenter.counts()["gaps"] == 1
    assert [w.t_start_s < 0 for w in windows] == [False, False, True, True]


def test_the_truth_is_the_most_frequent_label() -> None:
    labels = np.zeros(192, np.int16)
    labels[120:] = 1
    labels[150:160] = UNLABELLED
    windows = windows_of(PLAIN, [regular(192, labels=labels)])
    assert (windows[0].truth, windows[0].truth_share) == ("walking", 120 / 128)
    assert (windows[1].truth, windows[1].truth_share) == ("sitting", 62 / 128)


def test_an_unlabelled_window_has_no_truth() -> None:
    (window,) = windows_of(PLAIN, [regular(128, labels=np.full(128, UNLABELLED, np.int16))])
    assert (window.truth, window.truth_share) == (None, 0.0)


def test_labels_can_begin_in_the_middle_of_a_session() -> None:
    whole = regular(128, labels=np.zeros(128, np.int16))
    first, second = cut(whole, 64)
    (window,) = windows_of(PLAIN, [replace(first, labels=None), second])
    assert (window.truth, window.truth_share) == ("walking", 0.5)


def test_label_names_that_arrive_later_are_not_a_gap() -> None:
    whole = regular(128, labels=np.zeros(128, np.int16))
    first, second = cut(whole, 64)
    (window,) = windows_of(PLAIN, [replace(first, labels=None, label_names=()), second])
    assert (window.truth, window.truth_share) == ("walking", 0.5)


@pytest.mark.parametrize("change", [{"channels": CHANNELS[::-1]}, {"label_names": ("lying", "walking", "sitting")}])
def test_a_change_within_a_session_is_a_gap_and_counted(change: dict[str, Any]) -> None:
    chunks = cut(regular(400, labels=np.zeros(400, np.int16)), 100)
    segmenter = Segmenter(PLAIN)
    changed = [*chunks[:2], *(replace(chunk, **change) for chunk in chunks[2:])]
    windows = [window for chunk in changed for window in segmenter.push(chunk)]
    np.testing.assert_allclose([w.t_start_s for w in windows], [0, 1.28, 4, 5.28], atol=1e-6)
    assert [w.index for w in windows] == [0, 1, 2, 3]
    assert segmenter.counts()["gaps"] == 1


@pytest.mark.parametrize(
    ("first_hz", "then_hz"), [(50.0, 25.0), (25.0, 50.0), (100.0, 50.0), (100.0, 25.0), (26.0, 104.0)]
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_change_of_rate_is_not_a_gap(first_hz: float, then_hz: float, size: int) -> None:
    t = np.concatenate((np.arange(round(6 * first_hz)) / first_hz, 6 + np.arange(round(6 * then_hz)) / then_hz))
    x = np.repeat(t[:, None], 6, axis=1).astype(np.float32)
    whole, n = stream(t, x, first_hz), round(6 * first_hz)
    chunks = [*cut(whole.part(0, n), size), *(replace(c, fs_hz=then_hz) for c in cut(whole.part(n, len(t)), size))]
    segmenter = Segmenter(replace(PLAIN, lowpass_hz=None), any_rate=True)
    windows = [window for chunk in chunks for window in segmenter.push(chunk)] + segmenter.flush()
    assert [w.index for w in windows] == list(range(8))
    np.testing.assert_allclose([w.t_start_s for w in windows], 1.28 * np.arange(8), atol=1e-6)
    assert all(window.coverage == 1.0 for window in windows)
    assert segmenter.counts()["gaps"] == segmenter.counts()["interpolated"] == 0
    if max(first_hz, then_hz) <= 50:  # without the anti-alias filter's delay a ramp stays the ramp
        grid = np.concatenate([window.x[:64, 0] for window in windows])
        np.testing.assert_allclose(grid, np.arange(len(grid)) / 50, atol=1e-4)


def test_a_rate_that_becomes_too_slow_is_refused() -> None:
    chunks = cut(regular(200), 100)
    segmenter = Segmenter(PLAIN)
    segmenter.push(chunks[0])
    with pytest.raises(InputMismatch, match="the source offers 25 Hz"):
        segmenter.push(replace(chunks[1], fs_hz=25.0))


@pytest.mark.parametrize("at", [1, 40, 127, 128, 300, 777])
@pytest.mark.parametrize("fs_hz", [50.0, 104.0])
def test_a_restored_segmenter_gives_the_same_windows(at: int, fs_hz: float) -> None:
    t = np.arange(1500) / fs_hz
    t[600:] += 0.1
    t[900:] += 5
    chunks = cut(stream(t, fs_hz=fs_hz, labels=(np.arange(1500) // 300).astype(np.int16) % 3), 13)
    one = Segmenter(NINE)
    for chunk in chunks[: at // 13]:
        one.push(chunk)
    two = Segmenter(NINE)
    two.restore(one.state())
    rest = chunks[at // 13 :]
    assert content([w for c in rest for w in one.push(c)]) == content([w for c in rest for w in two.push(c)])
    assert one.counts() == two.counts()


def test_the_state_holds_only_plain_values_and_arrays() -> None:
    segmenter = Segmenter(NINE)
    segmenter.push(regular(200))
    json.dumps(segmenter.state(), default=lambda value: value.tolist() if isinstance(value, np.ndarray) else 1 / 0)


def test_an_empty_chunk_changes_nothing() -> None:
    segmenter = Segmenter(PLAIN)
    empty = replace(regular(0), x=np.empty((0, len(CHANNELS)), np.float32))
    assert segmenter.push(empty) == []
    assert len(segmenter.push(regular(128))) == 1
