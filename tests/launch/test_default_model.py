"""The model of a run that names none: which sources announce their samples, and which are waited for."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from kinestream import RunOptions, build_run
from kinestream.core.errors import InputMismatch
from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.core.source import LinkStatus, Offer
from kinestream.inference import choose_model
from kinestream.ingest import publish
from kinestream.launch.build_run import PendingRun
from kinestream.launch.default_model import begin, default_model
from kinestream.launch.open_source import SourceOptions, open_source
from kinestream.replay_data import Wearer


def walk(path: Path, fs_hz: float, columns: tuple[str, ...]) -> str:
    t = np.arange(int(20 * fs_hz)) / fs_hz
    x = np.zeros((len(t), len(columns))) + 9.81 * np.array([name == "acc_z" for name in columns])
    np.savetxt(path, np.column_stack([t, x]), "%.4f", ",", header=",".join(("time", *columns)), comments="")
    return str(path)


@pytest.mark.parametrize(("fs_hz", "columns"), [(50.0, ACC), (20.0, ACC), (50.0, (*ACC, *GYRO)), (25.0, (*ACC, *GYRO))])
def test_a_file_announces_its_samples(tmp_path: Path, fs_hz: float, columns: tuple[str, ...]) -> None:
    source = open_source(walk(tmp_path / "walk.csv", fs_hz, columns))
    for worn in ("anywhere", "wrist", "waist", "hip"):
        expected = choose_model(columns, fs_hz, worn)
        assert default_model(source, worn, axes=None) == expected


async def test_asking_a_file_for_its_samples_takes_none_away(tmp_path: Path) -> None:
    path = walk(tmp_path / "walk.csv", 50.0, ACC)
    summary = await build_run(RunOptions(path, SourceOptions(speed=math.inf))).run()
    assert summary["counts"]["samples"] == 20 * 50
    assert summary["model"] == choose_model(ACC, 50.0).name


def test_the_synthetic_wearer_keeps_its_model_unless_it_is_too_slow_or_a_place_is_named() -> None:
    def name(rate_hz: float, worn: str | None) -> str:
        choice = default_model(Wearer(1, rate_hz=rate_hz), worn, axes=None)
        assert choice is not None
        return choice.name

    assert name(50, None) == name(50, "anywhere") == "uci_cnn"
    assert name(50, "wrist") == "watch"
    assert name(25, None) == choose_model((*ACC, *GYRO), 25).name


def test_a_file_that_fits_no_model_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(InputMismatch, match=r"a gyroscope at 50 Hz; needed are .*phone_acc: accelerometer at 16 Hz"):
        PendingRun(RunOptions(walk(tmp_path / "gyro.csv", 50.0, GYRO)))
    with pytest.raises(InputMismatch, match="an accelerometer at 10 Hz"):
        PendingRun(RunOptions(walk(tmp_path / "slow.csv", 10.0, ACC)))


def test_a_source_that_cannot_be_waited_for_gets_a_model_and_a_line_that_says_what_is_assumed() -> None:
    lines: list[str] = []
    session = build_run(RunOptions("zmq+tcp://127.0.0.1:9"), on_notice=lines.append)
    assert session.model_name == choose_model(ACC, 50.0).name
    assert len(lines) == 1
    assert "assumed: an accelerometer at 50 Hz or more" in lines[0]


def test_a_named_model_says_nothing_and_waits_for_nothing() -> None:
    lines: list[str] = []
    pending = PendingRun(RunOptions("zmq+tcp://127.0.0.1:9", model="uci_kinet", worn="wrist"))
    assert not pending.waits
    assert pending.build(on_notice=lines.append).model_name == "uci_kinet"
    assert lines == []


@pytest.mark.parametrize("channels", [ACC, (*ACC, *GYRO)])
async def test_the_first_samples_of_a_socket_choose_the_model_and_none_is_lost(
    tmp_path: Path, channels: tuple[str, ...]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    source = open_source(walk(tmp_path / "walk.csv", 50.0, channels), SourceOptions(speed=math.inf))
    pending = PendingRun(RunOptions(f"zmq+{address}", worn="pocket"))
    assert pending.waits
    sending = asyncio.create_task(publish(source, address, wait=True))
    await pending.begin()
    lines: list[str] = []
    summary = await pending.build(on_notice=lines.append).run()
    await sending
    choice = choose_model(channels, 50.0, "pocket")
    assert lines == [str(choice)]
    assert summary["model"] == choice.name
    assert summary["counts"]["samples"] == 20 * 50
    assert summary["counts"]["lost"] == 0


class Pair:
    """Two linked sensors, of which the slower one has no gyroscope."""

    name, live = "pair://", True

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        for seq in (0, 1):
            for stream, channels, fs_hz in (("hand", (*ACC, *GYRO), 50.0), ("foot", ACC, 25.0)):
                x = np.zeros((1, len(channels)), np.float32)
                yield SampleChunk(stream, "0", np.array([seq / fs_hz]), x, channels, fs_hz, seq, 0.0)

    def status(self) -> Sequence[LinkStatus]:
        return [LinkStatus(name, "streaming", None, None, 0, 0.0) for name in ("hand", "foot")]

    def counts(self) -> dict[str, int]:
        return {}

    async def aclose(self) -> None:
        return


async def test_a_source_of_two_sensors_offers_what_both_have() -> None:
    begun = await begin(Pair())
    assert begun.offer == Offer(ACC, 25.0)
    order = [("hand", 0), ("foot", 0), ("hand", 1), ("foot", 1)]
    assert [(chunk.stream, chunk.seq) async for chunk in begun.chunks] == order


async def test_a_source_that_ends_at_once_is_not_an_error() -> None:
    begun = await begin(Wearer(1, duration_s=0.01))
    assert begun.offer is None
    assert [chunk async for chunk in begun.chunks] == []
