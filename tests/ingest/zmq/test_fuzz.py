"""Thousands of random and mutated messages on real sockets are counted and refused, and the good ones arrive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import zmq

from kinestream.ingest import EndOfStream, Journal, Relay, RelaySource, ZmqSource, encode, encode_end
from kinestream.ingest.relay.wire import Kind, RelayMessage, pack
from tests.ingest.relay.test_relay import port_of, receive
from tests.ingest.zmq.test_zmq import PATIENCE_S, Recorded, bits, chunk, read_all

HOSTILE = 20_000


def mutated(rng: random.Random, frames: Sequence[bytes]) -> list[bytes]:
    """Return the message with one change that may matter; sometimes a random message."""
    changed = list(frames)
    at = rng.randrange(len(changed))
    data = bytearray(changed[at])
    match rng.randrange(7):
        case 0 if data:
            data[rng.randrange(min(len(data), 64))] ^= 1 << rng.randrange(8)
        case 1:
            data = data[: rng.randrange(len(data) + 1)]
        case 2:
            data += rng.randbytes(rng.randrange(1, 40))
        case 3:
            data = bytearray(rng.randbytes(rng.randrange(200)))
        case 4 if data:
            start = rng.randrange(min(len(data), 64))
            data[start : start + 8] = rng.choice([b"\xff" * 8, bytes(8), b"\x00" * 7 + b"\x80", rng.randbytes(8)])
        case 5:
            return [rng.randbytes(rng.randrange(60)) for _ in range(rng.randrange(1, 6))]
        case _:
            changed.insert(at, rng.randbytes(rng.randrange(9)))
    changed[at] = bytes(data)
    return changed


async def test_a_puller_gets_every_good_message_among_hostile_ones() -> None:
    rng = random.Random(1)
    good = [chunk(seq) for seq in range(0, 25 * 200, 25)]
    # A mutation may be a valid message of another stream or epoch, so the test compares only its own stream.
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1&stream=mine")
    reading = asyncio.create_task(read_all(source))
    ours = [chunk(item.seq, stream="mine") for item in good]
    theirs = encode(good[7])

    def fire() -> None:
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.connect(f"tcp://127.0.0.1:{port}")
            for number in range(HOSTILE):
                socket.send_multipart(mutated(rng, theirs))
                if number % (HOSTILE // len(ours)) == 0:
                    socket.send_multipart(encode(ours[number // (HOSTILE // len(ours))]))
            socket.send_multipart(encode_end(EndOfStream("mine", "a", 25 * len(ours))))

    await asyncio.to_thread(fire)
    assert [bits(item) for item in await reading] == [bits(item) for item in ours]
    assert source.counts()["malformed"] > HOSTILE / 2


async def test_a_receiver_serves_its_relay_among_hostile_messages(tmp_path: Path) -> None:
    rng = random.Random(2)
    ours = [chunk(seq, stream="mine") for seq in range(0, 25 * 200, 25)]
    source = RelaySource(f"relay://127.0.0.1:0?state={tmp_path / 'state'}&stay=1")
    received = []

    async def read() -> None:
        async for item in source.chunks():
            source.done(1)
            if item.stream == "mine":
                received.append(item)
            if len(received) == len(ours):
                break

    reading = asyncio.create_task(read())
    port = await port_of(source)
    alien = bytes(range(16))
    theirs = [
        pack(RelayMessage(Kind.HELLO, alien, turn=1)),
        pack(RelayMessage(Kind.DATA, alien, 1, 0, frames=tuple(encode(chunk(0))))),
    ]

    def fire() -> None:
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(f"tcp://127.0.0.1:{port}")
            for _ in range(HOSTILE):
                socket.send_multipart(mutated(rng, rng.choice(theirs)))
                while socket.poll(0):
                    socket.recv_multipart()

    with Journal(tmp_path / "journal") as journal:
        firing = asyncio.to_thread(fire)
        relay = Relay(f"tcp://127.0.0.1:{port}", journal, hello_s=0.1)
        async with asyncio.timeout(2 * PATIENCE_S):
            await asyncio.gather(firing, relay.run(Recorded(ours, pause_s=0.001)), reading)
    await source.aclose()
    assert [bits(item) for item in received] == [bits(item) for item in ours]
    counts = source.counts()
    assert counts["malformed"] > HOSTILE / 5
    assert counts["wrong_version"] > 0
    assert len(list((tmp_path / "state").glob("*.mark"))) <= 64


async def test_a_relay_survives_a_receiver_that_sends_nonsense(tmp_path: Path) -> None:
    """The relay delivers as soon as a real receiver answers."""
    rng = random.Random(3)
    sent = [chunk(0), chunk(25)]
    with Journal(tmp_path / "journal") as journal:
        welcome = pack(RelayMessage(Kind.WELCOME, journal.id, 10**18, 2**63, 1))
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            port = socket.bind_to_random_port("tcp://127.0.0.1")
            relay = Relay(f"tcp://127.0.0.1:{port}", journal, hello_s=0.1, patience_s=0.3)
            relaying = asyncio.create_task(relay.run(Recorded(sent)))

            def talk() -> None:
                for _ in range(20):
                    if not socket.poll(200):
                        continue
                    route = socket.recv_multipart()[0]
                    for _ in range(100):
                        message = mutated(rng, welcome)
                        if message[0][4:6] != bytes([1, Kind.REFUSED]):
                            socket.send_multipart([route, *message])

            await asyncio.to_thread(talk)
        assert not relaying.done()
        assert journal.delivered == 0
        source = RelaySource(f"relay://127.0.0.1:{port}?state={tmp_path / 'state'}")
        received = await receive(source)
        async with asyncio.timeout(PATIENCE_S):
            counts = await relaying
    assert [bits(item) for item in received] == [bits(item) for item in sent]
    assert counts["malformed"] > 100
