"""What the dashboard remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.scoring import is_right
from kinestream.core.signals import ACC, UNKNOWN, Conclusion, Decision, Prediction, SampleChunk, Subnet
from kinestream.dashboard.drawing.ring import TraceRing
from kinestream.dashboard.model.state import LATENCIES, SCORED, YOU, DashboardState, StreamState

FS_HZ = 50.0


def chunk(first: int, count: int, *, session: str = "one", stream: str = "wrist", t0_s: float = 100.0) -> SampleChunk:
    t = t0_s + np.arange(first, first + count) / FS_HZ
    x = np.stack([np.sin(t), np.cos(t), t % 1.0], axis=1).astype(np.float32)
    return SampleChunk(stream, session, t, x, ACC, FS_HZ, first, float(t[-1]) if count else t0_s)


def prediction(
    index: int = 0, *, label: str = "A", truth: str | None = "A", width: float = 1.0, **kwargs
) -> Prediction:
    made = Prediction(
        stream="wrist",
        session="one",
        index=index,
        t_start_s=0.0,
        t_end_s=2.56,
        label=label,
        confidence=0.9,
        probs=np.array([0.9, 0.1], np.float32),
        labels=("A", "B"),
        decision=Decision(Subnet(width, 128), "because"),
        latency_ms=1.0,
        energy_mj=1.0,
        age_ms=1.0,
        coverage=1.0,
        truth=truth,
        truth_share=1.0,
    )
    return replace(made, **kwargs)


def test_the_trace_holds_the_last_seconds_and_no_less_than_it_shows() -> None:
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
def test_the_trace_is_the_same_however_the_stream_was_cut(counts: list[int]) -> None:
    cut, whole = TraceRing(ACC, FS_HZ), TraceRing(ACC, FS_HZ)
    first = 0
    for count in counts:
        cut.push(chunk(first, count))
        first += count
    whole.push(chunk(0, first))
    shared = min(len(cut.view()[0]), len(whole.view()[0]))
    for one, other in zip(cut.view(), whole.view(), strict=True):
        np.testing.assert_allclose(one[-shared + 1 :], other[-shared + 1 :], atol=1e-9)


def test_lost_samples_break_the_line_where_they_are_missing() -> None:
    ring = TraceRing(ACC, FS_HZ)
    ring.push(chunk(0, 50))
    ring.push(chunk(75, 50))
    t, _, broken = ring.view()
    assert np.flatnonzero(broken).tolist() == [50]
    assert t[50] - t[49] == pytest.approx(26 / FS_HZ)


def test_a_hole_in_time_inside_a_chunk_breaks_the_line() -> None:
    holed = chunk(0, 50)
    holed.t[25:] += 5.0
    ring = TraceRing(ACC, FS_HZ)
    ring.push(holed)
    t, _, broken = ring.view()
    assert broken[25]
    assert t[25] - t[24] == TraceRing.LONGEST_BLANK_S, "a long gap is shortened, so that the trace stays on screen"


@pytest.mark.parametrize("t0_s", [0.0, 100.0, 9e9], ids=["earlier", "the same", "much later"])
def test_the_next_session_goes_on_to_the_right_whatever_its_clock_says(t0_s: float) -> None:
    ring = TraceRing(ACC, FS_HZ)
    ring.push(chunk(0, 50))
    ring.push(chunk(0, 50, session="two", t0_s=t0_s))
    t, _, broken = ring.view()
    assert broken[50]
    assert t[50] - t[49] == TraceRing.SESSION_BLANK_S


def test_an_empty_chunk_changes_nothing() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 0))
    assert stream.chunk_count == 0
    assert stream.trace is None


def test_another_sensor_layout_starts_a_new_trace() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 50))
    narrow = chunk(50, 50)
    stream.on_chunk(replace(narrow, x=narrow.x[:, :2], channels=ACC[:2]))
    assert stream.trace is not None
    assert stream.trace.view()[1].shape == (50, 2)


def test_stream_time_runs_on_over_sessions() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 100))
    stream.on_chunk(chunk(0, 100, session="two", t0_s=3.0))
    assert stream.now_s == pytest.approx(2 * 99 / FS_HZ)


def test_the_log_gets_a_line_when_the_subnetwork_changes_and_only_then() -> None:
    stream = StreamState("wrist")
    for index, width in enumerate([1.0, 1.0, 0.5, 0.5, 1.0]):
        stream.on_prediction(prediction(index, width=width))
    assert [line.who for line in stream.log] == ["1.00x-128", "0.50x-128", "1.00x-128"]
    stream.note("policy fixed")
    assert (stream.log[-1].who, stream.log[-1].text) == (YOU, "policy fixed")


@pytest.mark.parametrize(
    ("made", "right"),
    [
        (prediction(), True),
        (prediction(label="B"), False),
        (prediction(truth=None), None),
        (prediction(truth="STAND_TO_SIT"), None),
        (prediction(truth_share=0.6), None),
    ],
    ids=["right", "wrong", "no label", "a label the model does not know", "straddles two activities"],
)
def test_a_window_is_scored_only_where_it_can_be(made: Prediction, right: bool | None) -> None:
    assert is_right(made) is right


def test_the_rolling_accuracy_forgets_what_is_long_past() -> None:
    stream = StreamState("wrist")
    assert stream.accuracy is None
    for index in range(SCORED):
        stream.on_prediction(prediction(index, label="B"))
    assert stream.accuracy == 0.0
    for index in range(SCORED // 4):
        stream.on_prediction(prediction(index))
    stream.on_prediction(prediction(truth=None))
    assert stream.accuracy == pytest.approx((SCORED // 4) / (SCORED - 1))


def test_a_conclusion_is_what_is_told_and_scored() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 10, t0_s=0.0))
    for label in ("A", "B", UNKNOWN):
        conclusion = Conclusion(label, 0.6, np.array([0.6, 0.4]))
        stream.on_prediction(prediction(conclusion=conclusion, t_end_s=2.56 + len(stream.scores)))
    assert list(stream.scores) == [True, False, None]
    assert [episode.label for episode in stream.predicted_spans] == ["A", "B", UNKNOWN]


def test_windows_of_one_label_that_meet_are_one_episode() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 10, t0_s=0.0))
    for index, label in enumerate("AABBBA"):
        start_s = 1.0 * index + (10.0 if index > 4 else 0.0)  # nothing for a while before the last one
        stream.on_prediction(prediction(label=label, t_start_s=start_s, t_end_s=start_s + 2.0))
    assert [
        (one.label, one.start_s - stream.predicted_spans[0].start_s, one.end_s - one.start_s)
        for one in stream.predicted_spans
    ] == [
        ("A", 0.0, 3.0),
        ("B", 3.0, 3.0),
        ("A", 15.0, 2.0),
    ]


def test_the_percentiles_are_of_the_recent_windows() -> None:
    stream = StreamState("wrist")
    assert stream.latency_percentiles() is None
    for index in range(2 * LATENCIES):
        stream.on_prediction(prediction(index, latency_ms=1000.0 if index < LATENCIES else float(index % 101)))
    p50, p95, p99 = stream.latency_percentiles() or (0.0, 0.0, 0.0)
    assert p50 == pytest.approx(50, abs=2)
    assert p95 == pytest.approx(95, abs=2)
    assert p99 == pytest.approx(99, abs=2)


def test_each_stream_has_its_own_past_and_the_first_is_shown() -> None:
    state = DashboardState()
    assert state.stream is None
    state.show_next()
    state.on_chunk(chunk(0, 10, stream="wrist"))
    state.on_chunk(chunk(0, 10, stream="hip"))
    state.on_prediction(prediction())
    assert state.shown == "wrist"
    assert (state.streams["wrist"].prediction_count, state.streams["hip"].prediction_count) == (1, 0)
    state.show_next()
    assert state.shown == "hip"
    state.show_next()
    assert state.shown == "wrist"
