"""Polling of a simulated phyphox phone over real sockets."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import DecodeError, InputMismatch, SourceLost
from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.core.source import Linked, Noticing, Source
from kinestream.ingest.phone.address import PhoneAddress
from kinestream.ingest.phone.phyphox import Buffers, query, read_config, read_response
from kinestream.ingest.phone.phyphox_source import PhyphoxSource

from .phones import UP, motion, turning
from .phyphox_phone import PhyphoxPhone

BUFFERS = (Buffers("totalacceleration", "acc_time", ("accX", "accY", "accZ")),)


@pytest.fixture
def phone() -> Iterator[PhyphoxPhone]:
    phone = PhyphoxPhone()
    yield phone
    phone.close()


class Run:
    """A source being read, with a clock that advances while the phone measures."""

    def __init__(self, phone: PhyphoxPhone, options: str = "") -> None:
        self.now_s = 100.0
        self.phone = phone
        address = PhoneAddress.parse(f"phone://127.0.0.1:{phone.port}?app=phyphox{options}")
        self.source = PhyphoxSource(address, now=lambda: self.now_s, wait_s=0.5, poll_s=0.02)
        self.chunks: list[SampleChunk] = []

    async def read(self) -> None:
        async for chunk in self.source.chunks():
            self.chunks.append(chunk)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    async def polls(self, n: int = 2) -> None:
        """Wait for ``n`` more requests."""
        before = len(self.phone.requests)
        await self.until(lambda: len(self.phone.requests) >= before + n)

    async def measure(self, seconds: float, polled: bool = True) -> None:
        """Let the phone measure in steps, with polls in between."""
        for _ in range(round(seconds / 0.5)):
            self.phone.measure(0.5)
            self.now_s += 0.5
            if polled:
                await self.polls()

    @property
    def samples(self) -> int:
        return sum(map(len, self.chunks))

    def joined(self, epoch: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (n,) times, (n,) numbers and (n, channels) samples of an epoch."""
        chunks = [chunk for chunk in self.chunks if chunk.session == epoch]
        return (
            np.concatenate([c.t for c in chunks]),
            np.concatenate([c.seq + np.arange(len(c)) for c in chunks]),
            np.concatenate([c.x for c in chunks]),
        )


@asynccontextmanager
async def running(phone: PhyphoxPhone, options: str = "") -> AsyncIterator[Run]:
    run = Run(phone, options)
    reader = asyncio.create_task(run.read())
    try:
        yield run
    finally:
        await run.source.aclose()
        await reader


def epoch(n: int) -> str:
    return f"phyphox-127.0.0.1#{n}"


async def test_a_measurement_arrives_completely(phone: PhyphoxPhone) -> None:
    async with running(phone) as run:
        assert isinstance(run.source, Source)
        assert isinstance(run.source, Noticing)
        await run.until(lambda: phone.measuring)  # the source starts the measurement
        await run.measure(6.0)
        await run.until(lambda: run.samples == 600)
        t, seq, x = run.joined(epoch(1))
        np.testing.assert_array_equal(seq, np.arange(600))
        np.testing.assert_allclose(np.diff(t), 0.01, atol=2e-3)
        np.testing.assert_allclose(x[:, :3], motion(seq / 100) + UP, atol=1e-5)
        np.testing.assert_allclose(x[:, 3:], turning(seq / 100), atol=1e-5)
        assert run.chunks[0].channels == (*ACC, *GYRO)
        assert run.source.counts() == {}
        assert "100.00 Hz" in run.source.notices()[0]
        assert "anyone in the network can read" in run.source.notices()[0]
    assert not phone.measuring  # the source stops the measurement that it started
    assert all("|" not in path for path in phone.requests)  # the bar must be escaped as %7C


@pytest.mark.parametrize("ahead_s", [-18000.0, 18000.0, -2.3, 0.4])
async def test_a_gyroscope_with_another_clock_is_shifted(phone: PhyphoxPhone, ahead_s: float) -> None:
    phone.gyro_ahead_s = ahead_s
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(6.0)
        await run.until(lambda: run.samples >= 599)
        _, seq, x = run.joined(epoch(1))
        np.testing.assert_allclose(x[:, 3:], turning(seq / 100), atol=0.02)
        (reception,) = run.source.receptions()
        assert "gyroscope" in reception.remarks[0]
        assert "it has another clock; shifted to match" in reception.remarks[0]
        assert reception.packets > 10
        assert reception.samples == run.samples
        assert reception.newest_s["totalacceleration"] == pytest.approx(reception.newest_s["gyroscope"], abs=0.02)


