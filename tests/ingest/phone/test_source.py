"""Pushes of simulated phones over real sockets, up to predictions."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import numpy as np
import pytest
from yarl import URL

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Prediction, SampleChunk
from kinestream.core.source import Linked, Noticing, Source
from kinestream.inference import Engine, find_model, load_model, operating_table
from kinestream.ingest.phone.address import PhoneAddress
from kinestream.ingest.phone.reorder import PATIENCE_S
from kinestream.ingest.phone.sensor_logger import MAX_BODY_BYTES
from kinestream.ingest.phone.server import BURST, BURST_BYTES, MAX_CONNECTIONS, MAX_IN_FLIGHT_BYTES
from kinestream.ingest.phone.source import FORGOTTEN_S, MAX_DEVICES, SensorLoggerSource
from kinestream.policy import make_policy
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session

from .phones import T0_NS, UP, bodies, messages, motion

TOKEN = "correct-horse"


def opened(**options: Any) -> SensorLoggerSource:
    address = PhoneAddress.parse(f"phone://?host=127.0.0.1&port=0&token={TOKEN}")
    return SensorLoggerSource(address, **options)


class Clock:
    """The host's clock, which advances with the messages sent."""

    def __init__(self) -> None:
        self.now_s = 500.0

    def __call__(self) -> float:
        return self.now_s

    def set_for(self, message: dict[str, Any]) -> None:
        """Advance to the time of the message's newest reading."""
        newest_ns = max(reading["time"] for reading in message["payload"])
        self.now_s = max(self.now_s, 500.0 + (newest_ns - T0_NS) / 1e9)


