from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from kinestream.windowing.filters import LowPass, butterworth

signal = pytest.importorskip("scipy.signal", reason="the reference filter is scipy's")


@pytest.mark.parametrize(("order", "cutoff_hz", "fs_hz"), [(3, 20, 50), (3, 0.3, 50), (6, 20, 150), (1, 4, 20)])
def test_the_coefficients_are_those_of_scipy(order: int, cutoff_hz: float, fs_hz: float) -> None:
    sections = butterworth(order, cutoff_hz, fs_hz)
    expected = signal.butter(order, cutoff_hz, fs=fs_hz)
    np.testing.assert_allclose(reduce(np.polymul, [s.numerator for s in sections]), expected[0], rtol=1e-6)
    np.testing.assert_allclose(reduce(np.polymul, [s.denominator for s in sections]), expected[1], rtol=1e-9)


@pytest.mark.parametrize(("order", "cutoff_hz"), [(3, 20), (3, 0.3), (6, 20)])
def test_the_output_is_that_of_a_sample_by_sample_filter(order: int, cutoff_hz: float) -> None:
    x = np.random.default_rng(0).normal(size=(1000, 3)).cumsum(axis=0)
    b, a = signal.butter(order, cutoff_hz, fs=50)
    zi = signal.lfilter_zi(b, a)[:, None] * x[0]
    expected, _ = signal.lfilter(b, a, x, axis=0, zi=zi)
    np.testing.assert_allclose(LowPass(order, cutoff_hz, 50, 3).push(x), expected, atol=1e-7)


@pytest.mark.parametrize("fs_hz", [1_000, 10_000])
def test_a_cut_off_far_below_the_rate_costs_no_accuracy(fs_hz: int) -> None:
    x = np.random.default_rng(0).normal(size=(2 * fs_hz, 1)) + 9.81
    sections = signal.butter(6, 20, fs=fs_hz, output="sos")
    expected, _ = signal.sosfilt(sections, x, axis=0, zi=signal.sosfilt_zi(sections)[..., None] * x[0])
    np.testing.assert_allclose(LowPass(6, 20, fs_hz, 1).push(x), expected, atol=1e-6)


@pytest.mark.parametrize("size", [1, 5, 25, 31, 32, 33, 60, 1000])
def test_the_output_is_the_same_to_the_last_bit_in_pieces_of_any_size(size: int) -> None:
    x = np.random.default_rng(1).normal(size=(1000, 6)).astype(np.float32)
    whole = LowPass(3, 0.3, 50, 6).push(x)
    pieces = LowPass(3, 0.3, 50, 6)
    assert np.concatenate([pieces.push(x[i : i + size]) for i in range(0, len(x), size)]).tobytes() == whole.tobytes()


def test_a_constant_signal_passes_unchanged_from_its_first_sample() -> None:
    x = np.full((100, 1), 9.81)
    np.testing.assert_allclose(LowPass(3, 0.3, 50, 1).push(x), x, rtol=1e-9)


def test_start_forgets_the_signal_before() -> None:
    x = np.random.default_rng(2).normal(size=(200, 2))
    filter_ = LowPass(3, 5, 50, 2)
    first = filter_.push(x)
    filter_.start()
    assert filter_.push(x).tobytes() == first.tobytes()


def test_a_restored_filter_continues_where_the_state_was_taken() -> None:
    x = np.random.default_rng(3).normal(size=(200, 2))
    filtered, restored = LowPass(3, 5, 50, 2), LowPass(3, 5, 50, 2)
    filtered.push(x[:77])
    restored.restore(filtered.state())
    assert restored.push(x[77:]).tobytes() == filtered.push(x[77:]).tobytes()
