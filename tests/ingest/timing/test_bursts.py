"""Bursts of samples with nearly one stamp, by simulated senders."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.ingest.timing.bursts import Bursts
from kinestream.ingest.timing.sender_stamps import SenderStamps
from kinestream.launch.build_run import build_run
from kinestream.launch.run_options import RunOptions
from kinestream.replay_data import Wearer

if TYPE_CHECKING:
    from numpy.typing import NDArray

FS_HZ = 50.0


class Sent(NamedTuple):
    """What a sender of packets stamped, packet by packet, and when the samples were taken."""

    stamps: list[NDArray[np.float64]]
    taken: NDArray[np.float64]


def packets(
    size: int,
    seconds: float = 40.0,
    *,
    rate_hz: float = FS_HZ,
    jitter_s: float = 0.0,
    lost: Collection[int] = (),
    spread: bool = False,
) -> Sent:
    """Packets that are stamped when they come: one by one, or with the last stamp spread evenly over the packet."""
    rng = np.random.default_rng(size)
    taken = np.arange(int(seconds * rate_hz) // size * size) / rate_hz
    stamps: list[NDArray[np.float64]] = []
    kept: list[NDArray[np.float64]] = []
    arrived_s = 0.0
    for number, part in enumerate(taken.reshape(-1, size)):
        if number in lost:
            continue
        arrived_s = max(part[-1] + 0.02 + rng.exponential(jitter_s), arrived_s + 1e-3)
        steps = np.arange(size)
        stamps.append(arrived_s - steps[::-1] / rate_hz if spread else arrived_s + 1e-5 * steps)
        kept.append(part)
    return Sent(stamps, np.concatenate(kept))


def laid(bursts: Bursts, chunks: Iterable[NDArray[np.float64]]) -> tuple[NDArray[np.float64], int]:
    """All times, and the number of restarts."""
    results = [bursts.push(chunk) for chunk in chunks]
    return np.concatenate([t for t, _ in results]), sum(restarted for _, restarted in results)


def error_s(t: NDArray[np.float64], taken: NDArray[np.float64], after_s: float = 10.0) -> float:
    """The largest error of the times after the first seconds, without their constant part."""
    error = (t - taken)[taken > after_s]
    return float(np.abs(error - np.median(error)).max())


@pytest.mark.parametrize("size", [2, 5, 12, 36, 50])
def test_samples_of_a_packet_that_share_a_stamp_are_laid_evenly(size: int) -> None:
    sent = packets(size)
    bursts = Bursts(FS_HZ)
    t, restarts = laid(bursts, sent.stamps)
    assert (len(t), bursts.samples, restarts) == (len(sent.taken), size, 0)
    assert error_s(t, sent.taken) < 1e-3
    assert bursts.remark.startswith(f"samples come in bursts of {size} with nearly one stamp: laid evenly")


@pytest.mark.parametrize(("size", "jitter_s"), [(12, 0.02), (5, 0.01), (1, 0.01), (36, 0.02)])
def test_packets_that_come_unevenly_are_laid_evenly(size: int, jitter_s: float) -> None:
    sent = packets(size, jitter_s=jitter_s)
    bursts = Bursts(FS_HZ)
    t, restarts = laid(bursts, sent.stamps)
    assert error_s(t, sent.taken) < 0.02
    assert restarts <= 1
    assert (np.diff(t)[1000:] > 0).all()


def test_packets_with_one_stamp_spread_evenly_lose_their_jumps_at_the_borders() -> None:
    sent = packets(12, 60.0, jitter_s=0.02, spread=True)
    bursts = Bursts(FS_HZ)
    t, _ = laid(bursts, sent.stamps)
    assert bursts.remark.startswith("stamps jump between packets of 12 samples: laid evenly")
    assert error_s(t, sent.taken, after_s=30.0) < 0.01


def test_the_cut_into_chunks_does_not_matter() -> None:
    sent = packets(12)
    stamps = np.concatenate(sent.stamps)
    rng = np.random.default_rng(0)
    cuts = np.sort(rng.choice(np.arange(1, len(stamps)), len(stamps) // 5, replace=False))
    t, restarts = laid(Bursts(FS_HZ), np.split(stamps, cuts))
    assert len(t) == len(stamps)
    assert restarts == 0
    assert error_s(t, sent.taken) < 5e-3


@pytest.mark.parametrize("lost", [{100}, range(100, 103), range(100, 120)])
def test_a_hole_stays_a_hole_of_its_length(lost: Collection[int]) -> None:
    sent = packets(12, 60.0, lost=lost)
    t, _ = laid(Bursts(FS_HZ), sent.stamps)
    assert len(t) == len(sent.taken)
    late = sent.taken > 30.0
    assert float(np.abs((t - sent.taken)[late] - (t - sent.taken)[600]).max()) < 1e-3
    steps_s = np.diff(t)[500:] - 0.02
    assert float(steps_s[steps_s > 0.1].sum()) == pytest.approx(0.24 * len(lost), abs=0.01)
    assert (np.diff(t)[500:] > 0.02 * 0.9).all()


@pytest.mark.parametrize(("announced_hz", "rate_hz"), [(50.0, 104.0), (200.0, 50.0), (50.0, 49.8)])
def test_the_announced_rate_need_not_be_true(announced_hz: float, rate_hz: float) -> None:
    sent = packets(12, 60.0, rate_hz=rate_hz)
    t, _ = laid(Bursts(announced_hz), sent.stamps)
    assert error_s(t, sent.taken, after_s=30.0) < 5e-3


def jittered() -> NDArray[np.float64]:
    return np.arange(2000) / FS_HZ + np.random.default_rng(0).normal(0, 2e-3, 2000)


@pytest.mark.parametrize(
    "stamps",
    [
        np.arange(2000) / FS_HZ,
        np.arange(2000) / 208.0,
        jittered(),
        np.concatenate([np.arange(500) / 25, 20 + np.arange(2000) / 100]),
        np.delete(np.arange(2000) / FS_HZ, np.random.default_rng(1).choice(2000, 200, replace=False)),
        np.concatenate([np.arange(500) / FS_HZ, 10.5 + np.arange(25) * 1e-4, 10.52 + np.arange(500) / FS_HZ]),
    ],
    ids=["even", "four times the announced rate", "jittered", "rate raised", "single samples lost", "one stall"],
)
def test_stamps_without_repeated_bursts_are_passed_on_bit_for_bit(stamps: NDArray[np.float64]) -> None:
    bursts = Bursts(FS_HZ)
    t, restarts = laid(bursts, np.array_split(stamps, len(stamps) // 7))
    assert t.tobytes() == stamps.tobytes()
    assert (restarts, bursts.remark, bursts.samples) == (0, "", 1)


def test_uneven_stamps_of_an_irregular_stream_mean_what_they_say() -> None:
    rng = np.random.default_rng(2)
    stamps = np.cumsum(rng.choice([0.004, 0.02, 0.04], 2000, p=[0.1, 0.7, 0.2]))
    assert laid(Bursts(FS_HZ, irregular=True), np.array_split(stamps, 200))[0].tobytes() == stamps.tobytes()
    assert laid(Bursts(FS_HZ), np.array_split(stamps, 200))[0].tobytes() != stamps.tobytes()


def test_stamps_that_are_not_finite_are_passed_on() -> None:
    bursts = Bursts(FS_HZ)
    for sent in packets(12, 5.0).stamps:
        bursts.push(sent)
    t, restarted = bursts.push(np.array([np.nan, 5.2]))
    assert np.isnan(t[0])
    assert not restarted


def accuracy(size: int, stamps: str) -> float:
    """Share of right windows of some minutes of a wearer, by how the packets are stamped."""
    pipeline = build_run(RunOptions("wearer://?seed=1&speed=max", model="uci_cnn")).pipeline
    wearer = [chunk for _, chunk in islice(Wearer(seed=3, rate_hz=FS_HZ).packets(), 1000)]
    x, labels = np.concatenate([chunk.x for chunk in wearer]), np.concatenate([chunk.labels for chunk in wearer])
    sender, right, windows = SenderStamps(FS_HZ), 0, 0
    for k in range(0, len(x) // size * size, size):
        taken = 100 + np.arange(k, k + size) / FS_HZ
        arrived_s = float(taken[-1]) + 0.02
        t = taken if stamps == "each when taken" else arrived_s + 1e-5 * np.arange(size)
        if stamps != "in bursts, as they are":
            t, _ = sender.push(t, arrived_s)
        cut = slice(k, k + size)
        chunk = SampleChunk(
            "wrist", "a", t, x[cut], ACC + GYRO, FS_HZ, k, arrived_s, labels[cut], wearer[0].label_names
        )
        for prediction in pipeline.push(chunk):
            if prediction.truth_share == 1.0:
                windows += 1
                right += prediction.label == prediction.truth
    return right / windows


def test_bursts_cost_no_accuracy_once_they_are_laid_evenly() -> None:
    good = accuracy(12, "each when taken")
    assert accuracy(12, "in bursts") > good - 0.03
    assert accuracy(12, "in bursts, as they are") < good - 0.1
