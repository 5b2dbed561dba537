"""phyphox is asked over real sockets for what is new."""

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
from kinestream.ingest.phone.phyphox import Buffers, question, read_answer, read_config
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
    """A source that is read, on a clock that goes with the phone's measuring."""

    def __init__(self, phone: PhyphoxPhone, options: str = "") -> None:
        self.now_s = 100.0
        self.phone = phone
        address = PhoneAddress.parse(f"phone://127.0.0.1:{phone.port}?app=phyphox{options}")
        self.source = PhyphoxSource(address, now=lambda: self.now_s, wait_s=0.5, poll_s=0.02)
        self.chunks: list[SampleChunk] = []

    async def read(self) -> None:
        async for chunk in self.source.chunks():
            self.chunks.append(chunk)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not what():
                await asyncio.sleep(0.01)

    async def polls(self, n: int = 2) -> None:
        """Until so many more questions were asked and answered."""
        asked = len(self.phone.asked)
        await self.until(lambda: len(self.phone.asked) >= asked + n)

    async def measure(self, seconds: float, polled: bool = True) -> None:
        """The phone measures in steps, and is polled in between."""
        for _ in range(round(seconds / 0.5)):
            self.phone.measure(0.5)
            self.now_s += 0.5
            if polled:
                await self.polls()

    @property
    def samples(self) -> int:
        return sum(map(len, self.chunks))

    def joined(self, session: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chunks = [chunk for chunk in self.chunks if chunk.session == session]
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


def name(n: int) -> str:
    return f"phyphox-127.0.0.1#{n}"


async def test_what_is_measured_comes_out_whole(phone: PhyphoxPhone) -> None:
    async with running(phone) as run:
        assert isinstance(run.source, Source)
        assert isinstance(run.source, Noticing)
        await run.until(lambda: phone.measuring)  # it was started
        await run.measure(6.0)
        await run.until(lambda: run.samples == 600)
        t, seq, x = run.joined(name(1))
        np.testing.assert_array_equal(seq, np.arange(600))
        np.testing.assert_allclose(np.diff(t), 0.01, atol=2e-3)
        np.testing.assert_allclose(x[:, :3], motion(seq / 100) + UP, atol=1e-5)
        np.testing.assert_allclose(x[:, 3:], turning(seq / 100), atol=1e-5)
        assert run.chunks[0].channels == (*ACC, *GYRO)
        assert run.source.counts() == {}
        assert "100.00 Hz" in run.source.notices()[0]
        assert "anyone in the network can read" in run.source.notices()[0]
    assert not phone.measuring  # what was started here is stopped
    assert all("|" not in asked for asked in phone.asked)  # it must be written %7C


async def test_what_was_measured_before_is_left_and_a_running_measurement_goes_on(phone: PhyphoxPhone) -> None:
    phone.measuring = True
    phone.measure(10.0)
    async with running(phone) as run:
        await run.polls()
        await run.measure(4.0)
        await run.until(lambda: run.samples == 400)
        _, _, x = run.joined(name(1))
        np.testing.assert_allclose(x[:, 0], motion(10 + np.arange(400) / 100)[:, 0], atol=1e-5)
    assert phone.measuring


async def test_a_measurement_is_not_started_where_it_shall_not(phone: PhyphoxPhone) -> None:
    async with running(phone, "&start=no") as run:
        await run.polls(3)
        assert not phone.measuring
        assert "press play" in run.source.notices()[0]
        phone.measuring = True
        await run.measure(3.0)
        await run.until(lambda: run.samples == 300)
    assert phone.measuring


async def test_a_pause_begins_a_new_session(phone: PhyphoxPhone) -> None:
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(4.0)
        assert isinstance(run.source, Linked)
        (link,) = run.source.status()
        assert (link.name, link.state, link.reconnects) == (name(1).partition("#")[0], "streaming", 0)
        assert link.clock.startswith("device clock, ")
        phone.measuring = False
        await run.polls(3)
        assert run.source.status()[0].state == "lost"
        run.now_s += 30
        phone.measuring = True
        await run.measure(4.0)
        await run.until(lambda: run.samples == 800)
        before, _, _ = run.joined(name(1))
        after, seq, x = run.joined(name(2))
        np.testing.assert_array_equal(seq, np.arange(400))
        np.testing.assert_allclose(x[:, 0], motion(4 + np.arange(400) / 100)[:, 0], atol=1e-5)
        assert after[0] - before[-1] == pytest.approx(30, abs=1.0)
        assert [(link.state, link.reconnects) for link in run.source.status()] == [("streaming", 1)]


@pytest.mark.parametrize("said", [True, False])
async def test_cleared_buffers_begin_a_new_session(phone: PhyphoxPhone, said: bool) -> None:
    """Also where the app's own page was faster, so that the app does not say that everything is new."""
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(4.0)
        await run.until(lambda: run.samples == 400)
        with phone.lock:
            phone.clear()
            phone.full, phone.measuring = said, True
        await run.measure(4.0)
        await run.until(lambda: run.samples == 800)
        _, seq, x = run.joined(name(2))
        np.testing.assert_array_equal(seq, np.arange(400))
        np.testing.assert_allclose(x[:, 0], motion(seq / 100)[:, 0], atol=1e-5)


async def test_another_experiment_is_another_session_with_its_own_buffers(phone: PhyphoxPhone) -> None:
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
        assert run.chunks[-1].session == name(2)
        assert run.chunks[-1].channels == ACC


async def test_what_an_overflowing_buffer_lost_shows_in_the_numbers(phone: PhyphoxPhone) -> None:
    phone.size = 200
    async with running(phone) as run:
        await run.until(lambda: phone.measuring)
        await run.measure(4.0)
        with phone.lock:
            phone.broken = b"no answer"
        await run.polls()
        await run.measure(5.0, polled=False)
        with phone.lock:
            phone.broken = None
        await run.polls(3)
        await run.measure(2.0)
        await run.until(lambda: run.samples == 800)
        _, seq, x = run.joined(name(1))
        np.testing.assert_array_equal(seq, np.r_[:400, 700:1100])
        np.testing.assert_allclose(x[:, 0], motion(seq / 100)[:, 0], atol=1e-5)
        assert "about 300 samples lost" in run.source.notices()[0]
        assert set(run.source.counts()) == {"malformed"}


async def test_an_experiment_without_accelerometer_is_told(phone: PhyphoxPhone) -> None:
    phone.acc = False
    phone.clear()
    with pytest.raises(InputMismatch, match=r"'My sensors' has no accelerometer; open 'Acceleration \(with g\)'"):
        await Run(phone).read()


async def test_a_phone_that_does_not_answer_is_told() -> None:
    phone = PhyphoxPhone()
    phone.close()
    run = Run(phone)

    async def pass_time() -> None:
        while True:
            await asyncio.sleep(0.01)
            run.now_s += 0.1

    passing = asyncio.create_task(pass_time())
    with pytest.raises(SourceLost, match=r"phyphox does not answer at http://127\.0\.0\.1:.*the same Wi-Fi"):
        await run.read()
    passing.cancel()
    assert run.source.counts()["unanswered"] > 0


def test_a_time_without_its_values_waits_for_the_next_answer() -> None:
    body = {
        "buffer": {
            "acc_time": {"buffer": [1.0, 1.01, 1.02]},
            "accX": {"buffer": [1, None]},
            "accY": {"buffer": [2, 2]},
            "accZ": {"buffer": [3, 3]},
        },
        "status": {"session": "s", "measuring": True},
    }
    answer = read_answer(json.dumps(body).encode(), BUFFERS)
    assert answer.batch["totalacceleration"].t_ns.tolist() == [1_000_000_000]
    assert answer.newest_s == {"totalacceleration": 1.01}
    assert answer.counts == {"malformed_readings": 1}


def test_the_first_question_is_when_the_last_reading_was_and_the_next_what_is_newer() -> None:
    assert question(BUFFERS, {}) == {"acc_time": ""}
    newer = question(BUFFERS, {"totalacceleration": 12.5})
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
def test_whatever_is_answered_is_read_or_refused(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    try:
        answer = read_answer(data, BUFFERS)
    except DecodeError:
        return
    for readings in answer.batch.values():
        assert np.isfinite(readings.x).all()


@given(st.dictionaries(st.sampled_from(["inputs", "title"]), JSON | st.lists(st.dictionaries(st.just("source"), JSON))))
def test_whatever_configuration_is_answered_is_read_or_refused(config: dict[str, Any]) -> None:
    with pytest.raises((DecodeError, InputMismatch)):
        read_config(json.dumps(config).encode())


def test_damaged_answers_are_read_or_refused() -> None:
    phone = PhyphoxPhone()
    phone.measuring = True
    phone.measure(0.2)
    _, sound = phone.get(dict.fromkeys(("acc_time", "accX", "accY", "accZ"), "full"))
    phone.close()
    assert len(read_answer(sound, BUFFERS).batch["totalacceleration"].t_ns) == 20
    dice, refused = random.Random(0), 0
    for _ in range(2000):
        data = bytearray(sound)
        data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            read_answer(bytes(data), BUFFERS)
        except DecodeError:
            refused += 1
    assert refused > 100
