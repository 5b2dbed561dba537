"""The tail of a recording survives cuts and damage frame by frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.replay_data.recordings import Event
from kinestream.replay_data.recordings.tables import events_batch, events_of
from kinestream.replay_data.recordings.tail import TailWriter, read_tail, refuse_if_held

FRAMES = 6


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[int]]:
    """The content of a tail of six frames, and the end of each frame."""
    path = tmp_path_factory.mktemp("tail") / "tail-000000.log"
    tail = TailWriter(path)
    ends = []
    for number in range(FRAMES):
        tail.append({"events": events_batch([Event("label", {"label": "x" * number}, at_s=float(number))])})
        ends.append(tail.size)
    tail.sync()
    tail.close()
    return path.read_bytes(), ends


def values_in(content: bytes, path: Path) -> tuple[list[float], int, int]:
    path.write_bytes(content)
    tail = read_tail(path)
    return [event.at_s for event in events_of(tail.table("events"))], tail.bytes_kept, tail.bytes_lost


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10_000))
def test_a_tail_cut_anywhere_keeps_every_complete_frame(
    written: tuple[bytes, list[int]], tmp_path: Path, cut: int
) -> None:
    content, ends = written
    cut = min(cut, len(content))
    complete = sum(end <= cut for end in ends)
    kept = ends[complete - 1] if complete else 0
    assert values_in(content[:cut], tmp_path / "tail") == ([float(i) for i in range(complete)], kept, cut - kept)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_damaged_byte_costs_only_its_own_frame(
    written: tuple[bytes, list[int]], tmp_path: Path, at: int, value: int
) -> None:
    content, ends = written
    at %= len(content)
    hit = sum(end <= at for end in ends)
    damaged = bytearray(content)
    damaged[at] ^= value
    values, kept, lost = values_in(bytes(damaged), tmp_path / "tail")
    padding = at - ([0, *ends][hit]) in (5, 6, 7)  # three bytes of a frame's head are padding
    assert values == [float(i) for i in range(FRAMES) if i != hit or padding]
    assert kept + lost == len(content)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=200))
def test_garbage_before_the_first_frame_costs_no_frame(
    written: tuple[bytes, list[int]], tmp_path: Path, garbage: bytes
) -> None:
    content, _ = written
    values, _, lost = values_in(garbage + content, tmp_path / "tail")
    assert (values, lost) == ([float(i) for i in range(FRAMES)], len(garbage))


def test_a_replaced_or_deleted_tail_fails_at_the_next_sync(tmp_path: Path) -> None:
    path = tmp_path / "tail-000000.log"
    tail = TailWriter(path)
    tail.sync()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        tail.sync()
    path.write_bytes(b"another")
    with pytest.raises(FileNotFoundError, match="replaced"):
        tail.sync()
    tail.close()


def test_a_tail_held_by_a_running_program_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="Windows itself protects open files from deletion")
    path = tmp_path / "tail-000000.log"
    tail = TailWriter(path)
    with pytest.raises(ConfigError, match="being recorded right now"):
        refuse_if_held(path)
    tail.close()
    refuse_if_held(path)
