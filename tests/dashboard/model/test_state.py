"""The dashboard's memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.signals import ACC, UNKNOWN, Conclusion
from kinestream.dashboard.model.state import LATENCIES, SCORES, YOU, DashboardState, StreamState

from ..builders import FS_HZ, chunk, prediction


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


def test_stream_time_continues_over_epochs() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 100))
    stream.on_chunk(chunk(0, 100, session="two", t0_s=3.0))
    assert stream.now_s == pytest.approx(2 * 99 / FS_HZ)


def test_the_log_gets_a_line_only_when_the_subnetwork_changes() -> None:
    stream = StreamState("wrist")
    for index, width in enumerate([1.0, 1.0, 0.5, 0.5, 1.0]):
        stream.on_prediction(prediction(index, width=width))
    assert [line.origin for line in stream.log] == ["1.00x-128", "0.50x-128", "1.00x-128"]
    stream.note("policy fixed")
    assert (stream.log[-1].origin, stream.log[-1].text) == (YOU, "policy fixed")


def test_the_rolling_accuracy_forgets_old_windows() -> None:
    stream = StreamState("wrist")
    assert stream.accuracy is None
    for index in range(SCORES):
        stream.on_prediction(prediction(index, label="B"))
    assert stream.accuracy == 0.0
    for index in range(SCORES // 4):
        stream.on_prediction(prediction(index))
    stream.on_prediction(prediction(truth=None))
    assert stream.accuracy == pytest.approx((SCORES // 4) / (SCORES - 1))


def test_the_conclusion_is_shown_and_scored() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 10, t0_s=0.0))
    for label in ("A", "B", UNKNOWN):
        conclusion = Conclusion(label, 0.6, np.array([0.6, 0.4]))
        stream.on_prediction(prediction(conclusion=conclusion, t_end_s=2.56 + len(stream.scores)))
    assert list(stream.scores) == [True, False, None]
    assert [span.label for span in stream.predicted_spans] == ["A", "B", UNKNOWN]


def test_adjacent_windows_with_the_same_label_form_one_span() -> None:
    stream = StreamState("wrist")
    stream.on_chunk(chunk(0, 10, t0_s=0.0))
    for index, label in enumerate("AABBBA"):
        start_s = 1.0 * index + (10.0 if index > 4 else 0.0)  # a hole before the last window
        stream.on_prediction(prediction(label=label, t_start_s=start_s, t_end_s=start_s + 2.0))
    assert [
        (span.label, span.start_s - stream.predicted_spans[0].start_s, span.end_s - span.start_s)
        for span in stream.predicted_spans
    ] == [
        ("A", 0.0, 3.0),
        ("B", 3.0, 3.0),
        ("A", 15.0, 2.0),
    ]


def test_the_percentiles_cover_only_recent_windows() -> None:
    stream = StreamState("wrist")
    assert stream.latency_percentiles() is None
    for index in range(2 * LATENCIES):
        stream.on_prediction(prediction(index, latency_ms=1000.0 if index < LATENCIES else float(index % 101)))
    p50, p95, p99 = stream.latency_percentiles() or (0.0, 0.0, 0.0)
    assert p50 == pytest.approx(50, abs=2)
    assert p95 == pytest.approx(95, abs=2)
    assert p99 == pytest.approx(99, abs=2)


def test_each_stream_has_its_own_history_and_the_first_is_shown() -> None:
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