class Listener:
    """A source being read, and a phone's HTTP client."""

    def __init__(self, source: SensorLoggerSource, http: aiohttp.ClientSession, clock: Clock) -> None:
        self.source, self.http, self.clock = source, http, clock
        self.chunks: list[SampleChunk] = []

    async def read(self) -> None:
        async for chunk in self.source.chunks():
            self.chunks.append(chunk)

    async def post(self, body: bytes, **options: Any) -> int:
        async with self.http.post(self.source.urls[0], data=body, **options) as response:
            return response.status

    async def send(self, sent: Iterable[dict[str, Any]]) -> None:
        for message in sent:
            self.clock.set_for(message)
            (body,) = bodies([message])
            assert await self.post(body) == 200

    async def quiet(self, kind: str = "", at_least: int = 1) -> None:
        """Wait until a count reaches ``at_least`` and the source has emitted all its chunks."""
        async with asyncio.timeout(20):
            while kind and self.source.counts().get(kind, 0) < at_least:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)

    def joined(self, stream: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (n,) numbers and (n, channels) samples."""
        chunks = [chunk for chunk in self.chunks if stream in (None, chunk.stream)]
        return np.concatenate([c.seq + np.arange(len(c)) for c in chunks]), np.concatenate([c.x for c in chunks])


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[Listener]:
    clock = Clock()
    source = opened(now=clock, **options)
    async with aiohttp.ClientSession() as http:
        listener = Listener(source, http, clock)
        reader = asyncio.create_task(listener.read())
        try:
            yield listener
        finally:
            await source.aclose()
            await reader


async def test_the_source_is_live_and_has_notices() -> None:
    source = opened()
    assert isinstance(source, Source)
    assert isinstance(source, Noticing)
    assert source.live
    assert "same Wi-Fi" in source.notices()[0]
    await source.aclose()
    await source.aclose()


async def test_a_pushed_recording_arrives_completely() -> None:
    async with listening() as phone:
        await phone.send(messages(6))
        await phone.quiet()
        seq, x = phone.joined()
        np.testing.assert_array_equal(seq, np.arange(600))
        np.testing.assert_allclose(x[:, :3], motion(seq / 100) + UP, atol=1e-5)
        assert {chunk.stream for chunk in phone.chunks} == {"phone-3f2a91"}
        assert phone.source.counts() == {}
        (notice,) = phone.source.notices()
        assert "acceleration from totalacceleration" in notice
        assert "100.00 Hz" in notice


@pytest.mark.parametrize("seed", range(4))
async def test_every_sample_of_shuffled_repeated_and_lost_messages_is_accounted_for(seed: int) -> None:
    """Received plus lost samples equal the samples sent; none is repeated or misplaced."""
    dice = random.Random(seed)
    sent = messages(20, each_s=0.1)
    lost = {dice.randrange(40, len(sent) - 1) for _ in range(9)}
    arriving = [(n + dice.uniform(0, 4), message) for n, message in enumerate(sent) if n not in lost]
    arriving += [(n + dice.uniform(0, 9), message) for n, message in enumerate(sent) if n not in lost and n % 3 == 0]
    async with listening() as phone:
        await phone.send(message for _, message in sorted(arriving, key=lambda arrival: arrival[0]))
        phone.clock.now_s += PATIENCE_S
        await phone.quiet("messages_lost", len(lost))
        counts = phone.source.counts()
        assert counts["messages_lost"] == len(lost)
        assert counts["messages_repeated"] == len(arriving) - len(sent) + len(lost)
        assert "messages_late" not in counts
        seq, x = phone.joined()
        missing = sorted(set(range(2000)) - set(seq))
        assert missing == sorted(i for n in lost for i in range(10 * n, 10 * n + 10))
        assert len(seq) == len(set(seq)) == 2000 - 10 * len(lost)
        np.testing.assert_allclose(x[:, 0], motion(seq / 100)[:, 0], atol=1e-5)
        assert f"{len(lost)} messages with about {10 * len(lost)} samples lost" in phone.source.notices()[0]


async def test_each_recording_is_an_epoch_and_each_phone_a_stream() -> None:
    async with listening() as phone:
        await phone.send(messages(4, session="one"))
        await phone.send(messages(4, session="two", t0_ns=T0_NS + 10 * 10**9))
        await phone.send(messages(4, device="second phone", system="ios", session="one", t0_ns=T0_NS + 20 * 10**9))
        await phone.send(messages(4, session="one"))  # all messages again
        await phone.quiet()
        epochs = {chunk.session for chunk in phone.chunks}
        assert epochs == {"phone-3f2a91#1", "phone-3f2a91#2", "phone-second#1"}
        assert phone.source.counts() == {"messages_repeated": 20}
        for name in ("phone-3f2a91", "phone-second"):
            seq, x = phone.joined(name)
            np.testing.assert_allclose(x[:, :3], motion(seq / 100) + UP, atol=2e-5)
        assert len(phone.source.notices()) == 2


async def test_a_new_recording_releases_the_waiting_messages_of_the_last_one() -> None:
    async with listening() as phone:
        sent = messages(4, session="one")
        missing = sent.pop(15)
        await phone.send(sent)
        await phone.send(messages(4, session="two", t0_ns=T0_NS + 4 * 10**9))
        await phone.send([missing])
        await phone.quiet()
        samples = Counter[str]()
        for chunk in phone.chunks:
            samples[chunk.session] += len(chunk)
        assert samples == {"phone-3f2a91#1": 380, "phone-3f2a91#2": 400}
        assert phone.source.counts() == {"messages_lost": 1, "messages_late": 1}


async def test_the_link_status_of_a_phone_follows_its_messages(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as phone:
        assert isinstance(phone.source, Linked)
        (link,) = phone.source.status()
        assert (link.state, link.silence_s, link.clock) == ("looking", None, "")
        sent = messages(12, system="android")
        await phone.send(sent[:1])
        (link,) = phone.source.status()
        assert (link.name, link.state, link.clock) == ("phone-3f2a91", "starting", "")
        await phone.send(sent[1:])
        (link,) = phone.source.status()
        assert (link.state, link.reconnects, link.silence_s) == ("streaming", 0, 0.0)
        assert link.clock.startswith("device clock, ")
        assert link.battery_frac == 0.7
        assert link.age_ms is not None
        assert link.jitter_ms is not None
        phone.clock.now_s += 2.0  # shorter than the limit
        assert phone.source.status()[0].state == "streaming"
        phone.clock.now_s += 10.0
        (link,) = phone.source.status()
        assert (link.state, link.silence_s) == ("lost", None)
        async with asyncio.timeout(20):
            while not caplog.messages:
                await asyncio.sleep(0.02)
        await phone.send(messages(4, session="two", t0_ns=T0_NS + 60 * 10**9))
        (link,) = phone.source.status()
        assert (link.state, link.reconnects) == ("streaming", 1)
    assert caplog.messages[0] == "phone-3f2a91: it has stopped sending; waiting for it"


async def test_phones_with_similar_identifiers_are_separate_streams() -> None:
    async with listening() as phone:
        for n, device in enumerate(("abcdef-1", "abcdef-2", "abcdef-1-2")):
            await phone.send(messages(3, device=device, t0_ns=T0_NS + 5 * n * 10**9))
        await phone.quiet()
        assert {chunk.stream for chunk in phone.chunks} == {"phone-abcdef", "phone-abcdef2", "phone-abcdef12"}


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        (TOKEN, None, 200),
        (f"data/{TOKEN}", None, 200),
        ("data", TOKEN, 200),
        ("", f"Bearer {TOKEN}", 200),
        ("", None, 401),
        ("data", None, 401),
        (TOKEN[:-1], None, 401),
        (f"{TOKEN}x", None, 401),
        ("data", "Bearer wrong", 401),
        (f"{TOKEN}/data", None, 401),
        ("%F0%9F%98%80", "Bearer \xff", 401),
    ],
)
async def test_the_token_is_required_in_the_path_or_the_header(path: str, header: str | None, status: int) -> None:
    (body,) = bodies(messages(0.2))
    async with listening() as phone:
        base = phone.source.urls[0].rpartition("/")[0]
        headers = {"Authorization": header} if header else {}
        async with phone.http.post(f"{base}/{path}", data=body, headers=headers) as response:
            assert response.status == status
        assert phone.source.counts().get("unauthorised", 0) == (status == 401)


async def test_the_page_behind_the_qr_code_requires_the_token() -> None:
    async with listening() as phone:
        async with phone.http.get(phone.source.urls[0]) as response:
            assert response.status == 200
            assert phone.source.urls[0] in await response.text()
        async with phone.http.get(phone.source.urls[0][:-1]) as response:
            assert response.status == 401
            assert TOKEN not in await response.text()
        async with phone.http.put(phone.source.urls[0], data=b"{}") as response:
            assert response.status == 405


async def test_a_malformed_body_is_refused_and_counted_without_harm() -> None:
    dice = random.Random(5)
    async with listening() as phone:
        for message in messages(4):
            await phone.send([message])
            (body,) = bodies([message])
            for _ in range(10):
                assert await phone.post(body[: dice.randrange(len(body))]) == 400
        assert await phone.post(b"[" * 100_000) == 400
        assert await phone.post(b" " * (MAX_BODY_BYTES + 1)) == 413
        assert await phone.post(b"\x1f\x8bnot gzip", headers={"Content-Encoding": "gzip"}) == 400
        await phone.quiet()
        assert phone.source.counts() == {"malformed": 20 * 10 + 2, "too_large": 1}
        seq, _ = phone.joined()
        np.testing.assert_array_equal(seq, np.arange(400))


async def test_bytes_that_are_not_http_are_harmless_and_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(2)
    async with listening() as phone:
        port = URL(phone.source.urls[0]).port
        assert port
        for _ in range(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                dice.choice([b"", b"POST / HTTP/1.1\r\n", b"\x16\x03\x01"]) + dice.randbytes(200) + b"\r\n\r\n"
            )
            writer.write_eof()
            await reader.read()
            writer.close()
        await phone.send(messages(4))
        assert phone.joined()[0].tolist() == list(range(400))
    assert capfd.readouterr() == ("", "")


async def test_a_message_number_far_ahead_is_refused() -> None:
    async with listening() as phone:
        first, second, *_ = messages(1)
        await phone.send([first])
        (body,) = bodies([{**second, "messageId": 10**9}])
        assert await phone.post(body) == 400


async def test_too_many_phones_are_refused() -> None:
    async with listening() as phone:
        for n in range(MAX_DEVICES + 1):
            (body,) = bodies(messages(0.1, each_s=0.1, device=f"d{n}"))
            assert await phone.post(body) == (200 if n < MAX_DEVICES else 503)
        assert phone.source.counts()["too_many_devices"] == 1
        phone.clock.now_s += FORGOTTEN_S + 1
        assert await phone.post(body) == 200


async def test_a_flood_of_messages_is_refused() -> None:
    async with listening() as phone:  # time stands still, so only the burst is allowed
        (body,) = bodies(messages(0.01, each_s=0.01, only=["gravity"]))
        statuses = [await phone.post(body) for _ in range(BURST + 3)]
        assert statuses == [200] * BURST + [429] * 3
        assert phone.source.counts()["too_fast"] == 3


async def test_the_app_s_test_push_succeeds_without_starting_a_stream() -> None:
    async with listening() as phone:
        assert await phone.post(b'{"messageId":0,"sessionId":"test","deviceId":"x","payload":[]}') == 200
        assert await phone.post(b"{}") == 200
        assert phone.source.counts() == {"messages_without_motion": 1, "test_messages": 1}
        assert "sent no motion" in phone.source.notices()[-1]
        await phone.send(messages(4))
        assert await phone.post(b'{"messageId":0,"sessionId":"t","deviceId":"3f2a91c0-77aa","payload":[]}') == 200
        await phone.send(messages(6)[20:])
        await phone.quiet()
        assert phone.joined()[0].tolist() == list(range(600))


async def test_a_phone_without_gravity_gets_advice() -> None:
    async with listening() as phone:
        await phone.send(messages(4, system="ios", only=["accelerometer", "gyroscope"]))
        assert phone.source.notices() == [
            "phone-3f2a91: no acceleration from accelerometer, gyroscope: "
            "switch on Accelerometer, and on an iPhone Gravity"
        ]
    assert phone.chunks == []


async def test_a_port_in_use_is_reported() -> None:
    source = opened()
    port = source.urls[0].rpartition(":")[2].partition("/")[0]
    with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}: .*in use.*; use phone://"):
        SensorLoggerSource(PhoneAddress.parse(f"phone://?host=127.0.0.1&port={port}"))
    await source.aclose()


def pipeline(model_name: str) -> Pipeline:
    model = load_model(find_model(model_name))
    engine = Engine(model)
    table = operating_table(engine, [model.full])
    return Pipeline(engine, make_policy(f"fixed:{model.full}", table), table)


async def predict(model_name: str, sent: list[tuple[float, bytes]], until: int) -> tuple[list[Prediction], Any]:
    """Return the predictions and counts of a session for bodies posted at these seconds of the host's clock.

    The session stops after ``until`` predictions.
    """
    clock = Clock()
    source = opened(now=clock)
    session = Session(source, pipeline(model_name), model_name=model_name, policy_text="fixed")
    predictions: list[Prediction] = []
    samples = 0

    def count(chunk: SampleChunk) -> None:
        nonlocal samples
        samples += len(chunk)

    session.subscribe(count, predictions.append)
    running = asyncio.create_task(session.run())
    async with aiohttp.ClientSession() as http:
        for at_s, body in sent:
            clock.now_s = max(clock.now_s, 500.0 + at_s)
            with suppress(aiohttp.ClientError):  # a finished run no longer listens
                await http.post(source.urls[0], data=body)
    clock.now_s += PATIENCE_S
    async with asyncio.timeout(20):
        while len(predictions) < until and not running.done():
            await asyncio.sleep(0.02)
    session.stop()
    await running
    return predictions, {**session.summary()["counts"], "samples": samples}


@pytest.mark.parametrize(("model", "system"), [("uci_cnn", "android"), ("uci_cnn", "ios"), ("phone_acc", "standard")])
async def test_shuffled_and_mutated_messages_end_in_predictions(
    model: str, system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A minute of motion, with repeated, swapped and damaged messages in between."""
    monkeypatch.setenv("KINESTREAM_CACHE", str(tmp_path))
    dice = random.Random(1)
    sound = list(bodies(messages(60, fs_hz=50, each_s=0.25, system=system)))
    sent: list[tuple[float, bytes]] = []
    for n in sorted(range(len(sound)), key=lambda n: n + dice.uniform(0, 1.5)):
        at_s = 0.25 * (n + 1) + dice.uniform(0, 0.1)
        more = [sound[n], sound[n][: dice.randrange(len(sound[n]))], sound[max(0, n - 3)]][: dice.choice([1, 2, 3])]
        sent += [(at_s, body) for body in more]
    spec = load_model(find_model(model)).input
    windows = int((60 - spec.window_s) / spec.hop_s + 1e-6) + 1
    predictions, counts = await predict(model, sent, windows - 2)
    # The first messages are late, which the time map corrects, so some tenths of a second of the minute are missing.
    assert windows - 2 <= len(predictions) <= windows
    assert all(np.isfinite(prediction.probs).all() for prediction in predictions)
    assert counts["samples"] == 3000
    assert counts["lost"] == counts["gaps"] == 0
    assert counts["malformed"] > 10
    assert counts["messages_repeated"] > 10


async def test_a_phone_without_the_model_s_channels_is_refused_with_a_hint_and_the_next_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("KINESTREAM_CACHE", str(tmp_path))
    poor = bodies(messages(8, only=["totalacceleration"], device="b2f4"))
    pairs = zip(poor, bodies(messages(8, device="c7d1")), strict=True)
    sent = [(0.2 * n, body) for n, pair in enumerate(pairs, 1) for body in pair]
    predictions, counts = await predict("uci_cnn", sent, 1)
    assert {prediction.stream for prediction in predictions} == {"phone-c7d1"}
    assert counts["refused_channels"] > 100


async def test_idle_connections_and_large_messages_in_flight_are_bounded() -> None:
    async with listening() as listener:
        url = URL(listener.source.urls[0])
        host, port = url.host or "", url.port or 0
        streams = [await asyncio.open_connection(host, port) for _ in range(80)]
        await asyncio.sleep(1.2)
        streams += [await asyncio.open_connection(host, port) for _ in range(20)]
        await asyncio.sleep(0.2)
        connections = listener.source._server._connections
        assert connections is not None
        assert len(connections) == MAX_CONNECTIONS
        await asyncio.sleep(1.0)
        head = f"POST {url.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n".encode()
        for _ in range(6):
            streams.append(await asyncio.open_connection(host, port))
            streams[-1][1].write(head + bytes(1000))
        await listener.quiet("too_many_at_once")
        assert listener.source.counts()["too_many_at_once"] == 6 - MAX_IN_FLIGHT_BYTES // MAX_BODY_BYTES
        assert await listener.post(bytes(MAX_BODY_BYTES)) == 503
        for _, writer in streams:
            writer.close()


async def test_more_bytes_a_second_than_phones_send_are_refused() -> None:
    async with listening() as listener:
        statuses = [await listener.post(bytes(MAX_BODY_BYTES)) for _ in range(20)]
        assert statuses.count(429) == 20 - BURST_BYTES // MAX_BODY_BYTES
