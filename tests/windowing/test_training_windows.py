from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.errors import InputMismatch
from kinestream.core.signals import UNLABELLED
from kinestream.windowing import training_windows
from tests.windowing.streams import NINE, PLAIN, cut, regular, stream, windows_of


def test_windows_lie_inside_one_activity_and_start_with_it() -> None:
    labels = np.array([UNLABELLED] * 30 + [2] * 200 + [0] * 300, np.int16)
    windows = training_windows(PLAIN, cut(regular(530, labels=labels), 100))
    assert windows.labels.tolist() == [2, 2, 0, 0, 0]
    np.testing.assert_allclose(windows.t_start_s * 50, [30, 94, 230, 294, 358])
    assert windows.label_names == ("walking", "sitting", "lying")


def test_a_training_window_equals_the_live_window_at_the_same_place() -> None:
    labels = np.zeros(1000, np.int16)
    whole = regular(1000, labels=labels)
    live = windows_of(NINE, cut(whole, 25))
    windows = training_windows(NINE, [whole])
    assert [x.tobytes() for x in windows.x] == [w.x.tobytes() for w in live]


def test_no_training_window_crosses_a_gap() -> None:
    t = np.arange(400) / 50
    t[200:] += 2
    windows = training_windows(PLAIN, [stream(t, labels=np.zeros(400, np.int16))])
    np.testing.assert_allclose(windows.t_start_s, [0, 64 / 50, 6, 6 + 64 / 50])


def test_an_unlabelled_recording_gives_no_windows() -> None:
    assert len(training_windows(PLAIN, [regular(500)]).x) == 0


def test_a_recording_too_slow_for_the_model_is_refused() -> None:
    with pytest.raises(InputMismatch, match="the source offers 25 Hz"):
        training_windows(PLAIN, [stream(np.arange(400) / 25, fs_hz=25.0, labels=np.zeros(400, np.int16))])
