"""The benchmark of turned and slower sensors measures correctly."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.worn import RATES_HZ, TURNS, Row, at_rate, live_windows, show
from kinestream.core.errors import InputMismatch
from kinestream.core.signals import ACC, GYRO, SampleChunk, Subnet
from kinestream.replay_data import Recording
from kinestream.train import load_recipe
from kinestream.windowing import ChannelMap

SPEC = load_recipe("uci").input


def motion(t: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * hz * t) for hz in (0.5, 1, 2, 3, 4, 5)], axis=1).astype(np.float32)


def recording(seconds: float = 12.0) -> Recording:
    t = np.arange(int(50 * seconds)) / 50
    codes = (t >= seconds / 2).astype(np.int16)
    return Recording("made_up", "u0", "0", 50.0, (*ACC, *GYRO), t, motion(t), codes, ("walking", "sitting"))


@pytest.mark.parametrize("fs_hz", RATES_HZ)
def test_another_rate_samples_the_same_motion_at_its_own_times(fs_hz):
    whole = recording()
    labels = whole.labels
    chunk = SampleChunk("s", "s", whole.t, whole.x, whole.channels, 50.0, 0, 12.0, labels, whole.label_names)
    got = at_rate(chunk, fs_hz)
    np.testing.assert_allclose(got.t, np.arange(len(got)) / fs_hz, atol=1e-9)
    assert len(got) == pytest.approx(12 * fs_hz, abs=2)
    inside = slice(int(fs_hz), -int(fs_hz))  # the resampling filter has no samples beyond the ends
    np.testing.assert_allclose(got.x[inside], motion(got.t)[inside], atol=0.05)
    assert got.labels is not None
    change = got.t[np.flatnonzero(np.diff(got.labels))[0]]
    assert change == pytest.approx(6.0, abs=1 / 50 + 1 / fs_hz)


def test_frequencies_above_a_slower_sensors_limit_are_removed_without_aliasing():
    t = np.arange(600) / 50
    fast = np.sin(2 * np.pi * 20 * t)[:, None].astype(np.float32)
    got = at_rate(SampleChunk("s", "s", t, fast, ("acc_x",), 50.0, 0, 12.0), 25.0)
    assert np.abs(got.x[25:-25]).max() < 0.05


def test_a_rate_the_model_refuses_is_measured_only_with_the_check_off():
    people = [recording()]
    with pytest.raises(InputMismatch):
        list(live_windows(SPEC, people, ChannelMap(), 25.0, forced=False))
    forced = list(live_windows(SPEC, people, ChannelMap(), 25.0, forced=True))
    plain = list(live_windows(SPEC, people, ChannelMap(), None, forced=False))
    assert len(plain) - 1 <= len(forced) <= len(plain)
    assert {truth for _, truth in forced} == {"walking", "sitting"}


def test_all_turns_differ_and_none_is_the_identity():
    maps = [ChannelMap.parse(axes) for axes in TURNS.values()]
    assert len(set(maps)) == 6
    assert ChannelMap() not in maps


def test_the_table_shows_the_loss_against_the_first_row():
    subnet = Subnet(1.0, 128)
    first = Row("as recorded", 10, {subnet: 0.9}, {})
    lost = replace(first, worn="sensor at 25 Hz", accuracy={subnet: 0.65}, refused=True)
    none = Row("sensor at 37.5 Hz", 0, {}, {})
    lines = show([first, lost, none]).splitlines()
    assert lines[2] == "| as recorded | 10 | 90.0 |"
    assert lines[3] == "| sensor at 25 Hz, refused; if let through: | 10 | 65.0 (-25.0) |"
    assert lines[4] == "| sensor at 37.5 Hz | 0 | - |"
