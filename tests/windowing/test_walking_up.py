"""Up is found while the wearer moves, the same however the stream is cut, and given up when the sensor is turned."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinestream.core.input_spec import CLIPPED_ACC, OWN_ACC, UPRIGHT_ACC, UPRIGHT_KNOWN, InputSpec
from kinestream.core.signals import ACC, STANDARD_GRAVITY, SampleChunk
from kinestream.replay_data import open_dataset
from kinestream.windowing import Segmenter, training_windows
from kinestream.windowing.views import upright_turn
from kinestream.windowing.walking_up import KNOWN_BLOCKS, LONGEST_PAUSE_S, WalkingUp
from tests.windowing.streams import cut

SPEC = InputSpec(
    (*CLIPPED_ACC, *UPRIGHT_ACC, *OWN_ACC, UPRIGHT_KNOWN), 20.0, 80, 40, max_gap_s=0.5, lowpass_hz=None, gravity_hz=0.3
)
UP = np.array([2.0, -6.0, 3.0]) / 7


def walk(seconds: float, up: NDArray[np.float64] = UP, seed: int = 0) -> NDArray[np.float64]:
    """Steps along ``up`` at 2 Hz, sampled at 20 Hz, with noise."""
    t = np.arange(round(20 * seconds)) / 20
    bounce = STANDARD_GRAVITY + 3 * np.sin(4 * np.pi * t)
    return bounce[:, None] * up + np.random.default_rng(seed).normal(0, 0.4, (len(t), 3))


def still(seconds: float, gravity: NDArray[np.float64] = UP) -> NDArray[np.float64]:
    return walk(seconds, gravity) * 0.05 + STANDARD_GRAVITY * 0.95 * gravity


def found(*parts: NDArray[np.float64]) -> tuple[float, float, float] | None:
    estimate = WalkingUp(20.0)
    estimate.begin(0.0)
    estimate.push(np.concatenate(parts))
    return estimate.at(10**9)


def degrees(found: tuple[float, float, float] | None, up: NDArray[np.float64]) -> float:
    assert found is not None
    return float(np.degrees(np.arccos(np.clip(np.array(found) @ up, -1, 1))))


def test_up_is_known_after_twelve_seconds_of_walking_and_not_before() -> None:
    assert found(walk(11.9)) is None
    assert degrees(found(walk(12)), UP) < 2


def test_a_wearer_who_never_moves_has_no_up() -> None:
    assert found(still(600)) is None


def test_postures_do_not_change_it() -> None:
    lying = np.array([0.0, 0.0, 1.0])
    assert found(walk(20), still(100, lying)) == found(walk(20))


def test_a_sensor_turned_in_mid_run_is_noticed_within_three_blocks() -> None:
    turned = np.array([0.0, 0.0, -1.0])
    before, after = walk(60), walk(20, turned)
    assert degrees(found(before, after[:80]), UP) < 10
    assert found(before, after[:120]) is None
    assert degrees(found(before, after), turned) < 2


def test_a_fall_is_not_a_turned_sensor() -> None:
    tumbling = np.concatenate(
        [walk(2, np.array(axis)) for axis in ([0.0, 1, 0], [0, 0, 1.0], [1.0, 0, 0], [0, -1.0, 0])]
    )
    assert degrees(found(walk(60), tumbling), UP) < 20


@pytest.mark.parametrize(("pause_s", "kept"), [(1.0, True), (LONGEST_PAUSE_S + 1, False), (-100.0, False)])
def test_it_survives_a_short_pause_and_no_long_one_nor_a_clock_set_back(pause_s: float, kept: bool) -> None:
    estimate = WalkingUp(20.0)
    estimate.begin(1000.0)
    estimate.push(walk(20))
    estimate.begin(1020.0 + pause_s)
    assert (estimate.at(0) is not None) == kept
    assert estimate.resets == (not kept)


def chunk_of(acc: NDArray[np.float64], labels: bool = False) -> SampleChunk:
    t = np.arange(len(acc)) / 20
    codes = np.zeros(len(acc), np.int16) if labels else None
    return SampleChunk("w", "a", t, acc.astype(np.float32), ACC, 20.0, 0, float(t[-1]), codes, ("walking",) * labels)


DAY = chunk_of(np.concatenate([still(10), walk(30), still(10, np.array([0, 0, 1.0])), walk(25, np.array([1.0, 0, 0]))]))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 500), st.integers(5, 80))
def test_windows_are_bit_equal_however_the_stream_is_cut_and_whatever_the_hop(size: int, hop: int) -> None:
    whole = {w.t_end_s: w for w in Segmenter(SPEC).push(DAY)}
    segmenter = Segmenter(SPEC)
    windows = [window for chunk in cut(DAY, size) for window in segmenter.push(chunk)]
    assert [w.x.tobytes() for w in windows] == [w.x.tobytes() for w in whole.values()]
    assert [w.up for w in windows] == [w.up for w in whole.values()]
    for window in Segmenter(replace(SPEC, hop=hop)).push(DAY):
        if window.t_end_s in whole:
            assert window.x.tobytes() == whole[window.t_end_s].x.tobytes()


def test_a_run_continues_bit_equal_from_its_state() -> None:
    whole, first = Segmenter(SPEC), Segmenter(SPEC)
    expected = whole.push(DAY)
    chunks = cut(DAY, 97)
    got = [window for chunk in chunks[:9] for window in first.push(chunk)]
    rest = Segmenter(SPEC)
    rest.restore(first.state())
    got += [window for chunk in chunks[9:] for window in rest.push(chunk)]
    assert [(w.x.tobytes(), w.up) for w in got] == [(w.x.tobytes(), w.up) for w in expected]
    json.dumps(whole.state(), default=lambda value: value.tolist())


def test_training_windows_are_the_live_ones() -> None:
    labelled = chunk_of(walk(60), labels=True)
    live = Segmenter(SPEC).push(labelled)
    trained = training_windows(SPEC, [labelled]).x
    assert [w.x.tobytes() for w in live] == [x.tobytes() for x in trained]


def test_training_can_know_up_from_the_whole_recording() -> None:
    known = training_windows(SPEC, [chunk_of(walk(60), labels=True)], whole_up=True).x[:, :, -1]
    assert known.all()
    assert not training_windows(SPEC, [chunk_of(still(60), labels=True)], whole_up=True).x[:, :, -1].any()


@given(st.integers(0, 10**6))
def test_turning_a_sensor_does_not_change_what_is_upright(seed: int) -> None:
    up = np.random.default_rng(seed).normal(size=3)
    turn = upright_turn(up)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ up, [0, 0, np.linalg.norm(up)], atol=1e-5)


def test_an_upside_down_sensor_is_turned_upright() -> None:
    np.testing.assert_allclose(upright_turn(np.array([0.0, 0.0, -9.8])) @ [0, 0, -9.8], [0, 0, 9.8], atol=1e-9)


def test_models_without_views_get_up_and_keep_their_windows() -> None:
    plain = InputSpec(ACC, 20.0, 80, 40, max_gap_s=0.5, lowpass_hz=None)
    windows = Segmenter(plain).push(DAY)
    assert windows[0].up is None
    assert any(window.up for window in windows)
    assert windows[0].x.tobytes() == DAY.x[:80].tobytes()


def test_real_walkers_find_their_up(data_dir) -> None:
    estimates = []
    for entry in open_dataset("hapt", data_dir).entries[:6]:
        recording = entry.load()
        estimate = WalkingUp(recording.fs_hz)
        estimate.begin(0.0)
        acc = recording.x[:, [recording.channels.index(name) for name in ACC]]
        estimate.push(acc)
        walking = recording.labels == recording.label_names.index("walking")
        mean = acc[walking].mean(axis=0)
        estimates.append(degrees(estimate.newest, mean / np.linalg.norm(mean)))
    assert max(estimates) < 20


def test_the_number_of_blocks_is_the_stated_twelve_seconds() -> None:
    assert KNOWN_BLOCKS * 2.0 == 12.0
