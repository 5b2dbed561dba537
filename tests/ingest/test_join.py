"""Joining of sample groups with different times."""

from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO
from kinestream.ingest.join import PATIENCE_S, Joined, Joiner
from kinestream.ingest.profile import Group

GROUPS = (Group("gyro", GYRO, 50.0), Group("acc", ACC, 50.0))


def line(t: np.ndarray, slope: float) -> np.ndarray:
    return np.outer(t, [slope, 2 * slope, 3 * slope]).astype(np.float32)


def test_the_newest_time_of_each_group_shows_which_one_is_behind() -> None:
    joiner = Joiner(GROUPS)
    assert joiner.newest_s() == {"acc": -np.inf, "gyro": -np.inf}
    joiner.push("acc", np.arange(3.0), np.zeros((3, 3), np.float32), 0)
    assert joiner.newest_s() == {"acc": 2.0, "gyro": -np.inf}
    assert Joiner(GROUPS[:1]).newest_s() == {}


def feed(joiner: Joiner, acc_t: np.ndarray, gyro_t: np.ndarray, packet: int = 7) -> list[Joined]:
    """Push both groups, packet by packet, in the order of the packets' last samples."""
    packets = [
        (t[i : i + packet], name, i) for name, t in (("acc", acc_t), ("gyro", gyro_t)) for i in range(0, len(t), packet)
    ]
    joined: list[Joined] = []
    for t, name, first in sorted(packets, key=lambda packet: packet[0][-1]):
        joined += joiner.push(name, t, line(t, 1.0 if name == "acc" else 5.0), first)
    return joined


def test_a_single_group_passes_unchanged() -> None:
    joiner = Joiner(GROUPS[1:])
    t, x = np.arange(5.0), np.ones((5, 3), np.float32)
    (out,) = joiner.push("acc", t, x, 40)
    assert (out.t is t, out.x is x, out.seq) == (True, True, 40)


def test_the_gyroscope_is_interpolated_at_the_accelerometers_times() -> None:
    joiner = Joiner(GROUPS)
    acc_t = np.arange(200) / 50
    out = feed(joiner, acc_t, np.arange(260) / 52 + 0.003)
    assert joiner.channels == (*ACC, *GYRO)
    t = np.concatenate([part.t for part in out])
    x = np.concatenate([part.x for part in out])
    assert (np.diff(t) > 0).all()
    assert np.isin(t, acc_t).all()
    np.testing.assert_allclose(x[:, :3], line(t, 1.0), rtol=1e-6)
    np.testing.assert_allclose(x[:, 3:], line(t, 5.0), rtol=1e-4, atol=1e-5)
    # Only the sample before the gyroscope's first part has no partner.
    assert +joiner.counts == {"unpaired": 1}


@pytest.mark.parametrize("packet", [1, 3, 26, 200])
def test_packets_of_any_size_join_to_the_same_samples(packet: int) -> None:
    acc_t, gyro_t = np.arange(200) / 50, np.arange(208) / 52
    out = feed(Joiner(GROUPS), acc_t, gyro_t, packet)
    whole = feed(Joiner(GROUPS), acc_t, gyro_t, 8)
    n = min(sum(len(part.t) for part in out), sum(len(part.t) for part in whole))
    assert n > 170
    np.testing.assert_array_equal(
        np.concatenate([part.x for part in out])[:n], np.concatenate([part.x for part in whole])[:n]
    )


def test_a_long_hole_is_not_interpolated_and_every_dropped_sample_is_counted() -> None:
    joiner = Joiner(GROUPS)
    gyro_t = np.arange(400) / 50
    gyro_t = gyro_t[(gyro_t < 3) | (gyro_t > 4)]
    out = feed(joiner, np.arange(400) / 50 + 0.001, gyro_t)
    t = np.concatenate([part.t for part in out])
    assert not ((t > 3) & (t < 4)).any()
    waiting = 400 - len(t) - joiner.counts["unpaired"]
    assert joiner.counts["unpaired"] >= 50
    assert 0 <= waiting < 10
    seqs = np.concatenate([np.arange(part.seq, part.seq + len(part.t)) for part in out])
    np.testing.assert_array_equal(seqs, np.arange(len(seqs)))  # dropped samples leave no jump in the numbers


def test_a_short_hole_is_interpolated_and_counted() -> None:
    joiner = Joiner(GROUPS)
    gyro_t = np.delete(np.arange(400) / 50, slice(100, 106))
    feed(joiner, np.arange(400) / 50 + 0.001, gyro_t)
    assert joiner.counts["interpolated"] == 7


def test_losses_of_the_leader_remain_jumps_of_the_numbers() -> None:
    joiner = Joiner(GROUPS)
    t = np.arange(300) / 50
    joiner.push("gyro", t, line(t, 5.0), 0)
    first = joiner.push("acc", t[10:20], line(t[10:20], 1.0), 10)
    second = joiner.push("acc", t[40:50], line(t[40:50], 1.0), 40)
    assert [part.seq for part in first + second] == [10, 40]


def test_a_silent_group_does_not_fill_the_memory() -> None:
    joiner = Joiner(GROUPS)
    t = np.arange(50 * 600) / 50
    joiner.push("gyro", t[:50], line(t[:50], 5.0), 0)
    for i in range(0, len(t), 50):
        joiner.push("acc", t[i : i + 50], line(t[i : i + 50], 1.0), i)
    waiting = sum(len(samples.t) for samples in joiner._waiting)
    assert waiting <= PATIENCE_S * 50 + 1
    assert joiner.counts["unpaired"] >= len(t) - 50 - waiting - 1
