"""What a person reads, within seconds, about a source that gives no predictions: real sockets, real runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiohttp
import numpy as np
import pytest
import zmq

from kinestream.core.evidence import Reception, StreamFigures
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.ingest import encode
from kinestream.launch.build_run import PendingRun
from kinestream.launch.run_options import RunOptions
from kinestream.observe.findings import Notice
from kinestream.replay_data import Wearer
from kinestream.run import source_watch
from kinestream.run.source_watch import SourceWatch
from tests.ingest.phone.phones import messages

WITHIN_S = 10.0
"""The time within which a cause must be reported."""
TOKEN = "correct-horse"

Send = Callable[[int], Awaitable[None]]
Heard = dict[str, tuple[list[Notice], float]]


def chunk(number: int, n: int = 5) -> SampleChunk:
    t = time.monotonic() + np.arange(-n, 0) / 50
    x = np.tile(np.array([0, 0, 9.81, 0, 0, 0], np.float32), (n, 1))
    return SampleChunk("wrist", "a", t, x, (*ACC, *GYRO), 50.0, number * n, float(t[-1]))


async def notices_about(run: PendingRun, about: str, send: Send) -> tuple[list[Notice], float]:
    """Run until a notice about this comes up; return all notices, and after how long."""
    seen: list[Notice] = []
    began_s = time.monotonic()

    async def begin_and_run() -> None:
        if run.waits:
            await run.begin(seen.append)
        session = run.build()
        session.subscribe(on_notice=seen.append)
        await session.run()

    running = asyncio.ensure_future(begin_and_run())
    async with asyncio.timeout(3 * WITHIN_S):
        number = 0
        while not any(notice.finding.about == about for notice in seen):
            await send(number)
            number += 1
            await asyncio.sleep(0.1)
            if running.done():
                running.result()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await run.source.aclose()
    return seen, time.monotonic() - began_s


async def over_zmq(
    context: zmq.Context[zmq.Socket[bytes]], about: str, model: str | None, parts: Callable[[int], list[bytes]]
):
    with context.socket(zmq.PUB) as publisher:
        publisher.setsockopt(zmq.LINGER, 0)
        port = publisher.bind_to_random_port("tcp://127.0.0.1")

        async def send(number: int) -> None:
            if message := parts(number):
                publisher.send_multipart(message)

        return await notices_about(PendingRun(RunOptions(f"zmq+tcp://127.0.0.1:{port}", model=model)), about, send)


async def over_http() -> tuple[list[Notice], float]:
    """A phone whose gyroscope stops after a second."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sent = messages(12.0, t0_ns=time.time_ns())
    for message in sent[5:]:
        message["payload"] = [reading for reading in message["payload"] if reading["name"] != "gyroscope"]
    async with aiohttp.ClientSession() as http:

        async def send(number: int) -> None:
            for message in sent[3 * number : 3 * number + 3]:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    await http.post(f"http://127.0.0.1:{port}/{TOKEN}", data=json.dumps(message))

        run = PendingRun(RunOptions(f"phone://?host=127.0.0.1&port={port}&token={TOKEN}", model="uci_cnn"))
        return await notices_about(run, "unpaired", send)


@pytest.fixture(scope="module")
def heard() -> Heard:
    """All cases at the same time, because each takes seconds."""

    async def run() -> Heard:
        context = zmq.Context()
        sample = encode(chunk(0))

        def rare(number: int) -> list[bytes]:
            return [] if number % 4 else encode(chunk(number // 4, n=1))

        cases = {
            "malformed": over_zmq(context, "malformed", None, lambda _: [b"imu/wrist", b'{"acc": [0, 0, 9.8]}']),
            "topics": over_zmq(context, "topics", None, lambda _: [b"wrist", *sample[1:]]),
            "windows": over_zmq(context, "windows", "uci_kinet", rare),
            "unpaired": over_http(),
        }
        results = await asyncio.gather(*cases.values())
        context.destroy(linger=0)
        return dict(zip(cases, results, strict=True))

    return asyncio.run(run())


def about(heard: Heard, case: str) -> str:
    seen, after_s = heard[case]
    assert after_s < WITHIN_S
    (notice,) = [notice for notice in seen if notice.finding.about == case]
    assert notice.finding.level == "problem"
    return str(notice)


def test_packets_that_are_all_malformed_are_shown_before_a_model_is_chosen(heard: Heard) -> None:
    line = about(heard, "malformed")
    assert "packets are malformed; one begins with 7b 22 61 63 63" in line
    assert "JSON" in line


def test_messages_under_another_topic_are_named_before_a_model_is_chosen(heard: Heard) -> None:
    line = about(heard, "topics")
    assert "messages arrive only under wrist (" in line
    assert "topics that begin with imu/" in line


def test_samples_without_a_window_are_explained(heard: Heard) -> None:
    line = about(heard, "windows")
    assert line.startswith("wrist: samples come, but no window")
    assert "s apart; a window needs" in line


def test_sensors_that_do_not_pair_are_named_with_their_newest_times(heard: Heard) -> None:
    line = about(heard, "unpaired")
    assert "samples pair with nothing; the newest times are gyroscope " in line


SPEC = InputSpec(ACC, 50.0, length=128, hop=64)
FIGURES = StreamFigures("wrist", ACC, 50.0, samples=500, span_s=9.0, rate_hz=50.0, burst_samples=1, windows=4)


class Silent:
    """A source that sends nothing and reports what it received."""

    name, live = "zmq+tcp://127.0.0.1:9", True

    def __init__(self, *receptions: Reception) -> None:
        self._receptions = receptions

    async def chunks(self):
        await asyncio.sleep(60)
        yield chunk(0)

    def counts(self) -> dict[str, int]:
        return {}

    def receptions(self) -> tuple[Reception, ...]:
        return self._receptions

    async def aclose(self) -> None:
        return


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only this test moves."""
    now_s = [1000.0]
    monkeypatch.setattr(source_watch.time, "monotonic", lambda: now_s[0])

    def forward(seconds: float) -> None:
        now_s[0] += seconds

    return forward


def test_a_source_that_sends_nothing_is_told_once(passes: Callable[[float], None]) -> None:
    watch = SourceWatch(Silent())
    new: list[Notice] = []
    for _ in range(20):
        passes(1.0)
        new += watch.look([])
        if new:
            break
    assert [str(notice).partition(";")[0] for notice in new] == ["zmq+tcp://127.0.0.1:9: nothing arrived in 7 s"]
    passes(1.0)
    assert watch.look([]) == []


def test_windows_that_stop_are_missed_and_a_silence_is_not_blamed_on_holes(passes: Callable[[float], None]) -> None:
    watch = SourceWatch(Silent(Reception("wrist", 9, 500)))
    abouts: list[str] = []

    def look(windows: int, **figures: float) -> None:
        passes(1.0)
        new = watch.look([replace(FIGURES, **figures)], spec=SPEC, windows={"wrist": windows})  # pyright: ignore
        abouts.extend(notice.finding.about for notice in new)

    for windows in range(10):
        look(windows)
    assert abouts == []
    for silence_s in range(4):
        look(10, silence_s=float(silence_s))
    for _ in range(3):
        look(10)
    assert abouts == []
    for _ in range(5):
        look(10)
    assert abouts == ["windows"]


def test_a_replay_is_looked_at_by_its_own_time() -> None:
    watch = SourceWatch(Wearer(seed=1))
    due = [watch.push(packet) for _, packet in Wearer(seed=1, duration_s=35).packets()]
    assert sum(due) == 3
    assert watch.look([], over=True) == []
