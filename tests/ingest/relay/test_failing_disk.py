"""A disk that fails at any call: what was sent was processed or is reported as lost, and both ends come to an end."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kinestream.core.errors import ConfigError
from kinestream.ingest import Journal, Relay, RelaySource
from tests.ingest.zmq.test_zmq import PATIENCE_S, Recorded, chunk

CALLS = ("write", "fsync", "replace", "unlink", "truncate", "ftruncate")
CHUNKS = 8


@contextmanager
def failing(which: Callable[[int], bool], number: int) -> Iterator[list[str]]:
    """Fail the calls to the disk whose number, from 0 on, is chosen; yield the names of all calls."""
    calls: list[str] = []
    originals = {name: getattr(os, name) for name in CALLS}

    def replaced(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if which(len(calls) - 1):
                raise OSError(number, os.strerror(number))
            return originals[name](*args, **kwargs)

        return call

    try:
        for name in CALLS:
            setattr(os, name, replaced(name))
        yield calls
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


async def exchange(folder: Path, *, live: bool) -> tuple[int, int, list[str]]:
    """Return the samples that were processed, those reported as lost, and the lines for the user."""
    reports: list[str] = []
    source = RelaySource(f"relay://127.0.0.1:0?state={folder / 'state'}&stay=1")
    processed = 0

    async def receive() -> None:
        nonlocal processed
        async for item in source.chunks():
            processed += len(item)
            source.done(1)

    receiving = asyncio.create_task(receive())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not source.endpoint:
                if receiving.done():
                    await receiving
                await asyncio.sleep(0.001)
            with Journal(folder / "journal", segment_bytes=1500) as journal:
                to = f"tcp://127.0.0.1:{source.endpoint.rpartition(':')[2]}"
                relay = Relay(to, journal, report=reports.append, hello_s=0.1)
                chunks = [chunk(seq) for seq in range(0, 25 * CHUNKS, 25)]
                counts = await relay.run(Recorded(chunks, live=live, pause_s=0.001))
    finally:
        await source.aclose()
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    return processed, counts.get("thrown_away", 0) + counts.get("damaged", 0), reports


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinestream.ingest.relay.sender._RETRY_S", 0.01)
    monkeypatch.setattr("kinestream.ingest.relay.sender._SYNC_S", 0.01)


@pytest.mark.parametrize("live", [True, False], ids=["live", "waiting"])
async def test_every_call_to_the_disk_may_fail(tmp_path: Path, live: bool) -> None:
    with failing(lambda _: False, 0) as calls:
        assert await exchange(tmp_path / "sound", live=live) == (25 * CHUNKS, 0, [])
    names = list(calls)
    assert {"write", "fsync", "replace", "unlink"} <= set(names)
    refused = 0
    for call in range(len(names)):
        with failing(lambda number, call=call: number == call, errno.ENOSPC if call % 2 else errno.EIO):
            try:
                processed, lost, reports = await exchange(tmp_path / str(call), live=live)
            except ConfigError:
                refused += 1  # the journal cannot be opened, and nothing was sent
                continue
        assert processed + lost == 25 * CHUNKS, f"call {call}, {names[call]}: {reports}"
        assert live or not lost
        assert bool(lost) == any("SAMPLES ARE LOST" in line for line in reports)
    assert refused <= 4


@pytest.mark.parametrize("first", [5, 10, 15])
@pytest.mark.parametrize("count", [3, 10_000])
async def test_a_disk_that_stays_full_refuses_the_new_samples_and_both_ends_end(
    tmp_path: Path, first: int, count: int
) -> None:
    with failing(lambda number: first <= number < first + count, errno.ENOSPC):
        processed, lost, reports = await exchange(tmp_path, live=True)
    assert processed + lost == 25 * CHUNKS
    assert len([line for line in reports if "LOST" in line]) <= 3
    assert all(" MB free)" in line for line in reports if "LOST" in line)
