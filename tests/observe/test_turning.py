"""The scale of a gyroscope is judged by the turning of gravity, and only when that is sure."""

from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.observe.rotation import GYRO_UNITS, best_scale, turned_by
from kinestream.observe.signal import SignalWatch
from kinestream.observe.turning import EVENTS
from kinestream.replay_data import Wearer
from tests.sensor_check.person import rotated, smooth

FS_HZ = 50.0


def movements(count: int, degrees: float = 60.0, seed: int = 0) -> np.ndarray:
    """(n, 6) a sensor that rests 1 s, is turned within 1.5 s about any axis, rests, and so on."""
    rng = np.random.default_rng(seed)
    still = np.zeros((100, 6))
    still[:, :3] = [0.0, 0.0, 9.81]
    rows, gravity = [], still[0, :3]
    for _ in range(count):
        axis = np.cross(gravity, rng.normal(size=3))
        start = np.tile(np.r_[gravity, 0.0, 0.0, 0.0], (150, 1))
        angle = np.r_[np.zeros(50), smooth(100, np.radians(degrees) * 1.0)[:100]]
        part = rotated(start, axis, angle)
        rows.append(part)
        gravity = part[-1, :3]
    x = np.concatenate([still, *rows, np.tile(np.r_[gravity, 0.0, 0.0, 0.0], (100, 1))])
    return x + rng.normal(0, 0.01, x.shape)


def watched(x: np.ndarray, fs_hz: float = FS_HZ) -> SignalWatch:
    watch = SignalWatch()
    for at in range(0, len(x), 10):
        rows = x[at : at + 10].astype(np.float32)
        t = (at + np.arange(len(rows))) / fs_hz
        watch.push(SampleChunk("s", "a", t, rows, (*ACC, *GYRO), fs_hz, at, float(t[-1])))
    return watch


def scaled(x: np.ndarray, share: float) -> np.ndarray:
    return np.concatenate([x[:, :3], share * x[:, 3:]], axis=1)


@pytest.mark.parametrize("share", [0.27, 0.5, 2.0, -1.0, 180 / np.pi])
def test_a_wrong_scale_is_found_from_movements(share: float) -> None:
    turning = watched(scaled(movements(6), share)).figures().turning
    assert turning.movements == 6
    assert turning.share == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize("share", [1.0, 0.9, 1.2])
def test_a_sound_gyroscope_is_not_blamed(share: float) -> None:
    turning = watched(scaled(movements(8), share)).figures().turning
    assert turning.movements == 8
    assert turning.share is None


def test_nothing_is_said_before_the_sensor_was_turned_often_enough() -> None:
    assert watched(scaled(movements(EVENTS - 1), 0.27)).figures().turning.share is None
    assert watched(scaled(movements(9, degrees=15), 0.27)).figures().turning.movements == 0


def test_axes_that_no_scale_explains_are_not_called_a_scale() -> None:
    x = movements(8)
    assert watched(x[:, [0, 1, 2, 4, 5, 3]]).figures().turning.share is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_built_in_wearer_has_a_sound_gyroscope(seed: int) -> None:
    watch = SignalWatch()
    for _, chunk in Wearer(seed, duration_s=120).packets():
        watch.push(chunk)
    figures = watch.figures()
    assert figures.turning.share is None
    assert figures.gravity == pytest.approx(9.8, abs=1.0)
    assert figures.gyro_news is None or figures.gyro_news > 0.9


def test_a_slow_gyroscope_is_noticed_whether_it_is_repeated_or_interpolated() -> None:
    x = movements(6, degrees=170)
    t, slow_t = np.arange(len(x)) / FS_HZ, np.arange(0, len(x), 25)
    held, lines = x.copy(), x.copy()
    held[:, 3:] = np.repeat(x[slow_t, 3:], 25, axis=0)[: len(x)]
    for column in range(3, 6):
        lines[:, column] = np.interp(t, slow_t / FS_HZ, x[slow_t, column])
    for slow in (held, lines):
        news = watched(slow).figures().gyro_news
        assert news is not None
        assert 0 < news * FS_HZ < 4
    assert watched(x).figures().gyro_news == pytest.approx(1.0, abs=0.1)


def test_values_that_are_not_numbers_are_counted_and_judged_by_nothing_else() -> None:
    x = movements(3)
    x[::4, 1] = np.nan
    figures = watched(x).figures()
    assert figures.not_finite == pytest.approx(0.25, abs=0.05)
    assert figures.blocks == 0


def test_a_gyroscope_that_is_off_is_noticed_while_the_sensor_moves() -> None:
    x = movements(6)
    x[:, 3:] = 0.0
    figures = watched(x).figures()
    assert figures.moved_blocks == figures.gyro_still_blocks > 2
    assert figures.gyro_zero


def test_the_scale_of_one_movement_is_found_in_any_unit() -> None:
    x = movements(1, degrees=50, seed=3)[100:]
    t = np.arange(len(x)) / FS_HZ
    before, after = x[:40, :3].mean(axis=0), x[-80:, :3].mean(axis=0)
    for to_si in (1.0, 1 / 0.27, 0.25):
        assert best_scale(before, after, x[:, 3:] / to_si, t).share == pytest.approx(1 / to_si, rel=0.08)


def test_rotations_compose_as_their_matrices_do() -> None:
    rng = np.random.default_rng(0)
    gyro, t = rng.normal(size=(41, 3)), np.sort(rng.uniform(0, 2, 41))
    np.testing.assert_allclose(
        turned_by(gyro[:21], t[:21]) @ turned_by(gyro[20:], t[20:]), turned_by(gyro, t), atol=1e-12
    )
    assert GYRO_UNITS["rad/s"] == 1.0