async def test_responses_that_cannot_be_read_are_named(phone: PhyphoxPhone) -> None:
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        phone.broken = (
            b'{"buffer": {"acc_time": {"buffer": "seven"}}, "status": {"session": "a1b2c3", "measuring": true}}'
        )
        await run.until(lambda: run.source.counts().get("malformed", 0) > 0)
        (reception,) = run.source.receptions()
        assert reception.malformed > 0
        assert reception.malformed_reason == "buffer 'acc_time' is not a list"
        assert reception.expected == "accelerometer, gyroscope"


async def test_earlier_readings_are_ignored_and_a_running_measurement_continues(phone: PhyphoxPhone) -> None:
    phone.measuring = True
    phone.measure(10.0)
    async with running(phone) as run:
        await run.polls()
        await run.measure(4.0)
        await run.until(lambda: run.samples == 400)
        _, _, x = run.joined(epoch(1))
        np.testing.assert_allclose(x[:, 0], motion(10 + np.arange(400) / 100)[:, 0], atol=1e-5)
    assert phone.measuring


async def test_a_measurement_is_not_started_with_start_no(phone: PhyphoxPhone) -> None:
    async with running(phone, "&start=no") as run:
        await run.polls(3)
        assert not phone.measuring
        assert "press play" in run.source.notices()[0]
        phone.measuring = True
        await run.measure(3.0)
        await run.until(lambda: run.samples == 300)
    assert phone.measuring


async def test_a_pause_starts_a_new_epoch(phone: PhyphoxPhone) -> None:
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(4.0)
        assert isinstance(run.source, Linked)
        (link,) = run.source.status()
        assert (link.name, link.state, link.reconnects) == (epoch(1).partition("#")[0], "streaming", 0)
        assert link.clock.startswith("device clock, ")
        phone.measuring = False
        await run.polls(3)
        assert run.source.status()[0].state == "lost"
        run.now_s += 30
        phone.measuring = True
        await run.measure(4.0)
        await run.until(lambda: run.samples == 800)
        before, _, _ = run.joined(epoch(1))
        after, seq, x = run.joined(epoch(2))
        np.testing.assert_array_equal(seq, np.arange(400))
        np.testing.assert_allclose(x[:, 0], motion(4 + np.arange(400) / 100)[:, 0], atol=1e-5)
        assert after[0] - before[-1] == pytest.approx(30, abs=1.0)
        assert [(link.state, link.reconnects) for link in run.source.status()] == [("streaming", 1)]


@pytest.mark.parametrize("reported", [True, False])
async def test_cleared_buffers_start_a_new_epoch(phone: PhyphoxPhone, reported: bool) -> None:
    """Also if the app's own page polls first, so that the app does not report the cleared buffers as new."""
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(4.0)
        await run.until(lambda: run.samples == 400)
        with phone.lock:
            phone.clear()
            phone.full, phone.measuring = reported, True
        await run.measure(4.0)
        await run.until(lambda: run.samples == 800)
        _, seq, x = run.joined(epoch(2))
        np.testing.assert_array_equal(seq, np.arange(400))
        np.testing.assert_allclose(x[:, 0], motion(seq / 100)[:, 0], atol=1e-5)


async def test_another_experiment_starts_a_new_epoch_with_its_own_buffers(phone: PhyphoxPhone) -> None:
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(3.0)
        await run.until(lambda: run.samples == 300)
        with phone.lock:
            phone.session, phone.gyro, phone.prefix = "d4e5f6", False, "my_"
            phone.clear()
            phone.measuring = True
        await run.polls(4)
        await run.measure(3.0)
        await run.until(lambda: run.samples == 600)
        assert run.chunks[-1].session == epoch(2)
        assert run.chunks[-1].channels == ACC


