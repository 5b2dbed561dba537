"""The buffer behind the traces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.signals import ACC
from kinestream.dashboard.drawing.ring import TraceRing

from ..builders import FS_HZ, chunk


def test_the_ring_holds_at_least_the_shown_seconds() -> None:
    ring = TraceRing(ACC, FS_HZ, span_s=2.0)
    for first in range(0, 1000, 7):
        ring.push(chunk(first, 7))
    t, x, broken = ring.view()
    assert t[-1] - t[0] >= 2.0
    assert not broken.any()
    np.testing.assert_allclose(np.diff(t), 1 / FS_HZ)
    np.testing.assert_array_equal(x[-7:], chunk(994, 7).x)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_the_trace_does_not_depend_on_the_chunk_size(counts: list[int]) -> None:
    cut, whole = TraceRing(ACC, FS_HZ), TraceRing(ACC, FS_HZ)
    first = 0
    for count in counts:
        cut.push(chunk(first, count))
        first += count
    whole.push(chunk(0, first))
    shared = min(len(cut.view()[0]), len(whole.view()[0]))
    for array, expected in zip(cut.view(), whole.view(), strict=True):
        np.testing.assert_allclose(array[-shared + 1 :], expected[-shared + 1 :], atol=1e-9)


def test_lost_samples_break_the_line() -> None:
    ring = TraceRing(ACC, FS_HZ)
    ring.push(chunk(0, 50))
    ring.push(chunk(75, 50))
    t, _, broken = ring.view()
    assert np.flatnonzero(broken).tolist() == [50]
    assert t[50] - t[49] == pytest.approx(26 / FS_HZ)


def test_a_time_gap_inside_a_chunk_breaks_the_line() -> None:
    holed = chunk(0, 50)
    holed.t[25:] += 5.0
    ring = TraceRing(ACC, FS_HZ)
    ring.push(holed)
    t, _, broken = ring.view()
    assert broken[25]
    assert t[25] - t[24] == TraceRing.LONGEST_BLANK_S, "a long gap is shortened so that the trace stays on screen"


@pytest.mark.parametrize("t0_s", [0.0, 100.0, 9e9], ids=["earlier", "the same", "much later"])
def test_the_next_epoch_continues_to_the_right_whatever_its_clock(t0_s: float) -> None:
    ring = TraceRing(ACC, FS_HZ)
    ring.push(chunk(0, 50))
    ring.push(chunk(0, 50, session="two", t0_s=t0_s))
    t, _, broken = ring.view()
    assert broken[50]
    assert t[50] - t[49] == TraceRing.EPOCH_BLANK_S
