"""Relay and receiver over real sockets with links that break: every sample arrives once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zmq

from kinestream.core.errors import ConfigError, SourceLost
from kinestream.core.signals import SampleChunk
from kinestream.core.source import Source
from kinestream.ingest import EndOfStream, Journal, Relay, RelaySource, encode, encode_end
from kinestream.ingest.relay.inbox import MAX_RELAYS, WINDOW
from kinestream.ingest.relay.sender_link import MAX_WINDOW
from kinestream.ingest.relay.wire import MAX_IN_FLIGHT_BYTES, MAX_SAMPLES, Kind, RelayMessage, pack, unpack
from kinestream.ingest.zmq.curve_keys import Keys, new_keys, trust
from tests.ingest.relay.proxy import Proxy
from tests.ingest.zmq.test_zmq import PATIENCE_S, Recorded, bits, chunk

QUICK = {"hello_s": 0.1, "patience_s": 0.4}
"""Times for a link within a machine, which answers sooner than a radio link."""


async def receive(source: RelaySource, pause_s: float = 0.0, at_most: int | None = None) -> list[SampleChunk]:
    received = []
    async with asyncio.timeout(PATIENCE_S):
        async for item in source.chunks():
            received.append(item)
            if pause_s:
                await asyncio.sleep(pause_s)
            source.done(1)
            if len(received) == at_most:
                break
    await source.aclose()
    return received


async def port_of(source: RelaySource) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while not source.endpoint:
            await asyncio.sleep(0.005)
    return int(source.endpoint.rpartition(":")[2])


def wait_for_relays(folder: Path, more: str = "") -> RelaySource:
    return RelaySource(f"relay://127.0.0.1:0?state={folder}{more}")


async def test_a_source_is_relayed_completely_and_bit_for_bit(tmp_path: Path) -> None:
    sent = [chunk(seq, stream=stream) for seq in range(0, 50_000, 25) for stream in ("wrist", "hip")]
    source = wait_for_relays(tmp_path / "state")
    assert isinstance(source, Source)
    receiving = asyncio.create_task(receive(source))
    recorded = Recorded(sent)
    with Journal(tmp_path / "journal") as journal:
        counts = await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal).run(recorded)
        assert journal.delivered == journal.newest
    assert [bits(item) for item in await receiving] == [bits(item) for item in sent]
    assert source.counts() == {}
    assert recorded.closed
    assert counts == {"messages": 4002, "delivered": 4002, "samples": 100_000}


async def test_a_link_that_is_cut_repeatedly_loses_and_repeats_nothing(tmp_path: Path) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 4000, 25)]
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source))
    with Journal(tmp_path / "journal") as journal:
        async with Proxy(await port_of(source)) as link:
            relay = Relay(f"tcp://127.0.0.1:{link.port}", journal, **QUICK)
            relaying = asyncio.create_task(relay.run(Recorded(sent)))
            cuts, seen = 0, 0
            while not relaying.done():
                await asyncio.sleep(0.002)
                if link.passed_bytes - seen > 250_000 and cuts < 6:
                    await link.cut()
                    await asyncio.sleep(0.05 if cuts % 2 else 0.6)  # shorter and longer than the relay's patience
                    await link.mend()
                    cuts, seen = cuts + 1, link.passed_bytes
            await relaying
    assert cuts == 6
    assert [bits(item) for item in await receiving] == [bits(item) for item in sent]
    assert set(source.counts()) <= {"repeated", "out_of_turn"}


async def test_a_live_source_continues_while_the_link_is_down_and_arrives_completely(tmp_path: Path) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 500, 25)]
    reports: list[str] = []
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source))
    with Journal(tmp_path / "journal") as journal:
        async with Proxy(await port_of(source)) as link:
            await link.cut()
            relay = Relay(f"tcp://127.0.0.1:{link.port}", journal, report=reports.append, **QUICK)
            relaying = asyncio.create_task(relay.run(Recorded(sent, live=True, pause_s=0.001)))
            async with asyncio.timeout(PATIENCE_S):
                while relay.counts().get("messages", 0) < 501 or not reports:
                    await asyncio.sleep(0.01)
            assert not relaying.done()
            await link.mend()
            await relaying
    assert [bits(item) for item in await receiving] == [bits(item) for item in sent]
    assert "New samples stay in the journal" in reports[0]
    assert reports[1].endswith("answers")


async def test_a_slow_consumer_makes_the_relay_wait_within_the_window(tmp_path: Path) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 600, 25)]
    source = wait_for_relays(tmp_path / "state")
    most = 0

    async def slow() -> list[SampleChunk]:
        nonlocal most
        received = []
        async for item in source.chunks():
            received.append(item)
            if len(received) % 100 == 1:
                await asyncio.sleep(0.15)
            most = max(most, len(source._inbox.unacknowledged))
            source.done(1)
        await source.aclose()
        return received

    receiving = asyncio.create_task(slow())
    with Journal(tmp_path / "journal") as journal:
        relay = Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal, **QUICK)
        async with asyncio.timeout(PATIENCE_S):
            await relay.run(Recorded(sent))
            received = await receiving
    assert [bits(item) for item in received] == [bits(item) for item in sent]
    assert 100 < most <= WINDOW
    assert source.counts() == {}


async def test_a_chunk_is_acknowledged_only_after_done(tmp_path: Path) -> None:
    source = wait_for_relays(tmp_path / "state")
    chunks = source.chunks()
    first = asyncio.ensure_future(anext(chunks))
    with Journal(tmp_path / "journal") as journal:
        relay = Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal, **QUICK)
        relaying = asyncio.create_task(relay.run(Recorded([chunk(0), chunk(25)])))
        async with asyncio.timeout(PATIENCE_S):
            await first
            await anext(chunks)
            await asyncio.sleep(0.5)
            assert journal.delivered == 0
            source.done(1)
            while journal.delivered < 1:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            assert journal.delivered == 1
            source.done(1)
            await relaying
    await source.aclose()


async def test_the_next_receiver_gets_exactly_the_chunks_not_done(tmp_path: Path) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 300, 25)]
    first = wait_for_relays(tmp_path / "state")
    reading = asyncio.create_task(receive(first, at_most=100))
    with Journal(tmp_path / "journal") as journal:
        async with Proxy(port := await port_of(first)) as link:
            relay = Relay(f"tcp://127.0.0.1:{link.port}", journal, **QUICK)
            relaying = asyncio.create_task(relay.run(Recorded(sent)))
            before = await reading
            second = RelaySource(f"relay://127.0.0.1:{port}?state={tmp_path / 'state'}")
            after = await receive(second)
            await relaying
    assert [bits(item) for item in before + after] == [bits(item) for item in sent]


@pytest.mark.parametrize("forgets", ["receiver", "relay"])
async def test_an_end_that_lost_its_progress_learns_it_from_the_other(tmp_path: Path, forgets: str) -> None:
    """The progress file of the receiver, or of the relay, is gone; the other end still knows what was delivered."""
    port = 0
    for part in (0, 1):
        if part and forgets == "receiver":
            for path in (tmp_path / "state").iterdir():
                path.unlink()
        elif part:
            (tmp_path / "journal" / "delivered").unlink()
        source = wait_for_relays(tmp_path / "state")
        receiving = asyncio.create_task(receive(source))
        with Journal(tmp_path / "journal") as journal:
            port = await port_of(source)
            await Relay(f"tcp://127.0.0.1:{port}", journal).run(Recorded([chunk(0), chunk(25)]))
        assert [item.seq for item in await receiving] == [0, 25]


async def test_a_relay_without_a_source_empties_its_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        for seq in (0, 25, 50):
            journal.append(encode(chunk(seq)))
        journal.append(encode_end(EndOfStream("wrist", "a", 75)))
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source))
    with Journal(tmp_path / "journal") as journal:
        await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal).run()
    assert [item.seq for item in await receiving] == [0, 25, 50]


async def test_streams_of_the_same_name_from_two_relays_are_kept_apart(tmp_path: Path) -> None:
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source))
    to = f"tcp://127.0.0.1:{await port_of(source)}"
    sent = [chunk(seq) for seq in range(0, 5000, 25)]
    with Journal(tmp_path / "one") as one, Journal(tmp_path / "two") as two:
        await asyncio.gather(*(Relay(to, journal).run(Recorded(sent, pause_s=1e-3)) for journal in (one, two)))
    received = await receiving
    names = {item.stream for item in received}
    assert len(names) == 2
    assert "wrist" in names
    for name in names:
        stream = [item for item in received if item.stream == name]
        assert [(item.seq, item.x.tobytes()) for item in stream] == [(item.seq, item.x.tobytes()) for item in sent]


async def test_a_full_journal_drops_the_oldest_samples_of_a_live_source_and_counts_them(tmp_path: Path) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 1000, 25)]
    reports: list[str] = []
    with Journal(tmp_path / "journal", max_bytes=100_000) as journal:
        relay = Relay("tcp://127.0.0.1:9", journal, report=reports.append, **QUICK)
        relaying = asyncio.create_task(relay.run(Recorded(sent, live=True)))
        async with asyncio.timeout(PATIENCE_S):
            while relay.counts().get("messages", 0) < 1001:
                await asyncio.sleep(0.01)
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        lost = relay.counts()["thrown_away"]
        assert journal.size_bytes <= 100_000
        assert any("SAMPLES ARE LOST" in line for line in reports)
        source = wait_for_relays(tmp_path / "state")
        receiving = asyncio.create_task(receive(source))
        await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal).run()
    received = await receiving
    assert sum(map(len, received)) + lost == 25 * 1000
    assert [bits(item) for item in received] == [bits(item) for item in sent[-len(received) :]]


async def test_a_full_journal_makes_a_recording_wait(tmp_path: Path) -> None:
    sent = [chunk(seq) for seq in range(0, 25 * 2000, 25)]
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source, pause_s=1e-4))
    with Journal(tmp_path / "journal", max_bytes=100_000) as journal:
        counts = await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal).run(Recorded(sent))
        assert "thrown_away" not in counts
    assert [bits(item) for item in await receiving] == [bits(item) for item in sent]


async def test_a_very_long_chunk_travels_in_several_messages(tmp_path: Path) -> None:
    whole = chunk(10, 2 * MAX_SAMPLES + 100)
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source))
    with Journal(tmp_path / "journal") as journal:
        await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal).run(Recorded([whole]))
    received = await receiving
    assert [(item.seq, len(item)) for item in received] == [(10, 1024), (1034, 1024), (2058, 100)]
    assert b"".join(item.x.tobytes() for item in received) == whole.x.tobytes()


async def test_the_samples_before_a_source_failed_are_delivered_and_the_error_is_raised(tmp_path: Path) -> None:
    class Breaking(Recorded):
        async def chunks(self) -> AsyncIterator[SampleChunk]:
            async for item in super().chunks():
                yield item
            raise SourceLost("the sensor went away")

    source = wait_for_relays(tmp_path / "state", "&stay=1")
    receiving = asyncio.create_task(receive(source, at_most=2))
    with Journal(tmp_path / "journal") as journal:
        relay = Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal)
        with pytest.raises(SourceLost, match="went away"):
            await relay.run(Breaking([chunk(0), chunk(25)]))
    assert [item.seq for item in await receiving] == [0, 25]


async def test_only_a_relay_with_a_known_key_can_deliver(tmp_path: Path) -> None:
    theirs, ours = new_keys(tmp_path / "receiver"), new_keys(tmp_path / "wrist")
    trust(tmp_path / "receiver", "wrist", ours.public.decode())
    trust(tmp_path / "wrist", "receiver", theirs.public.decode())
    new_keys(tmp_path / "stranger")
    trust(tmp_path / "stranger", "receiver", theirs.public.decode())
    assert Keys.load(tmp_path / "wrist").known == {"receiver": theirs.public}
    source = wait_for_relays(tmp_path / "state", f"&keys={tmp_path / 'receiver'}")
    receiving = asyncio.create_task(receive(source))
    to = f"tcp://127.0.0.1:{await port_of(source)}"
    reports: list[str] = []
    with Journal(tmp_path / "one") as one, Journal(tmp_path / "two") as two:
        stranger = Relay(f"{to}?keys={tmp_path / 'stranger'}", one, report=reports.append, **QUICK)
        rejected = asyncio.create_task(stranger.run(Recorded([chunk(0, stream="forged")])))
        async with asyncio.timeout(PATIENCE_S):
            while not (source.counts().get("refused_keys") and reports):
                await asyncio.sleep(0.01)
        await Relay(f"{to}?keys={tmp_path / 'wrist'}&server=receiver", two).run(Recorded([chunk(0), chunk(25)]))
        rejected.cancel()
        await asyncio.gather(rejected, return_exceptions=True)
    assert [item.stream for item in await receiving] == ["wrist", "wrist"]
    assert "do both ends know each other's key" in reports[0]


def test_both_ends_require_keys_beyond_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINESTREAM_KEYS", str(tmp_path / "none"))
    monkeypatch.setenv("KINESTREAM_STATE", str(tmp_path / "state"))
    with pytest.raises(ConfigError, match="kinestream keys new"):
        RelaySource("relay://0.0.0.0:5557")
    RelaySource("relay://0.0.0.0:5557", insecure=True)
    with Journal(tmp_path / "journal") as journal:
        with pytest.raises(ConfigError, match="kinestream keys new"):
            Relay("tcp://10.0.0.1:5557", journal)
        Relay("tcp://10.0.0.1:5557?insecure=1", journal)
        with pytest.raises(ConfigError, match="a relay delivers to one"):
            Relay("tcp://127.0.0.1:1,127.0.0.1:2", journal)


async def test_hostile_messages_are_counted_and_a_good_relay_is_still_served(tmp_path: Path) -> None:
    source = wait_for_relays(tmp_path / "state")
    receiving = asyncio.create_task(receive(source))
    port = await port_of(source)
    mine = bytes(range(16))
    good = encode(chunk(0))
    hello = pack(RelayMessage(Kind.HELLO, mine, turn=1))

    def data(number: int, before: int, frames: list[bytes] | None = None) -> list[bytes]:
        return pack(RelayMessage(Kind.DATA, mine, number, before, frames=tuple(frames or good)))

    hostile = {
        "malformed": [
            [b""],
            [b"junk", b"more"],
            [hello[0][:-1]],
            [b"XXXX" + hello[0][4:]],
            [*hello, b"more"],
            data(1, 0)[:2],
            [data(1, 0)[0], *good, b"more"],
            pack(RelayMessage(Kind.ACK, mine, 10**9)),
            [hello[0][:5] + b"\x09" + hello[0][6:]],
            data(1, 0, [b"imu/wrist", b"no header", b""]),
        ],
        "wrong_version": [[hello[0][:4] + b"\x02" + hello[0][5:]]],
        "repeated": [data(1, 0), data(1, 0)],
        "out_of_turn": [data(7, 6), pack(RelayMessage(Kind.DATA, bytes(16), 5, 4, frames=tuple(good)))],
    }

    def attack() -> list[RelayMessage]:
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.connect(f"tcp://127.0.0.1:{port}")
            socket.send_multipart(hello)
            for messages in hostile.values():
                for frames in messages:
                    socket.send_multipart(frames)
            socket.send_multipart(pack(RelayMessage(Kind.HELLO, mine, turn=2)))
            answers = []
            while not answers or answers[-1].turn != 2:
                assert socket.poll(5000)
                answers.append(unpack(socket.recv_multipart()))
            return answers

    answers = await asyncio.to_thread(attack)
    assert [answer.kind for answer in answers].count(Kind.REFUSED) == 1
    assert answers[-1].number == 1, "the malformed message in order is accepted: otherwise it would be resent forever"
    assert source.counts() == {kind: len(messages) for kind, messages in hostile.items()}
    with Journal(tmp_path / "journal") as journal:
        await Relay(f"tcp://127.0.0.1:{port}", journal).run(Recorded([chunk(0), chunk(25)]))
    assert [bits(item) for item in await receiving] == [bits(chunk(0)), bits(chunk(25))]


async def test_the_number_of_relays_and_of_their_messages_is_bounded(tmp_path: Path) -> None:
    source = wait_for_relays(tmp_path / "state")
    reading = asyncio.create_task(anext(source.chunks()))
    port = await port_of(source)

    def press() -> list[RelayMessage]:
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.connect(f"tcp://127.0.0.1:{port}")
            for number in range(MAX_RELAYS + 1):
                journal = bytes([number]) * 16
                socket.send_multipart(pack(RelayMessage(Kind.HELLO, journal, turn=1)))
                if number < MAX_RELAYS:
                    frames = tuple(encode(chunk(0, stream=f"sensor{number % 8}")))
                    socket.send_multipart(pack(RelayMessage(Kind.DATA, journal, 1, 0, frames=frames)))
            for number in range(2, WINDOW + 6):
                frames = tuple(encode(chunk(25 * number)))
                socket.send_multipart(pack(RelayMessage(Kind.DATA, bytes(16), number, number - 1, frames=frames)))
            answers = []
            while not answers or answers[-1].kind != Kind.REFUSED:
                assert socket.poll(5000)
                answers.append(unpack(socket.recv_multipart()))
            return answers

    answers = await asyncio.to_thread(press)
    assert answers[0].extra == 0
    assert answers[1].extra == WINDOW <= MAX_WINDOW
    async with asyncio.timeout(PATIENCE_S):
        await reading
        while source.counts().get("beyond_window", 0) + source.counts().get("out_of_turn", 0) < 5:
            await asyncio.sleep(0.01)
    assert source.counts()["too_many_relays"] == 1
    assert len(source._inbox.unacknowledged) == WINDOW + MAX_RELAYS - 1
    await source.aclose()


async def test_long_messages_are_limited_by_bytes_and_all_arrive(tmp_path: Path) -> None:
    sent = [chunk(seq, n=1000) for seq in range(0, 1000 * 300, 1000)]
    source = wait_for_relays(tmp_path / "state")
    most = 0

    async def slow() -> list[SampleChunk]:
        nonlocal most
        received = []
        async for item in source.chunks():
            received.append(item)
            if len(received) in (1, 100, 200):
                await asyncio.sleep(0.3)
            most = max(most, sum(relay.pending_bytes for relay in source._inbox.relays.values()))
            source.done(1)
        await source.aclose()
        return received

    receiving = asyncio.create_task(slow())
    with Journal(tmp_path / "journal") as journal:
        async with asyncio.timeout(PATIENCE_S):
            await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal, **QUICK).run(Recorded(sent))
            received = await receiving
    assert [bits(item) for item in received] == [bits(item) for item in sent]
    message_bytes = sum(map(len, encode(sent[0])))
    assert MAX_IN_FLIGHT_BYTES - message_bytes < most < MAX_IN_FLIGHT_BYTES + message_bytes
    assert source.counts() == {}


async def test_two_receivers_cannot_share_a_state_folder(tmp_path: Path) -> None:
    first, second = wait_for_relays(tmp_path / "state"), wait_for_relays(tmp_path / "state")
    reading = asyncio.create_task(receive(first))
    await port_of(first)
    with pytest.raises(ConfigError, match="in use by another process"):
        await anext(second.chunks())
    await second.aclose()
    await first.aclose()
    assert await reading == []
    with pytest.raises(ConfigError, match="add state=DIR"):
        RelaySource("relay://127.0.0.1:0")