async def test_the_losses_of_an_overflowing_buffer_are_jumps_in_the_numbers(phone: PhyphoxPhone) -> None:
    phone.size = 200
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(4.0)
        with phone.lock:
            phone.broken = b"nonsense"
        await run.polls()
        await run.measure(5.0, polled=False)
        with phone.lock:
            phone.broken = None
        await run.polls(3)
        await run.measure(2.0)
        await run.until(lambda: run.samples == 800)
        _, seq, x = run.joined(epoch(1))
        np.testing.assert_array_equal(seq, np.r_[:400, 700:1100])
        np.testing.assert_allclose(x[:, 0], motion(seq / 100)[:, 0], atol=1e-5)
        assert "about 300 samples lost" in run.source.notices()[0]
        assert set(run.source.counts()) == {"malformed"}


async def test_an_experiment_without_accelerometer_is_reported(phone: PhyphoxPhone) -> None:
    phone.acc = False
    phone.clear()
    with pytest.raises(InputMismatch, match=r"'My sensors' has no accelerometer; open 'Acceleration \(with g\)'"):
        await Run(phone).read()


async def test_an_unresponsive_phone_is_reported() -> None:
    phone = PhyphoxPhone()
    phone.close()
    run = Run(phone)

    async def pass_time() -> None:
        while True:
            await asyncio.sleep(0.01)
            run.now_s += 0.1

    passing = asyncio.create_task(pass_time())
    with pytest.raises(SourceLost, match=r"phyphox does not respond at http://127\.0\.0\.1:.*the same Wi-Fi"):
        await run.read()
    passing.cancel()
    assert run.source.counts()["unanswered"] > 0


def test_a_time_without_values_waits_for_the_next_response() -> None:
    body = {
        "buffer": {
            "acc_time": {"buffer": [1.0, 1.01, 1.02]},
            "accX": {"buffer": [1, None]},
            "accY": {"buffer": [2, 2]},
            "accZ": {"buffer": [3, 3]},
        },
        "status": {"session": "s", "measuring": True},
    }
    response = read_response(json.dumps(body).encode(), BUFFERS)
    assert response.batch["totalacceleration"].t_ns.tolist() == [1_000_000_000]
    assert response.newest_s == {"totalacceleration": 1.01}
    assert response.counts == {"malformed_readings": 1}


def test_the_first_query_asks_for_the_last_time_and_the_next_for_newer_readings() -> None:
    assert query(BUFFERS, {}) == {"acc_time": ""}
    newer = query(BUFFERS, {"totalacceleration": 12.5})
    assert newer == {"acc_time": "12.5", **dict.fromkeys(("accX", "accY", "accZ"), "12.5|acc_time")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["t", "buffer", "x"]), inner),
    max_leaves=10,
)
BUFFER = st.dictionaries(st.just("buffer"), JSON | st.lists(JSON))


@given(
    st.fixed_dictionaries(
        {
            "buffer": JSON | st.dictionaries(st.sampled_from(["acc_time", "accX", "accY", "accZ"]), JSON | BUFFER),
            "status": JSON | st.fixed_dictionaries({"session": JSON | st.just("s"), "measuring": JSON}),
        }
    )
)
def test_any_response_is_decoded_or_refused(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    try:
        response = read_response(data, BUFFERS)
    except DecodeError:
        return
    for readings in response.batch.values():
        assert np.isfinite(readings.x).all()


@given(st.dictionaries(st.sampled_from(["inputs", "title"]), JSON | st.lists(st.dictionaries(st.just("source"), JSON))))
def test_any_configuration_is_refused_unless_valid(config: dict[str, Any]) -> None:
    with pytest.raises((DecodeError, InputMismatch)):
        read_config(json.dumps(config).encode())


def test_damaged_responses_are_decoded_or_refused() -> None:
    phone = PhyphoxPhone()
    phone.measuring = True
    phone.measure(0.2)
    _, sound = phone.get(dict.fromkeys(("acc_time", "accX", "accY", "accZ"), "full"))
    phone.close()
    assert len(read_response(sound, BUFFERS).batch["totalacceleration"].t_ns) == 20
    dice, refused = random.Random(0), 0
    for _ in range(2000):
        data = bytearray(sound)
        data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            read_response(bytes(data), BUFFERS)
        except DecodeError:
            refused += 1
    assert refused > 100
