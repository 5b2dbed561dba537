"""Lab Streaming Layer through the real liblsl, in this process."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, InputMismatch, MissingExtra
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, SampleChunk
from kinestream.core.source import Source
from kinestream.ingest.lsl import LslOutlets, LslSource, load, publish_lsl
from tests.ingest.zmq.test_zmq import PATIENCE_S, Recorded

try:
    pylsl: Any = load()
except MissingExtra as missing:
    pytest.skip(f"{missing}", allow_module_level=True)


def outlet(name: str, labels: list[str], units: list[str], rate_hz: float = 50.0, kind: str = "float32") -> Any:
    form = {"float32": pylsl.cf_float32, "int16": pylsl.cf_int16, "string": pylsl.cf_string}[kind]
    info = pylsl.StreamInfo(name, "IMU", max(len(labels), len(units)), rate_hz, form, f"test-{name}")
    channels = info.desc().append_child("channels")
    for label, unit in zip(labels, units, strict=False):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)


async def heard(out: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not out.have_consumers():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


async def collect(source: LslSource, samples: int) -> list[SampleChunk]:
    got: list[SampleChunk] = []
    async with asyncio.timeout(PATIENCE_S):
        async for chunk in source.chunks():
            got.append(chunk)
            if sum(map(len, got)) >= samples:
                break
    await source.aclose()
    await source.aclose()
    return got


async def test_a_stream_arrives_in_si_units_at_its_own_times() -> None:
    out = outlet("kst-units", [*ACC, *GYRO], ["g"] * 3 + ["deg/s"] * 3)
    source = LslSource("lsl://kst-units")
    assert isinstance(source, Source)
    reading = asyncio.create_task(collect(source, 200))
    await heard(out)
    x = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    t = pylsl.local_clock() - np.arange(200)[::-1] / 50
    for k in range(0, 200, 20):
        out.push_chunk(x[k : k + 20], t[k : k + 20].tolist())
    got = await reading
    assert {(item.stream, item.channels, item.fs_hz) for item in got} == {("kst-units", ACC + GYRO, 50.0)}
    assert len({item.session for item in got}) == 1
    np.testing.assert_allclose(
        np.concatenate([item.x for item in got]),
        x * np.array([STANDARD_GRAVITY] * 3 + [math.pi / 180] * 3),
        rtol=1e-6,
    )
    # Both ends are on this machine: LSL's estimate of the clocks' difference is what remains.
    np.testing.assert_allclose(np.concatenate([item.t for item in got]), t, atol=2e-3)
    assert [item.seq for item in got] == np.cumsum([0, *map(len, got)])[:-1].tolist()


async def test_the_address_says_what_a_stream_leaves_open() -> None:
    out = outlet("kst-open", ["", "", "", ""], ["", "", "", ""], rate_hz=0.0, kind="int16")
    reading = asyncio.create_task(collect(LslSource("lsl://kst-open?channels=acc_z,-,acc_x,acc_y&acc=mg&rate=25"), 10))
    await heard(out)
    out.push_chunk(np.tile(np.array([1000, 7, 0, -500], np.int16), (10, 1)))
    got = await reading
    assert got[0].channels == ("acc_z", "acc_x", "acc_y")
    assert got[0].fs_hz == 25.0
    np.testing.assert_allclose(got[0].x[0], [STANDARD_GRAVITY, 0, -STANDARD_GRAVITY / 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "labels", "units", "rate_hz", "kind", "says"),
    [
        ("kst-a", ["X", "Y", "Z"], ["g"] * 3, 50.0, "float32", r"named X, Y, Z; say which is which: \?channels="),
        ("kst-b", [], [""] * 3, 50.0, "float32", "named nothing"),
        ("kst-c", [*ACC], ["furlong"] * 3, 50.0, "float32", r"acc_x in furlong; say \?acc=UNIT, one of m/s\^2"),
        ("kst-d", [*ACC], [""] * 3, 50.0, "float32", "acc_x in no unit"),
        ("kst-e", [*ACC], ["g"] * 3, 0.0, "float32", r"say its rate: \?rate=50"),
        ("kst-f", ["marker"], [""], 0.0, "string", "columns of numbers expected"),
        ("kst-g", ["acc_x", "acc_x"], ["g"] * 2, 50.0, "float32", "expected each channel once"),
    ],
)
async def test_what_is_not_said_is_not_guessed(
    name: str, labels: list[str], units: list[str], rate_hz: float, kind: str, says: str
) -> None:
    out = outlet(name, labels, units, rate_hz, kind)
    source = LslSource(f"lsl://{name}")
    with pytest.raises(InputMismatch, match=says):
        async with asyncio.timeout(PATIENCE_S):
            await anext(source.chunks())
    await source.aclose()
    del out


@pytest.mark.parametrize("uri", ["lsl://", "lsl://a/b", "lsl://a?chanels=acc_x"])
def test_a_wrong_address_is_named(uri: str) -> None:
    with pytest.raises(ConfigError, match="expected lsl://NAME"):
        LslSource(uri)


async def test_what_is_sent_comes_back_and_a_recording_s_times_are_moved_to_this_clock() -> None:
    outlets = LslOutlets("lsl://kst-round")
    x = np.random.default_rng(1).normal(size=(100, 3)).astype(np.float32)
    t = 7.0 + np.arange(100) / 50
    cut = [slice(k, k + 25) for k in range(0, 100, 25)]
    chunks = [SampleChunk("wrist", "a", t[c], x[c], ACC, 50.0, c.start, float(t[c][-1])) for c in cut]
    outlets.send(chunks[0])
    reading = asyncio.create_task(collect(LslSource("lsl://kst-round?once=1"), 75))
    async with asyncio.timeout(PATIENCE_S):
        while not outlets.have_consumers():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    for chunk in chunks[1:]:
        outlets.send(chunk)
    got = await reading
    assert np.concatenate([item.x for item in got])[-75:].tobytes() == x[25:].tobytes()
    times = np.concatenate([item.t for item in got])
    np.testing.assert_allclose(np.diff(times[-75:]), 0.02, atol=1e-3)
    assert abs(times[-1] - pylsl.local_clock()) < 60


async def test_published_for_a_waiting_reader_the_first_and_the_last_sample_arrive() -> None:
    x = np.arange(3 * 1000, dtype=np.float32).reshape(1000, 3)
    t = 7.0 + np.arange(1000) / 50
    cut = [slice(k, k + 25) for k in range(0, 1000, 25)]
    chunks = [SampleChunk("wrist", "a", t[c], x[c], ACC, 50.0, c.start, float(t[c][-1])) for c in cut]
    source = LslSource("lsl://kst-whole?once=1")
    reading = asyncio.create_task(collect(source, 10**6))  # until the stream has gone
    counts = await publish_lsl(Recorded(chunks), "lsl://kst-whole", wait=True)
    assert counts["samples"] == 1000
    got = await reading
    assert np.concatenate([item.x for item in got]).tobytes() == x.tobytes()


async def test_a_source_that_is_to_run_once_ends_when_its_stream_has_gone() -> None:
    out = outlet("kst-once", [*ACC], ["g"] * 3)
    source = LslSource("lsl://kst-once?once=1")
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


async def test_aclose_ends_a_source_that_waits_for_its_stream() -> None:
    source = LslSource("lsl://kst-nobody")
    reading = asyncio.create_task(anext(source.chunks(), None))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(PATIENCE_S):
        await source.aclose()
        assert await reading is None
