"""Messages per second over a ZeroMQ socket, and packets per second through the decoders of Bluetooth sensors.

    python benchmarks/ingest.py
    python benchmarks/ingest.py --only decoders

The socket: encode, send, receive, decode; our format beside others in the same run. Each message is a chunk of 25
samples x 6 channels, behind a topic frame to subscribe to. PUSH to PULL over TCP loopback in one thread, 100 messages
in flight; ZeroMQ has its own threads, which a CPU-second includes. The last row is the real path: ``ZmqPublisher`` to
``ZmqSource`` in one asyncio loop. Ours checks what it sends and receives, the others do not. The machine's noise
affects all rows equally: compare ratios. Below the rows: a ``ZmqSource`` alone, fed by another process, whose chunks
are cut into a model's windows.

The decoders: each sensor's known packets (tests/ingest/devices/vectors.json) again and again through its decoder, in
one thread. Packets that carry only a battery level are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.ingest import EndOfStream, ZmqPublisher, ZmqSource, decode, encode, encode_end
from kinestream.ingest.devices import find_profile
from kinestream.ingest.profile import Decoder, Settings
from kinestream.windowing import Segmenter

CHANNELS = ACC + GYRO
IN_FLIGHT = 100
VECTORS = Path(__file__).resolve().parent.parent / "tests" / "ingest" / "devices" / "vectors.json"
ROUND_S = 0.1
"""How long each decoder runs in a round."""

Encode = Callable[[SampleChunk], list[bytes]]
Decode = Callable[[list[bytes]], object]


def make_chunk(times_irregular: bool = False, labelled: bool = False) -> SampleChunk:
    rng = np.random.default_rng(0)
    t = 12.5 + np.arange(25) / 50.0 + (rng.normal(0, 1e-3, 25) if times_irregular else 0.0)
    x = rng.normal(size=(25, 6)).astype(np.float32)
    chunk = SampleChunk("wrist", "session-1", t, x, CHANNELS, 50.0, 1000, 13.0)
    names = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
    return replace(chunk, labels=np.zeros(25, np.int16), label_names=names) if labelled else chunk


def fields(chunk: SampleChunk) -> dict[str, Any]:
    names = ("stream", "session", "channels", "fs_hz", "seq", "received_s")
    return {name: getattr(chunk, name) for name in names} | {"t0_s": float(chunk.t[0])}


def to_json(chunk: SampleChunk) -> list[bytes]:
    return [b"imu/" + chunk.stream.encode(), json.dumps({**fields(chunk), "x": chunk.x.tolist()}).encode()]


def from_json(frames: list[bytes]) -> object:
    return from_fields(message := json.loads(frames[1]), np.array(message["x"], np.float32))


def from_fields(message: dict[str, Any], x: np.ndarray) -> SampleChunk:
    t = message["t0_s"] + np.arange(len(x)) / message["fs_hz"]
    channels = tuple(message["channels"])
    stream, session, seq = message["stream"], message["session"], message["seq"]
    return SampleChunk(stream, session, t, x, channels, message["fs_hz"], seq, message["received_s"])


def msgpack_codec() -> tuple[Encode, Decode]:
    msgpack: Any = import_module("msgpack")  # not among our requirements, so unknown to the type checker

    def pack(chunk: SampleChunk) -> list[bytes]:
        return [b"imu/" + chunk.stream.encode(), msgpack.packb({**fields(chunk), "x": chunk.x.tobytes()})]

    def unpack(frames: list[bytes]) -> object:
        message = msgpack.unpackb(frames[1])
        return from_fields(message, np.frombuffer(message["x"], np.float32).reshape(-1, len(message["channels"])))

    return pack, unpack


def over_socket(push: zmq.Socket, pull: zmq.Socket, chunk: SampleChunk, codec: tuple[Encode, Decode], n: int) -> None:
    pack, unpack = codec
    for _ in range(n // IN_FLIGHT):
        for _ in range(IN_FLIGHT):
            push.send_multipart(pack(chunk))
        for _ in range(IN_FLIGHT):
            unpack(pull.recv_multipart())


async def end_to_end(chunk: SampleChunk, n: int) -> None:
    async with ZmqPublisher("tcp://127.0.0.1:0", wait_for_slow=True) as publisher:
        source = ZmqSource(f"zmq+{publisher.address}")

        async def read() -> int:
            return sum([len(item) async for item in source.chunks()])

        reading = asyncio.create_task(read())
        await publisher.subscribed()
        for k in range(n):
            await publisher.send(replace(chunk, seq=25 * k))
        await publisher.aclose()
        if await reading != 25 * n or source.counts():
            raise SystemExit(f"samples went missing: {dict(source.counts())}")


def known_packets() -> list[tuple[str, Decoder, str, bytes, int]]:
    """(title, decoder, characteristic, packet, samples in it) for each packet whose values are known."""
    known = []
    for vector in json.loads(VECTORS.read_text(encoding="utf-8")):
        decoder = find_profile(vector["profile"]).plan(Settings(**vector["settings"])).decoder()
        packets = [(char, bytes.fromhex(data)) for char, data in vector["packets"]]
        for char, data in packets[:-1]:  # packets that the frame depends on
            decoder.decode(char, data)
        char, data = packets[-1]
        if vector["samples"] and decoder.decode(char, data):
            known.append((f"{vector['profile']}: {vector['name']}", decoder, char, data, len(vector["samples"])))
    return known


def decoders(rounds: int) -> None:
    known = known_packets()
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for title, decoder, char, data, _ in known:
            count, begun_s = 0, time.process_time()
            while (spent_s := time.process_time() - begun_s) < ROUND_S:
                for _ in range(100):
                    decoder.decode(char, data)
                count += 100
            figures.setdefault(title, []).append(count / spent_s)
    print(f"{'':66} {'packets/CPU-s':>13} {'samples/CPU-s':>13} {'bytes':>6}")
    for title, _, _, data, n in known:
        per_s = float(np.median(figures[title]))
        print(f"{title:66} {per_s:13,.0f} {per_s * n:13,.0f} {len(data):6}")


def push_prepared(port: int, n: int) -> None:
    """In a separate process: send ``n`` chunks that were encoded before the first is sent."""
    plain, t = make_chunk(), np.arange(25) / 50.0
    messages = [encode(replace(plain, t=25 * k / 50.0 + t, seq=25 * k)) for k in range(n)]
    messages.append(encode_end(EndOfStream(plain.stream, plain.session, 25 * n)))
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.connect(f"tcp://127.0.0.1:{port}")
        for frames in messages:
            push.send_multipart(frames)


async def socket_to_windows(n: int) -> tuple[float, float]:
    """Samples per second and per CPU-second of the receiving process, from the socket to the model's windows."""
    with zmq.Context() as context, context.socket(zmq.REP) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1")
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1")
    segmenter = Segmenter(InputSpec(CHANNELS, 50.0, 128, 64, lowpass_hz=None))
    sender = get_context("spawn").Process(target=push_prepared, args=(port, n))
    sender.start()
    windows, wall_s, cpu_s = 0, 0.0, 0.0
    async for chunk in source.chunks():
        if not wall_s:
            wall_s, cpu_s = time.perf_counter(), time.process_time()
        windows += len(segmenter.push(chunk))
    spent = (25 * n / (time.perf_counter() - wall_s), 25 * n / (time.process_time() - cpu_s))
    sender.join()
    if windows != (25 * n - 128) // 64 + 1:
        raise SystemExit(f"{windows} windows out of {25 * n} samples: {dict(source.counts())}")
    return spent


