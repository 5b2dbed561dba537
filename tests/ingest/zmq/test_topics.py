"""Senders that a receiver hears under other topics or in another format, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
import zmq

from kinestream.core.evidence import Receiving, Reception
from kinestream.ingest import ZmqSource, encode
from kinestream.ingest.zmq import topic_survey
from tests.ingest.zmq.test_zmq import PATIENCE_S, chunk

JSON_LINE = json.dumps({"t": 1.5, "acc": [0, 0, 9.8]}).encode()
OURS = encode(chunk(0))


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_survey, "SILENT_S", 0.5)
    monkeypatch.setattr(topic_survey, "EVERY_S", 0.5)


async def received(source: ZmqSource, send: Callable[[], None], enough: Callable[[Reception], object]) -> Reception:
    """Send until the first reception suffices, and return it."""

    async def read() -> None:
        async for _ in source.chunks():
            pass

    assert isinstance(source, Receiving)
    reading = asyncio.create_task(read())
    async with asyncio.timeout(PATIENCE_S):
        while not enough(source.receptions()[0]):
            send()
            await asyncio.sleep(0.02)
    reception = source.receptions()[0]
    await source.aclose()
    await reading
    return reception


@pytest.mark.parametrize("binds", [False, True], ids=["source connects", "source binds"])
async def test_messages_under_other_topics_are_named(binds: bool) -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        if binds:
            source = ZmqSource("zmq+tcp://127.0.0.1:0?bind=1")
        else:
            source = ZmqSource(f"zmq+tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
        connected: list[str] = []

        def send() -> None:
            if binds and source.endpoint and not connected:
                connected.append(source.endpoint)
                socket.connect(source.endpoint)
            socket.send_multipart([b"wrist", *OURS[1:]])
            socket.send_multipart([b"camera/1", b"..."])
            socket.send(JSON_LINE)

        reception = await received(source, send, lambda reception: len(reception.unwanted) == 3)
    assert set(reception.unwanted) == {"wrist", "camera/1", "JSON without a topic"}
    expected = "topics that begin with imu/, so imu/wrist for the messages under wrist, whose format is right"
    assert (reception.samples, reception.expected, reception.remarks) == (0, expected, ())
    assert source.counts() == {}


async def test_a_selected_stream_that_is_missing_beside_others_is_named() -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?stream=hip&stream=wrist")
        other = encode(chunk(0, stream="Hip"))
        seqs = iter(range(0, 10**9, 25))

        def send() -> None:
            socket.send_multipart(other)
            socket.send_multipart(encode(chunk(next(seqs))))

        reception = await received(source, send, lambda reception: reception.unwanted)
    assert (reception.name, set(reception.unwanted), reception.samples) == ("hip", {"imu/Hip"}, 0)


async def test_a_stream_that_begins_late_arrives_whole_and_ends_the_survey() -> None:
    """The survey subscribes to everything; no message may come twice, and none may be lost."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
        seqs = iter(range(0, 10**9, 25))
        surveyed: list[bytes] = []

        def send() -> None:
            while socket.poll(0):
                surveyed.append(socket.recv())
            if b"\x01" in surveyed and len(surveyed) < 100:
                socket.send_multipart(encode(chunk(next(seqs))))
            socket.send_multipart([b"other", b""])

        reception = await received(source, send, lambda _: b"\x00" in surveyed)
    assert reception.samples >= 25
    assert reception.packets * 25 == reception.samples
    assert source.counts() == {}


@pytest.mark.parametrize("mode", ["pull", "subscribe"])
async def test_json_lines_are_called_json(mode: str) -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH if mode == "pull" else zmq.PUB) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode={mode}")

        def send() -> None:
            if socket.poll(0, zmq.POLLOUT):
                socket.send_multipart([b"imu/wrist", JSON_LINE])

        reception = await received(source, send, lambda reception: reception.malformed >= 3)
    assert (reception.name, reception.packets, reception.samples) == ("wrist", reception.malformed, 0)
    assert reception.malformed_reason == "JSON; expected three binary frames (docs/wire.md)"
    assert reception.malformed_example == JSON_LINE


async def test_a_puller_names_messages_under_other_topics() -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull")

        def send() -> None:
            if socket.poll(0, zmq.POLLOUT):
                socket.send_multipart([b"wrist", *OURS[1:]])

        reception = await received(source, send, lambda reception: reception.unwanted)
    assert set(reception.unwanted) == {"wrist"}
    assert source.counts()["malformed"] == reception.unwanted["wrist"]


async def test_a_sender_that_starts_during_a_survey_hears_the_receiver_first() -> None:
    """A publisher that waits for its first subscriber would else send the head of its stream to the survey."""
    with zmq.Context() as context:
        publishers = [context.socket(zmq.XPUB) for _ in range(6)]
        ports = [socket.bind_to_random_port("tcp://127.0.0.1") for socket in publishers]
        for socket in publishers:
            socket.unbind(socket.getsockopt_string(zmq.LAST_ENDPOINT))
        source = ZmqSource("zmq+tcp://" + ",".join(f"127.0.0.1:{port}" for port in ports))
        reading = asyncio.ensure_future(anext(aiter(source.chunks()), None))
        await asyncio.sleep(1.0)  # a survey has begun
        for socket, port in zip(publishers, ports, strict=True):
            socket.bind(f"tcp://127.0.0.1:{port}")
        async with asyncio.timeout(PATIENCE_S):
            for socket in publishers:
                while not socket.poll(0):
                    await asyncio.sleep(0.01)
        assert [socket.recv() for socket in publishers] == [b"\x01imu/"] * 6
        await source.aclose()
        await reading
        for socket in publishers:
            socket.close(linger=0)
