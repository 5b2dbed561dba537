"""Publisher and source over real loopback sockets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
import zmq

from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC, SampleChunk
from kinestream.core.source import Source
from kinestream.ingest import EndOfStream, ZmqPublisher, ZmqSource, encode, encode_end, publish
from kinestream.ingest.zmq.wire import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, samples_per_message

PATIENCE_S = 20.0
"""Time limit of a test that waits for the other side."""


def chunk(seq: int, n: int = 25, stream: str = "wrist", session: str = "a") -> SampleChunk:
    rng = np.random.default_rng(seq)
    t = 7.0 + (seq + np.arange(n)) / 50.0 + rng.normal(0, 1e-3, n)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    labels = rng.integers(-1, 2, n).astype(np.int16)
    return SampleChunk(stream, session, t, x, ACC, 50.0, seq, float(t[-1]), labels, ("walking", "sitting"))


class Recorded:
    """A source that yields given chunks."""

    name = "recorded"

    def __init__(self, chunks: list[SampleChunk], live: bool = False, pause_s: float = 0.0) -> None:
        self.live = live
        self.closed = False
        self._chunks = chunks
        self._pause_s = pause_s

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        for item in self._chunks:
            yield item
            if self._pause_s:
                await asyncio.sleep(self._pause_s)

    def counts(self) -> Mapping[str, int]:
        return {"missing_value": 3}

    async def aclose(self) -> None:
        self.closed = True


async def read_all(source: ZmqSource) -> list[SampleChunk]:
    async with asyncio.timeout(PATIENCE_S):
        return [item async for item in source.chunks()]


def bits(item: SampleChunk) -> tuple[object, ...]:
    labels = None if item.labels is None else item.labels.tobytes()
    names = (item.stream, item.session, item.channels, item.label_names)
    return (*names, item.fs_hz, item.seq, item.received_s, item.t.tobytes(), item.x.tobytes(), labels)


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        return socket.bind_to_random_port("tcp://127.0.0.1")


async def test_a_published_source_arrives_whole_and_bit_for_bit(port: int) -> None:
    sent = [chunk(seq, stream=stream) for seq in range(0, 2000, 25) for stream in ("wrist", "hip")]
    recorded, source = Recorded(sent), ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
    assert isinstance(source, Source)
    counts, received = await asyncio.gather(publish(recorded, f"tcp://127.0.0.1:{port}", wait=True), read_all(source))
    assert [bits(item) for item in received] == [bits(item) for item in sent]
    assert source.counts() == {}
    assert recorded.closed
    assert (counts["samples"], counts["messages"], counts["streams"], counts["missing_value"]) == (4000, 160, 2, 3)


async def test_a_recording_waits_for_a_slow_reader_and_loses_nothing(port: int) -> None:
    sent = [chunk(seq, 400) for seq in range(0, 400 * 2000, 400)]
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}", hwm=2)

    async def slow_reader() -> int:
        samples = 0
        async for item in source.chunks():
            if samples == 0:
                await asyncio.sleep(0.3)
            samples += len(item)
        return samples

    publishing = publish(Recorded(sent), f"tcp://127.0.0.1:{port}", wait=True, hwm=50)
    async with asyncio.timeout(PATIENCE_S):
        _, samples = await asyncio.gather(publishing, slow_reader())
    assert samples == 400 * 2000
    assert source.counts() == {}


async def test_a_live_source_does_not_wait_and_every_lost_sample_is_counted(port: int) -> None:
    sent = [chunk(seq, 400) for seq in range(0, 400 * 6000, 400)]
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}", hwm=2)
    published = asyncio.Event()

    async def stalled_reader() -> int:
        samples = 0
        async for item in source.chunks():
            samples += len(item)
            await published.wait()
        return samples

    async def publisher() -> None:
        async with ZmqPublisher(f"tcp://127.0.0.1:{port}", hwm=2) as out:
            await out.subscribed()
            for item in sent:
                await out.send(item)
            published.set()

    async with asyncio.timeout(PATIENCE_S):
        _, samples = await asyncio.gather(publisher(), stalled_reader())
    lost = source.counts()["not_received"]
    assert lost > 0
    assert samples + lost == 400 * 6000


async def test_malformed_messages_are_counted_and_the_stream_continues() -> None:
    good = [chunk(0), chunk(25), chunk(50)]
    topic, header, payload = encode(good[0])
    hostile = [
        [topic],
        [topic, header],
        [topic, header, payload, b"more"],
        [topic, header, payload[:-1]],
        [topic, b"", b""],
        [topic, header.replace(b"KIMU", b"JSON"), payload],
        [b"imu/", header, payload],
        [topic, b'{"acc": [0, 0, 9.8]}', b"[]"],
        [topic, bytes(200), bytes(1000)],
    ]
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
        reading = asyncio.create_task(read_all(source))
        async with asyncio.timeout(PATIENCE_S):
            while not socket.poll(0):
                await asyncio.sleep(0.01)
        for item in good:
            for frames in hostile:
                socket.send_multipart(frames)
            socket.send_multipart(encode(item))
        socket.send_multipart(encode_end(EndOfStream("wrist", "a", 75)))
        received = await reading
    assert [bits(item) for item in received] == [bits(item) for item in good]
    assert source.counts() == {"malformed": 3 * len(hostile)}


async def test_a_stream_with_a_longer_name_is_not_taken_for_the_selected_one(port: int) -> None:
    sent = [chunk(seq, stream=stream) for seq in (0, 25) for stream in ("wrist", "wrist2", "hip")]
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?stream=wrist")
    _, received = await asyncio.gather(publish(Recorded(sent), f"tcp://127.0.0.1:{port}", wait=True), read_all(source))
    assert [(item.stream, item.seq) for item in received] == [("wrist", 0), ("wrist", 25)]


async def test_a_second_publisher_at_the_same_address_starts_a_new_epoch(port: int) -> None:
    """The first publisher dies without an end of stream; the subscriber reconnects by itself."""
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
    reading = asyncio.create_task(read_all(source))
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.bind(f"tcp://127.0.0.1:{port}")
        async with asyncio.timeout(PATIENCE_S):
            while not socket.poll(0):
                await asyncio.sleep(0.01)
        for seq in (0, 25):
            socket.send_multipart(encode(chunk(seq)))
    await publish(Recorded([chunk(0), chunk(25)]), f"tcp://127.0.0.1:{port}", wait=True)
    assert [(item.session, item.seq) for item in await reading] == [("a", 0), ("a", 25), ("a#2", 0), ("a#2", 25)]
    assert source.counts() == {"restarted": 1}


@pytest.mark.parametrize("port_of_each", [True, False], ids=["source connects", "publishers connect"])
async def test_one_source_receives_from_many_publishers(port_of_each: bool, port: int) -> None:
    names = ("wrist", "hip", "ankle")
    sent = {name: [chunk(seq, stream=name) for seq in range(0, 500, 25)] for name in names}
    publishers = [ZmqPublisher(f"tcp://127.0.0.1:{0 if port_of_each else f'{port}?connect=1'}") for _ in names]
    places = ",".join(publisher.address.removeprefix("tcp://") for publisher in publishers)
    source = ZmqSource(f"zmq+tcp://{places}" if port_of_each else f"zmq+tcp://127.0.0.1:{port}?bind=1")
    reading = asyncio.create_task(read_all(source))

    async def send(publisher: ZmqPublisher, items: list[SampleChunk], all_known: asyncio.Barrier) -> None:
        async with publisher:
            await publisher.subscribed()
            await publisher.send(items[0])
            await all_known.wait()  # a publisher that ended before all are known would end the source
            await asyncio.sleep(0.2)
            for item in items[1:]:
                await publisher.send(item)

    barrier = asyncio.Barrier(len(names))
    await asyncio.gather(*(send(*pair, barrier) for pair in zip(publishers, sent.values(), strict=True)))
    received = await reading
    for name in names:
        assert [bits(item) for item in received if item.stream == name] == [bits(item) for item in sent[name]]
    assert source.counts() == {}


async def test_a_puller_gets_every_pushed_message(port: int) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 3000, 25)]
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1", hwm=10)
    reading = asyncio.create_task(read_all(source))

    def push() -> None:
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.connect(f"tcp://127.0.0.1:{port}")
            for item in sent:
                socket.send_multipart(encode(item))
            socket.send_multipart(encode_end(EndOfStream("wrist", "a", 25 * 3000)))

    await asyncio.to_thread(push)
    assert [bits(item) for item in await reading] == [bits(item) for item in sent]


async def test_pushers_wait_for_their_puller_and_lose_nothing(port: int) -> None:
    sent = {name: [chunk(seq, stream=name) for seq in range(0, 25 * 500, 25)] for name in ("wrist", "hip")}
    to = f"tcp://127.0.0.1:{port}?mode=push&connect=1"
    pushing = [asyncio.create_task(publish(Recorded(items), to, hwm=5)) for items in sent.values()]
    await asyncio.sleep(0.05)  # no puller is connected yet
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1&expect=2", hwm=5)
    received = await read_all(source)
    assert [(await task)["samples"] for task in pushing] == [25 * 500] * 2
    for name, items in sent.items():
        assert [bits(item) for item in received if item.stream == name] == [bits(item) for item in items]
    assert source.counts() == {}


async def test_a_live_source_drops_samples_for_a_late_puller_and_both_ends_count_them(port: int) -> None:
    n = 25 * 3000
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull", hwm=5)
    reading = asyncio.create_task(read_all(source))
    chunks = [chunk(0), *(chunk(seq, n=25) for seq in range(25, n, 25))]
    counts = await publish(Recorded(chunks, live=True), f"tcp://127.0.0.1:{port}?mode=push", wait=True, hwm=5)
    received = await reading
    assert 0 < counts["not_sent"] == n - counts["samples"]
    samples = sum(map(len, received))
    assert samples == counts["samples"]
    # The last chunks may be among those not sent; the end of stream covers only the chunks before them.
    missing = received[-1].seq + 25 - samples
    assert source.counts()["not_received"] == missing


async def test_a_source_that_expects_two_streams_does_not_end_with_the_first(port: int) -> None:
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1&expect=2")
    reading = asyncio.create_task(read_all(source))
    for name in ("wrist", "hip"):  # the second starts after the first has left
        await publish(Recorded([chunk(0, stream=name)]), f"tcp://127.0.0.1:{port}?mode=push&connect=1")
    assert [item.stream for item in await reading] == ["wrist", "hip"]


@pytest.mark.parametrize("expect", ["0", "65", "two", "-1"])
def test_an_impossible_number_of_streams_is_rejected(expect: str) -> None:
    with pytest.raises(ConfigError, match=f"expect={expect}; expected a whole number from 1 to 64"):
        ZmqSource(f"zmq+tcp://127.0.0.1:1?expect={expect}")


@pytest.mark.parametrize(("limit", "size"), [("", MAX_MESSAGE_BYTES + 1), ("&max_mb=17", MAX_FRAME_BYTES + 1)])
async def test_a_message_that_is_too_large_is_never_received(port: int, limit: str, size: int) -> None:
    """ZeroMQ disconnects its sender; a well-behaved sender is still heard."""
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1{limit}")
    reading = asyncio.create_task(read_all(source))
    with zmq.Context() as context, context.socket(zmq.PUSH) as hostile, context.socket(zmq.PUSH) as good:
        hostile.setsockopt(zmq.LINGER, 0)
        hostile.connect(f"tcp://127.0.0.1:{port}")
        await asyncio.to_thread(hostile.send_multipart, [b"imu/wrist", bytes(size), b""])
        good.connect(f"tcp://127.0.0.1:{port}")
        await asyncio.to_thread(good.send_multipart, encode(chunk(0)))
        await asyncio.to_thread(good.send_multipart, encode_end(EndOfStream("wrist", "a", 25)))
        received = await reading
    assert [bits(item) for item in received] == [bits(chunk(0))]


async def test_a_very_long_chunk_travels_in_several_messages(port: int) -> None:
    most = samples_per_message(len(chunk(0).channels))
    whole = chunk(10, most + 100)
    assert whole.labels is not None
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
    _, received = await asyncio.gather(
        publish(Recorded([whole]), f"tcp://127.0.0.1:{port}", wait=True), read_all(source)
    )
    assert [(item.seq, len(item)) for item in received] == [(10, most), (10 + most, 100)]
    assert np.concatenate([item.x for item in received]).tobytes() == whole.x.tobytes()
    assert [item.labels is not None and item.labels[-1] for item in received] == [
        whole.labels[most - 1],
        whole.labels[-1],
    ]


async def test_closing_ends_a_source_that_waits_for_a_publisher(port: int) -> None:
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
    reading = asyncio.create_task(read_all(source))
    await asyncio.sleep(0.05)
    await source.aclose()
    await source.aclose()
    assert await reading == []


async def test_cancelling_a_waiting_source_raises_cancelled_error(port: int) -> None:
    reading = asyncio.create_task(read_all(ZmqSource(f"zmq+tcp://127.0.0.1:{port}")))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_cancelled_publisher_still_sends_the_end_of_stream(port: int) -> None:
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
    recorded = Recorded([chunk(seq) for seq in range(0, 25 * 10_000, 25)], live=True, pause_s=0.01)
    publishing = asyncio.create_task(publish(recorded, f"tcp://127.0.0.1:{port}", wait=True))
    received = 0
    async with asyncio.timeout(PATIENCE_S):
        async for _ in source.chunks():
            received += 1
            if received == 3:
                publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
    assert 3 <= received < 10_000
    assert source.counts() == {}
    assert recorded.closed


async def test_an_address_in_use_is_reported_and_another_port_works(port: int) -> None:
    async with ZmqPublisher(f"tcp://127.0.0.1:{port}") as first:
        with pytest.raises(ConfigError, match="in use"):
            ZmqPublisher(first.address)
        async with ZmqPublisher("tcp://127.0.0.1:0") as second:
            assert second.address.startswith("tcp://127.0.0.1:")
            assert second.address != first.address


def test_importing_ingest_does_not_load_zeromq() -> None:
    """A replay from a file does not pay for the import."""
    code = "import sys, kinestream.ingest; print('zmq' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


async def test_what_a_broken_connection_left_in_its_queue_is_late_and_nothing_is_called_lost() -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1")
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?bind=1")
    handed_out, is_awake = Counter[str](), asyncio.Event()

    async def read() -> None:
        async for item in source.chunks():
            handed_out[item.session] += len(item)
            await is_awake.wait()

    reading = asyncio.create_task(read())
    with zmq.Context() as context:
        for epoch in ("a", "b"):
            with context.socket(zmq.XPUB) as socket:
                socket.connect(f"tcp://127.0.0.1:{port}")
                while not socket.poll(0):
                    await asyncio.sleep(0.01)
                for k in range(100):
                    socket.send_multipart(encode(chunk(25 * k, session=epoch)))
                if epoch == "b":
                    socket.send_multipart(encode_end(EndOfStream("wrist", "b", 2500)))
                socket.setsockopt(zmq.LINGER, -1)
        await asyncio.sleep(0.2)
        is_awake.set()
        async with asyncio.timeout(PATIENCE_S):
            await reading
    counts = source.counts()
    assert handed_out["b"] == 2500
    assert handed_out["a"] + counts["late"] == 2500
    assert set(counts) == {"late"}


async def test_senders_whose_messages_are_too_large_are_named_with_the_remedy(port: int) -> None:
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1")
    reading = asyncio.create_task(read_all(source))
    with zmq.Context() as context:
        for _ in range(3):
            with context.socket(zmq.PUSH) as hostile:
                hostile.setsockopt(zmq.LINGER, 0)
                hostile.connect(f"tcp://127.0.0.1:{port}")
                await asyncio.to_thread(hostile.send_multipart, [b"imu/wrist", b"", bytes(MAX_MESSAGE_BYTES + 1)])
                await asyncio.sleep(0.2)
        (notice,) = source.notices()
        assert "larger than 1 MB, send fewer samples in each, or allow more with max_mb=" in notice
        await source.aclose()
    assert await reading == []


async def test_a_chunk_that_the_format_cannot_hold_is_counted_and_the_others_are_sent(port: int) -> None:
    poison = replace(chunk(0), stream="poison", seq=2**63)
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}")
    counts, received = await asyncio.gather(
        publish(Recorded([poison, chunk(0), poison]), f"tcp://127.0.0.1:{port}", wait=True), read_all(source)
    )
    assert [bits(item) for item in received] == [bits(chunk(0))]
    assert counts["refused"] == 2 * len(poison)
