from __future__ import annotations

import math
from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError, DataMissing
from kinestream.core.source import Playback, Source
from kinestream.ingest import ZmqSource
from kinestream.launch.open_source import SourceOptions, open_source, parse_speed
from kinestream.replay_data import Player, Wearer


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "walk.csv"
    path.write_text("time,acc_x,acc_y,acc_z\n" + "".join(f"{i / 50},0.1,0.2,9.8\n" for i in range(200)))
    return path


@pytest.mark.parametrize("address", ["wearer://?seed=3", "zmq+tcp://127.0.0.1:5556", "{recording}"])
async def test_every_kind_of_address_opens_a_source(address: str, recording: Path) -> None:
    source = open_source(address.format(recording=recording))
    assert isinstance(source, Source)
    await source.aclose()
    assert type(source) in (Wearer, ZmqSource, Player)


def test_an_option_overrides_the_address() -> None:
    source = open_source("wearer://?speed=2", SourceOptions(speed=8.0))
    assert isinstance(source, Playback)
    assert source.speed == 8.0


def test_a_replay_address_carries_its_own_options(recording: Path) -> None:
    source = open_source(f"replay://{recording}?speed=max")
    assert isinstance(source, Playback)
    assert source.speed == math.inf
    with pytest.raises(ConfigError, match="unknown sped; known: speed, subject, loop, together"):
        open_source(f"replay://{recording}?sped=max")


@pytest.mark.parametrize(
    ("address", "options", "flag"),
    [
        ("wearer://", SourceOptions(subjects=("3",)), "--subject"),
        ("wearer://", SourceOptions(loop=True), "--loop"),
        ("zmq+tcp://127.0.0.1:5556", SourceOptions(speed=2.0, together=True), "--speed, --together"),
    ],
)
def test_an_option_that_the_source_would_ignore_is_refused(address: str, options: SourceOptions, flag: str) -> None:
    with pytest.raises(ConfigError, match=f"does not accept {flag}"):
        open_source(address, options)


def test_an_unknown_kind_of_source_is_refused_with_the_known_kinds() -> None:
    with pytest.raises(
        ConfigError, match=r"'mqtt://' is not a kind of source; expected wearer://, zmq\+tcp://, relay://.*, replay://"
    ):
        open_source("mqtt://broker")


def test_a_missing_dataset_names_the_command_and_the_folder(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="kinestream data fetch hapt") as caught:
        open_source("hapt", SourceOptions(data_dir=tmp_path))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(("text", "speed"), [("max", math.inf), ("1", 1.0), ("x4", 4.0), ("0.5", 0.5), ("10x", 10.0)])
def test_a_speed_is_a_multiple_of_real_time(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "fast"])
def test_a_text_that_is_not_a_speed_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a multiple of real time"):
        parse_speed(text)
