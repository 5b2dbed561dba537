"""A recording played as a source."""

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
def recorded() -> list[SampleChunk]:
    """10 s of one stream, its next epoch two minutes later, then a second stream."""
    first = chunks(500)
    second = [replace(c, session="two", t=c.t + 120, received_s=c.received_s + 120) for c in chunks(200)]
    return [*first, *second, *acc_only(50)]


@pytest.fixture
def folder(tmp_path: Path, recorded: list[SampleChunk]) -> Path:
    to = writer(tmp_path / "r", segment_s=3.0)
    to.write(recorded)
    to.close()
    return tmp_path / "r"


async def test_a_player_yields_exactly_the_recorded_chunks(folder: Path, recorded: list[SampleChunk]) -> None:
    player = RecordingPlayer(folder, speed=float("inf"))
    assert isinstance(player, Source)
    assert isinstance(player, Playback)
    assert isinstance(player, Noticing)
    played = [chunk async for chunk in player.chunks()]
    assert list(map(as_bytes, played)) == list(map(as_bytes, recorded))
    # 10 s and 4 s without the gap between them; then the second stream starts.
    assert player.duration_s == pytest.approx(14.0 + 0.4 + 4 * 0.2)
    assert (player.counts(), player.notices()) == ({}, [])


async def test_a_seek_continues_in_a_new_epoch(folder: Path) -> None:
    player = RecordingPlayer(folder, speed=float("inf"))
    played = []
    async for chunk in player.chunks():
        played.append(chunk)
        if len(played) == 3:
            player.seek(9.0)
    assert [chunk.session for chunk in played[:4]] == ["one", "one", "one", "one~1"]
    assert played[3].t[0] == pytest.approx(9.0, abs=0.4)


async def test_a_recording_opens_by_its_path(folder: Path, recorded: list[SampleChunk]) -> None:
    for address in (str(folder), f"replay://{folder}?speed=max"):
        source = open_source(address, SourceOptions(speed=float("inf")))
        assert isinstance(source, RecordingPlayer)
        assert sum([len(chunk) async for chunk in source.chunks()]) == sum(map(len, recorded))
    with pytest.raises(ConfigError, match="does not accept --subject"):
        open_source(str(folder), SourceOptions(subjects=("anna",)))


async def test_a_cut_off_recording_plays_with_a_notice(tmp_path: Path, recorded: list[SampleChunk]) -> None:
    to = writer(tmp_path / "r")
    to.write(recorded)
    to.abandon()
    tail = tmp_path / "r" / "tail-000000.log"
    tail.write_bytes(tail.read_bytes() + b"KSF1 half a frame")
    player = RecordingPlayer(tmp_path / "r", speed=float("inf"))
    assert len([chunk async for chunk in player.chunks()]) == len(recorded)
    assert player.counts() == {"torn_bytes": 17}
    (notice,) = player.notices()
    assert "was not closed" in notice


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        RecordingPlayer(tmp_path)
