from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO, SampleChunk, Sensing
from kinestream.windowing import Segmenter, Sensed
from tests.windowing.streams import PLAIN, cut, regular, stream


def begun(chunk: SampleChunk) -> Sensed:
    """A ``Sensed`` within a session; a new session would begin with the last request at any time."""
    sensed = Sensed()
    sensed.push(chunk.part(0, 0))
    return sensed


def run(sensed: Sensed, chunks: list[SampleChunk]) -> SampleChunk:
    """The reduced chunks joined into one; their times and numbers must continue."""
    parts = [part for chunk in chunks for part in sensed.push(chunk) if len(part)]
    for before, after in itertools.pairwise(parts):
        assert after.seq == before.seq + len(before)
        assert after.t[0] > before.t[-1]
    given = [part.labels for part in parts if part.labels is not None]
    labels = np.concatenate(given) if given else None
    t, x = (np.concatenate([getattr(part, name) for part in parts]) for name in ("t", "x"))
    return replace(parts[-1], t=t, x=x, seq=parts[0].seq, labels=labels)


def test_without_a_request_the_same_chunks_pass() -> None:
    sensed, chunks = Sensed(), cut(regular(200), 33)
    assert all(sensed.push(chunk)[0] is chunk for chunk in chunks)
    assert sensed.thinned == 0


@pytest.mark.parametrize("size", [1, 7, 37, 1000])
def test_a_slower_sensor_gives_every_kth_sample_from_the_requested_time_on(size: int) -> None:
    whole = regular(1000, labels=(np.arange(1000) // 100).astype(np.int16) % 3)
    sensed = begun(whole)
    sensed.ask(Sensing(25.0), from_s=4.01)
    left = run(sensed, cut(whole, size))
    assert left.t.tolist() == [*whole.t[:201], *whole.t[201::2]]
    assert (left.x[:201] == whole.x[:201]).all()
    assert left.labels is not None
    assert left.labels[201:].tolist() == whole.labels[201::2].tolist()  # pyright: ignore[reportOptionalSubscript]
    assert left.fs_hz == 25.0
    assert sensed.thinned == 1000 - len(left)
    once = begun(whole)
    once.ask(Sensing(25.0), from_s=4.01)
    assert left.x.tobytes() == run(once, [whole]).x.tobytes()


def test_motion_too_fast_for_the_lower_rate_is_filtered_out() -> None:
    t = np.arange(1000) / 50
    x = np.repeat(np.sin(2 * np.pi * 22 * t)[:, None], 6, axis=1).astype(np.float32)  # would fold to 3 Hz at 25 Hz
    sensed = Sensed()
    sensed.ask(Sensing(25.0), 0.0)
    assert np.abs(run(sensed, [stream(t, x)]).x[50:]).max() < 0.1


def test_the_sensor_returns_to_its_own_rate_and_gyroscope() -> None:
    whole = regular(1000)
    sensed = begun(whole)
    sensed.ask(Sensing(25.0, gyro=False), 4.0)
    sensed.ask(None, 12.0)
    left = run(sensed, cut(whole, 37))
    slow = (left.t >= 4.0) & (left.t < 12.0)
    assert slow.sum() == 200
    columns = [left.channels.index(name) for name in GYRO]
    assert not left.x[slow][:, columns].any()
    assert (left.x[~slow] == np.concatenate((whole.x[:200], whole.x[600:]))).all()


def test_a_lost_packet_is_still_counted_as_lost() -> None:
    chunks = cut(regular(1000), 50)
    del chunks[10]
    sensed, segmenter = Sensed(), Segmenter(PLAIN, any_rate=True)
    sensed.ask(Sensing(25.0), 2.0)
    for chunk in chunks:
        for part in sensed.push(chunk):
            segmenter.push(part)
    segmenter.flush()
    assert segmenter.counts()["lost"] == 50
    assert segmenter.counts()["samples"] + sensed.thinned == 950


def test_a_device_that_follows_passes_and_its_sleeping_gyroscope_reads_zero() -> None:
    whole = regular(1000)
    sensed = begun(whole)
    first, then = whole.part(0, 200), whole.part(200, 1000)
    sensed.ask(Sensing(25.0, gyro=False), 4.0)
    acc_only = [whole.channels.index(name) for name in ACC]
    itself = replace(then, t=then.t[::2], x=then.x[::2][:, acc_only], channels=ACC, fs_hz=25.0, seq=200)
    parts = [part for chunk in (first, itself) for part in sensed.push(chunk)]
    assert [part.channels for part in parts] == [whole.channels] * 2
    assert (parts[1].x[:, acc_only] == itself.x).all()
    assert not np.delete(parts[1].x, acc_only, axis=1).any()
    assert sensed.thinned == 0


def test_a_new_session_begins_as_it_was_last_asked() -> None:
    sensed = Sensed()
    sensed.push(regular(50))
    sensed.ask(Sensing(25.0), 100.0)
    again = replace(regular(100), session="again")
    (part,) = sensed.push(again)
    assert (len(part), part.seq, part.fs_hz) == (50, 0, 25.0)


@pytest.mark.parametrize("at", [0, 3, 9, 20])
def test_a_restored_sensor_continues_to_the_last_bit(at: int) -> None:
    chunks = cut(regular(1000), 37)
    one = begun(chunks[0])
    one.ask(Sensing(25.0, gyro=False), 3.0)
    one.ask(Sensing(12.5), 9.0)
    for chunk in chunks[:at]:
        one.push(chunk)
    other = Sensed()
    other.restore(one.state())
    assert run(other, chunks[at:]).x.tobytes() == run(one, chunks[at:]).x.tobytes()
    assert other.thinned == one.thinned
    assert other.asked == one.asked == Sensing(12.5)
