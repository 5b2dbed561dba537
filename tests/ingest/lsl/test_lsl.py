"""Lab Streaming Layer with the real liblsl, in one process."""

from __future__ import annotations

import asyncio
import math
import os
from typing import Any

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, InputMismatch, MissingExtra
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, SampleChunk
from kinestream.core.source import Source
from kinestream.ingest.lsl import LslOutlets, LslSource, load, publish_lsl
from tests.ingest.lsl.reading import read
from tests.ingest.zmq.test_zmq import PATIENCE_S, Recorded

try:
    pylsl: Any = load()
except MissingExtra as missing:
    pytest.skip(f"{missing}", allow_module_level=True)


RUN = os.getpid()
"""Part of all names: other runs of these tests share the network."""


def outlet(name: str, labels: list[str], units: list[str], rate_hz: float = 50.0, kind: str = "float32") -> Any:
    form = {"float32": pylsl.cf_float32, "int16": pylsl.cf_int16, "string": pylsl.cf_string}[kind]
    info = pylsl.StreamInfo(name, "IMU", max(len(labels), len(units)), rate_hz, form, f"test-{name}")
    channels = info.desc().append_child("channels")
    for label, unit in zip(labels, units, strict=False):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)


async def wait_for_reader(out: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not out.have_consumers():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


async def test_a_stream_arrives_in_si_units_with_its_own_times() -> None:
    out = outlet(f"kst-units-{RUN}", [*ACC, *GYRO], ["g"] * 3 + ["deg/s"] * 3)
    source = LslSource(f"lsl://kst-units-{RUN}")
    assert isinstance(source, Source)
    reading = asyncio.create_task(read(source, 200))
    await wait_for_reader(out)
    x = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    t = pylsl.local_clock() - np.arange(200)[::-1] / 50
    for k in range(0, 200, 20):
        out.push_chunk(x[k : k + 20], t[k : k + 20].tolist())
    received = await reading
    assert {(chunk.stream, chunk.channels, chunk.fs_hz) for chunk in received} == {
        (f"kst-units-{RUN}", ACC + GYRO, 50.0)
    }
    assert len({chunk.session for chunk in received}) == 1
    np.testing.assert_allclose(
        np.concatenate([chunk.x for chunk in received]),
        x * np.array([STANDARD_GRAVITY] * 3 + [math.pi / 180] * 3),
        rtol=1e-6,
    )
    # Both ends use this machine's clock, so the error is LSL's estimate of the clock offset.
    np.testing.assert_allclose(np.concatenate([chunk.t for chunk in received]), t, atol=2e-3)
    assert [chunk.seq for chunk in received] == np.cumsum([0, *map(len, received)])[:-1].tolist()


async def test_the_address_completes_a_stream_without_names_units_and_rate() -> None:
    out = outlet(f"kst-open-{RUN}", ["", "", "", ""], ["", "", "", ""], rate_hz=0.0, kind="int16")
    reading = asyncio.create_task(
        read(LslSource(f"lsl://kst-open-{RUN}?channels=acc_z,-,acc_x,acc_y&acc=mg&rate=25"), 10)
    )
    await wait_for_reader(out)
    out.push_chunk(np.tile(np.array([1000, 7, 0, -500], np.int16), (10, 1)))
    received = await reading
    assert received[0].channels == ("acc_z", "acc_x", "acc_y")
    assert received[0].fs_hz == 25.0
    np.testing.assert_allclose(received[0].x[0], [STANDARD_GRAVITY, 0, -STANDARD_GRAVITY / 2], rtol=1e-6)


async def test_columns_that_are_not_described_are_refused() -> None:
    out = outlet(f"kst-open-{RUN}", ["", "", ""], ["", "", ""])
    source = LslSource(f"lsl://kst-open-{RUN}")
    with pytest.raises(InputMismatch, match=r"with no names; name the columns in their true order, e\.g\. \?channels="):
        async with asyncio.timeout(PATIENCE_S):
            await anext(source.chunks())
    await source.aclose()
    del out


@pytest.mark.parametrize("uri", ["lsl://", "lsl://a/b", "lsl://a?chanels=acc_x"])
def test_a_bad_address_is_rejected(uri: str) -> None:
    with pytest.raises(ConfigError, match="expected lsl://NAME"):
        LslSource(uri)


async def test_a_recording_arrives_with_its_times_shifted_to_this_clock() -> None:
    outlets = LslOutlets(f"lsl://kst-round-{RUN}")
    x = np.random.default_rng(1).normal(size=(100, 3)).astype(np.float32)
    t = 7.0 + np.arange(100) / 50
    cut = [slice(k, k + 25) for k in range(0, 100, 25)]
    chunks = [SampleChunk("wrist", "a", t[c], x[c], ACC, 50.0, c.start, float(t[c][-1])) for c in cut]
    outlets.send(chunks[0])
    reading = asyncio.create_task(read(LslSource(f"lsl://kst-round-{RUN}?once=1"), 75))
    async with asyncio.timeout(PATIENCE_S):
        while not outlets.have_consumers():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    for chunk in chunks[1:]:
        outlets.send(chunk)
    received = await reading
    assert np.concatenate([chunk.x for chunk in received])[-75:].tobytes() == x[25:].tobytes()
    times = np.concatenate([chunk.t for chunk in received])
    np.testing.assert_allclose(np.diff(times[-75:]), 0.02, atol=1e-3)
    assert abs(times[-1] - pylsl.local_clock()) < 60


async def test_a_waiting_publisher_delivers_the_first_and_the_last_sample() -> None:
    x = np.arange(3 * 1000, dtype=np.float32).reshape(1000, 3)
    t = 7.0 + np.arange(1000) / 50
    cut = [slice(k, k + 25) for k in range(0, 1000, 25)]
    chunks = [SampleChunk("wrist", "a", t[c], x[c], ACC, 50.0, c.start, float(t[c][-1])) for c in cut]
    source = LslSource(f"lsl://kst-whole-{RUN}?once=1")
    reading = asyncio.create_task(read(source, 10**6))  # until the stream disappears
    counts = await publish_lsl(Recorded(chunks), f"lsl://kst-whole-{RUN}", wait=True)
    assert counts["samples"] == 1000
    received = await reading
    assert np.concatenate([chunk.x for chunk in received]).tobytes() == x.tobytes()


async def test_a_poison_stream_does_not_end_a_publisher() -> None:
    t, x = np.arange(25) / 50, np.zeros((25, 3), np.float32)
    good = [SampleChunk("wrist", "a", t + k / 2, x, ACC, 50.0, 25 * k, float(t[-1] + k / 2)) for k in range(3)]
    poison = [SampleChunk("poison", "a", t, x[:, :2], ACC, float("inf"), 0, 0.5)] * 3
    chunks = [chunk for pair in zip(poison, good, strict=True) for chunk in pair]
    counts = await publish_lsl(Recorded(chunks), f"lsl://kst-poison-{RUN}")
    assert (counts["samples"], counts["refused"]) == (75, 75)


async def test_a_source_with_once_ends_when_its_stream_disappears() -> None:
    out = outlet(f"kst-once-{RUN}", [*ACC], ["g"] * 3)
    source = LslSource(f"lsl://kst-once-{RUN}?once=1")
    chunks = source.chunks()
    first = asyncio.ensure_future(anext(chunks))
    async with asyncio.timeout(PATIENCE_S):
        while not first.done():
            out.push_chunk(np.ones((50, 3), np.float32))
            await asyncio.sleep(0.05)
        del out
        rest = [chunk async for chunk in chunks]
    await source.aclose()
    assert {chunk.session for chunk in [first.result(), *rest]} == {first.result().session}


async def test_closing_ends_a_source_that_waits_for_its_stream() -> None:
    source = LslSource(f"lsl://kst-absent-{RUN}")
    reading = asyncio.create_task(anext(source.chunks(), None))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(PATIENCE_S):
        await source.aclose()
        assert await reading is None
