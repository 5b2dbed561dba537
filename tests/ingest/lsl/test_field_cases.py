"""LSL outlets as people make them, with the real liblsl: one process plays a room of them at 50 Hz."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from kinestream.core.errors import InputMismatch, MissingExtra
from kinestream.core.evidence import Receiving
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, SampleChunk
from kinestream.core.source import Linked
from kinestream.ingest.lsl import LslSource, load
from tests.ingest.lsl.reading import read
from tests.ingest.zmq.test_zmq import PATIENCE_S

try:
    pylsl: Any = load()
except MissingExtra as missing:
    pytest.skip(f"{missing}", allow_module_level=True)

RUN = os.getpid()
"""Part of all names: other runs of these tests share the network."""
FS_HZ, BATCH = 50.0, 5
SANE_S = 10.0
"""Longest age on a busy machine."""
SIX = [*ACC, *GYRO]
SI = ["m/s^2"] * 3 + ["rad/s"] * 3
Stamp = Callable[[int, float], float | None]


def name(mode: str) -> str:
    return f"{mode}-{RUN}"


def now(_: int, __: float) -> None:
    """Leave the stamp to liblsl, which takes the time of the push."""


def evenly(k: int, start_s: float) -> float:
    return start_s + k / FS_HZ


class Outlet:
    """An outlet whose sample k has the values k % 100, k % 100 + 1, ..., and is due at k / 50 s."""

    def __init__(
        self,
        mode: str,
        labels: Sequence[str] = SIX,
        units: Sequence[str] = SI,
        *,
        kind: str = "IMU",
        form: str = "float32",
        rate_hz: float = FS_HZ,
        source_id: str | None = None,
        batch: int = BATCH,
        stamp: Stamp = evenly,
        channels: int | None = None,
        encoding: str = "",
    ) -> None:
        self._columns = len(labels) if channels is None else channels
        identity = f"{name(mode)}-{kind}" if source_id is None else source_id
        info = pylsl.StreamInfo(name(mode), kind, self._columns, rate_hz, form, identity)
        described = info.desc().append_child("channels")
        for label, unit in zip(labels, units, strict=False):
            channel = described.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        self._out = pylsl.StreamOutlet(info)
        self._form, self._batch, self._stamp, self._encoding = form, batch, stamp, encoding
        self._sent, self._start_s = 0, pylsl.local_clock()

    def push_due(self) -> None:
        """Push the batches whose last sample has been taken."""
        while self._start_s + (self._sent + self._batch - 1) / FS_HZ <= pylsl.local_clock():
            for k in range(self._sent, self._sent + self._batch):
                row: list[Any] = [k % 100 + column for column in range(self._columns)]
                if self._form == "string":
                    row = [f"{value}.0" if self._stamp is evenly else "left" for value in row]
                    if self._encoding and k % 2:
                        row = ["ä".encode(self._encoding)] * len(row)
                if self._form == "float32" and self._columns == 4:
                    row[3] = math.nan
                stamp = self._stamp(k, self._start_s)
                self._out.push_sample(row, *(() if stamp is None else (stamp,)))
            self._sent += self._batch


@pytest.fixture(scope="module")
def room() -> Iterator[None]:
    """All outlets at once, played by a thread."""
    unix_s = time.time() - pylsl.local_clock()
    outlets = [
        Outlet("good"),
        Outlet("bursts", batch=12, stamp=now),
        Outlet("unix", stamp=lambda k, start_s: start_s + k / FS_HZ + unix_s),
        Outlet("milliseconds", stamp=lambda k, start_s: (start_s + k / FS_HZ + unix_s) * 1000),
        Outlet("ahead", stamp=lambda k, start_s: start_s + k / FS_HZ + 3.0),
        Outlet("upper", [label.upper() for label in SIX]),
        Outlet("muse", list("XYZXYZ"), ["g"] * 3 + ["dps"] * 3),
        Outlet("words", SIX, ["meters/second^2"] * 3 + ["degrees/second"] * 3),
        Outlet("int16", SIX, ["mg"] * 3 + ["mdps"] * 3, form="int16"),
        Outlet("string", form="string"),
        Outlet("markers", ["label"], [""], form="string", kind="Markers", rate_hz=0.0),
        Outlet("garbled", form="string", stamp=now),
        Outlet("latin1", form="string", encoding="latin-1"),
        Outlet("irregular", rate_hz=0.0),
        Outlet("nolabels", [], [], channels=6),
        Outlet("wide", [], [], channels=2000, batch=10**9),  # it never sends: 2,000 values cost too much
        Outlet("fast", rate_hz=5e6, batch=10**9),
        Outlet("nan", [*ACC, "gyro_x"], [*SI[:3], "rad/s"]),
        Outlet("device", [*"XYZ"], ["g"] * 3, kind="ACC"),
        Outlet("device", [*"XYZ"], ["dps"] * 3, kind="GYRO"),
        Outlet("device", ["TP9", "AF7", "AF8", "TP10", "AUX"], ["microvolts"] * 5, kind="EEG", rate_hz=256.0),
    ]
    stop = threading.Event()

    def play() -> None:
        while not stop.wait(0.01):
            for outlet in outlets:
                outlet.push_due()

    thread = threading.Thread(target=play)
    thread.start()
    yield
    stop.set()
    thread.join()


async def refusal(uri: str) -> str:
    source = LslSource(uri)
    with pytest.raises(InputMismatch) as refused:
        async with asyncio.timeout(PATIENCE_S):
            await anext(source.chunks())
    await source.aclose()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def times(chunks: Sequence[SampleChunk]) -> np.ndarray:
    return np.concatenate([chunk.t for chunk in chunks])


def ages_s(chunks: Sequence[SampleChunk]) -> np.ndarray:
    return np.array([chunk.received_s - chunk.t[-1] for chunk in chunks])


@pytest.mark.parametrize(
    ("mode", "channels", "scale"),
    [
        ("good", SIX, [1.0] * 6),
        ("upper", SIX, [1.0] * 6),
        ("muse", SIX, [STANDARD_GRAVITY] * 3 + [math.pi / 180] * 3),
        ("words", SIX, [1.0] * 3 + [math.pi / 180] * 3),
        ("int16", SIX, [STANDARD_GRAVITY / 1000] * 3 + [math.pi / 180_000] * 3),
        ("string", SIX, [1.0] * 6),
    ],
)
async def test_descriptions_of_all_kinds_are_read(
    room: None, mode: str, channels: list[str], scale: list[float]
) -> None:
    source = LslSource(f"lsl://{name(mode)}")
    assert isinstance(source, Receiving)
    assert isinstance(source, Linked)
    received = await read(source, 25)
    assert received[0].channels == tuple(channels)
    x = np.concatenate([chunk.x for chunk in received]) / scale
    np.testing.assert_allclose(x - x[:, :1], np.tile(np.arange(6), (len(x), 1)), atol=1e-3)
    np.testing.assert_allclose(np.diff(times(received)), 1 / FS_HZ, atol=1e-4)
    assert -0.01 < ages_s(received).min() <= ages_s(received).max() < SANE_S
    [reception] = source.receptions()
    assert (reception.name, reception.samples, reception.malformed) == (name(mode), len(x), 0)
    inferred = "columns X, Y, Z, X, Y, Z read as acc_x, acc_y, acc_z, gyro_x, gyro_y, gyro_z, by their unit and type"
    assert reception.remarks == ((inferred,) if mode == "muse" else ())


async def test_samples_stamped_when_their_packet_comes_are_laid_evenly(room: None) -> None:
    source = LslSource(f"lsl://{name('bursts')}")
    received = await read(source, 12 * 16)
    steps = np.diff(times(received))[12 * 8 :] * FS_HZ
    assert np.mean((steps > 0.5) & (steps < 1.5)) > 0.9
    [reception] = source.receptions()
    assert reception.remarks[0].startswith("samples come in bursts of 12 with nearly one stamp: laid evenly")
    assert reception.samples == reception.packets


@pytest.mark.parametrize(
    ("mode", "remark"),
    [
        ("unix", "the stamps are Unix time, not this machine's clock: mapped to it by the fastest arrivals"),
        ("milliseconds", "the stamps are in milliseconds: taken as such"),
        ("ahead", "the stamps are on a clock that is 2."),
    ],
)
async def test_stamps_of_another_clock_are_mapped(room: None, mode: str, remark: str) -> None:
    source = LslSource(f"lsl://{name(mode)}")
    received = await read(source, 100)
    assert abs(ages_s(received)[-1]) < SANE_S
    assert np.median(np.diff(times(received))) == pytest.approx(1 / FS_HZ, abs=2e-3)
    assert source.receptions()[0].remarks[0].startswith(remark)


async def test_the_rate_of_an_irregular_stream_is_measured_and_said(room: None) -> None:
    source = LslSource(f"lsl://{name('irregular')}")
    received = await read(source, 110)
    assert received[0].fs_hz == pytest.approx(FS_HZ, rel=0.02)
    assert [chunk.seq for chunk in received] == np.cumsum([0, *map(len, received)])[:-1].tolist()
    assert "the stream announces no rate: measured" in source.receptions()[0].remarks[0]
    stated = LslSource(f"lsl://{name('irregular')}?rate=52")
    assert (await read(stated, 5))[0].fs_hz == 52.0
    assert stated.receptions()[0].remarks == ()


async def test_values_that_are_not_numbers_are_named(room: None) -> None:
    source = LslSource(f"lsl://{name('nan')}")
    received = await read(source, 5)
    assert np.isnan(received[0].x[:, 3]).all()
    assert "samples hold a value that is not a finite number (NaN)" in source.receptions()[0].remarks[0]
    garbled = LslSource(f"lsl://{name('garbled')}")
    reading = asyncio.create_task(anext(garbled.chunks(), None))
    async with asyncio.timeout(PATIENCE_S):
        while garbled.receptions()[0].malformed < 10:
            await asyncio.sleep(0.02)
    [reception] = garbled.receptions()
    assert (reception.samples, reception.malformed) == (0, reception.packets)
    assert reception.malformed_example == b"left, left, left, left, left, left"
    assert reception.malformed_reason == "text that is not a number"
    assert garbled.counts()["malformed"] >= 10
    await garbled.aclose()
    await reading


async def test_text_that_is_not_utf8_costs_its_own_samples_only(room: None) -> None:
    source = LslSource(f"lsl://{name('latin1')}")
    received = await read(source, 5)
    assert all((np.round(chunk.x[:, 0]) % 2 == 0).all() for chunk in received)
    [reception] = source.receptions()
    assert abs(reception.malformed - reception.samples) <= BATCH
    assert reception.malformed_example == ", ".join(["(not UTF-8)"] * 6)[:64].encode()


async def test_streams_of_one_name_are_listed_and_chosen_by_their_type(room: None) -> None:
    text = await refusal(f"lsl://{name('device')}?channels=acc_x,acc_y,acc_z")
    assert f"lsl://{name('device')}?channels=acc_x,acc_y,acc_z means 3 streams: " in text
    for kind, columns, rate in (("EEG", 5, 256), ("ACC", 3, 50), ("GYRO", 3, 50)):
        assert f"{name('device')} (type {kind}, {columns} channels, {rate} Hz, source_id '" in text
    assert text.endswith("choose one with ?type=TYPE, or join them with ?type=ACC,GYRO")
    received = await read(LslSource(f"lsl://{name('device')}?type=ACC"), 5)
    assert received[0].channels == ACC
    by_id = await read(LslSource(f"lsl://?source_id={name('device')}-GYRO"), 5)
    assert (by_id[0].stream, by_id[0].channels) == (name("device"), GYRO)


async def test_a_gyroscope_is_not_read_as_an_acceleration(room: None) -> None:
    """The advice of an earlier version, followed on the wrong stream of the same name."""
    text = await refusal(f"lsl://{name('device')}?type=GYRO&channels=acc_x,acc_y,acc_z&acc=g")
    assert "acc_x is described in dps, an angular rate, not an acceleration" in text
    assert "not motion" in await refusal(f"lsl://{name('device')}?type=EEG")
    assert "the stream sends text" in await refusal(f"lsl://{name('markers')}")
    assert "has 2000 channels; expected 1 to 1024" in await refusal(f"lsl://{name('wide')}")
    assert "announces 5e+06 Hz; expected 0.01 to 100000 Hz" in await refusal(f"lsl://{name('fast')}")
    text = await refusal(f"lsl://{name('nolabels')}")
    assert text.endswith("e.g. ?channels=acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z&acc=g&gyro=dps")


async def test_an_accelerometer_and_a_gyroscope_of_one_device_are_joined(room: None) -> None:
    source = LslSource(f"lsl://{name('device')}?type=ACC,GYRO")
    received = await read(source, 40)
    assert received[0].channels == ACC + GYRO
    assert {chunk.stream for chunk in received} == {name("device")}
    assert len({chunk.session for chunk in received}) == 1
    np.testing.assert_allclose(np.diff(times(received)), 1 / FS_HZ, atol=1e-3)
    [reception] = source.receptions()
    assert (reception.name, reception.samples) == (name("device"), sum(map(len, received)))
    assert set(reception.newest_s) == {"ACC", "GYRO"}
    assert [status.state for status in source.status()] == ["streaming"]


async def test_a_stream_that_is_absent_is_named_with_those_that_are_there(room: None) -> None:
    source = LslSource(f"lsl://{name('device')}?type=PPG")
    reading = asyncio.create_task(anext(source.chunks(), None))
    async with asyncio.timeout(PATIENCE_S):
        while not source.receptions()[0].unwanted:
            await asyncio.sleep(0.05)
    [reception] = source.receptions()
    assert reception.expected == f"an LSL stream with the name '{name('device')}', the type 'PPG'"
    assert all("(type " in seen for seen in reception.unwanted)
    assert source.status()[0].state == "looking"
    await source.aclose()
    await reading
