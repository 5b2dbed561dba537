"""A recording as a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError, DataMissing
from kinestream.core.signals import SampleChunk
from kinestream.core.source import Noticing, Playback, Source
from kinestream.launch.open_source import SourceOptions, open_source
from kinestream.replay_data.recordings import RecordingPlayer
from tests.replay_data.recordings.recorded import acc_only, as_bytes, chunks, writer


@pytest.fixture
def given() -> list[SampleChunk]:
    """10 s of one stream, then its next session two minutes later, with another stream beside."""
    first = chunks(500)
    second = [replace(c, session="two", t=c.t + 120, received_s=c.received_s + 120) for c in chunks(200)]
    return [*first, *second, *acc_only(50)]


@pytest.fixture
def folder(tmp_path: Path, given: list[SampleChunk]) -> Path:
    to = writer(tmp_path / "r", segment_s=3.0)
    to.write(given)
    to.close()
    return tmp_path / "r"


async def test_the_chunks_are_those_that_were_recorded(folder: Path, given: list[SampleChunk]) -> None:
    player = RecordingPlayer(folder, speed=float("inf"))
    assert isinstance(player, Source)
    assert isinstance(player, Playback)
    assert isinstance(player, Noticing)
    played = [chunk async for chunk in player.chunks()]
    assert list(map(as_bytes, played)) == list(map(as_bytes, given))
    # 10 s and 4 s, the hole between them not waited for; then the other stream begins.
    assert player.duration_s == pytest.approx(14.0 + 0.4 + 4 * 0.2)
    assert (player.counts(), player.notices()) == ({}, [])


async def test_a_seek_goes_on_there_in_a_new_session(folder: Path) -> None:
    player = RecordingPlayer(folder, speed=float("inf"))
    played = []
    async for chunk in player.chunks():
        played.append(chunk)
        if len(played) == 3:
            player.seek(9.0)
    assert [chunk.session for chunk in played[:4]] == ["one", "one", "one", "one~1"]
    assert played[3].t[0] == pytest.approx(9.0, abs=0.4)


async def test_a_recording_opens_by_its_path(folder: Path, given: list[SampleChunk]) -> None:
    for address in (str(folder), f"replay://{folder}?speed=max"):
        source = open_source(address, SourceOptions(speed=float("inf")))
        assert isinstance(source, RecordingPlayer)
        assert sum([len(chunk) async for chunk in source.chunks()]) == sum(map(len, given))
    with pytest.raises(ConfigError, match="takes no --subject"):
        open_source(str(folder), SourceOptions(subjects=("anna",)))


async def test_a_recording_that_was_cut_off_says_so_and_is_played(tmp_path: Path, given: list[SampleChunk]) -> None:
    to = writer(tmp_path / "r")
    to.write(given)
    to.abandon()
    tail = tmp_path / "r" / "tail-000000.log"
    tail.write_bytes(tail.read_bytes() + b"KSF1 half a frame")
    player = RecordingPlayer(tmp_path / "r", speed=float("inf"))
    assert len([chunk async for chunk in player.chunks()]) == len(given)
    assert player.counts() == {"torn_bytes": 17}
    (notice,) = player.notices()
    assert "was not closed" in notice


def test_a_folder_without_a_recording_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        RecordingPlayer(tmp_path)