def socket(n: int, rounds: int) -> None:
    plain = make_chunk()
    frames = encode(plain)
    ours: tuple[Encode, Decode] = (encode, decode)
    rows: list[tuple[str, SampleChunk, tuple[Encode, Decode], int]] = [
        ("no encoding: the same frames again (limit)", plain, (lambda _: frames, lambda received: received), n),
        ("kinestream wire", plain, ours, n),
        ("kinestream wire, irregular times", make_chunk(times_irregular=True), ours, n),
        ("kinestream wire, labels", make_chunk(labelled=True), ours, n),
    ]
    try:
        import_module("msgpack")
        rows.append(("msgpack, binary payload", plain, msgpack_codec(), n))
    except ImportError:
        print("msgpack is not installed: left out (pip install msgpack)")
    rows.append(("JSON, lists of numbers", plain, (to_json, from_json), max(n // 10, IN_FLIGHT)))

    figures: dict[str, list[tuple[float, float]]] = {}
    with zmq.Context() as context, context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        pull.connect(f"tcp://127.0.0.1:{push.bind_to_random_port('tcp://127.0.0.1')}")
        for _ in range(rounds):  # interleaved, so that a slow minute of the machine hits every row
            for name, chunk, codec, count in rows:
                wall_s, cpu_s = time.perf_counter(), time.process_time()
                over_socket(push, pull, chunk, codec, count)
                done = count // IN_FLIGHT * IN_FLIGHT
                spent = (done / (time.perf_counter() - wall_s), done / (time.process_time() - cpu_s))
                figures.setdefault(name, []).append(spent)
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            asyncio.run(end_to_end(plain, n))
            spent = (n / (time.perf_counter() - wall_s), n / (time.process_time() - cpu_s))
            figures.setdefault("ZmqPublisher to ZmqSource", []).append(spent)
    sizes = {name: sum(map(len, codec[0](chunk))) for name, chunk, codec, _ in rows}
    print(f"{'':44} {'messages/s':>11} {'messages/CPU-s':>15} {'bytes':>6}")
    for name, spent in figures.items():
        wall, cpu = np.median(spent, axis=0)
        print(f"{name:44} {wall:11,.0f} {cpu:15,.0f} {sizes.get(name, sizes['kinestream wire']):6}")
    wall, cpu = np.median([asyncio.run(socket_to_windows(2 * n)) for _ in range(rounds)], axis=0) / 1e6
    print(f"socket to windows, a process of its own sends: {wall:.2f} M samples/s, {cpu:.2f} M samples/CPU-s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="each row is timed this often; the median counts")
    parser.add_argument("--only", choices=("socket", "decoders"), help="leave the other part out")
    args = parser.parse_args()
    if args.only != "decoders":
        socket(args.messages, args.rounds)
    if args.only != "socket":
        decoders(args.rounds)


if __name__ == "__main__":
    main()
