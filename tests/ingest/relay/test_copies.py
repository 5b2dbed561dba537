"""Copies of a journal and forged numbers, over real sockets: both are noticed, nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import zmq
import zmq.asyncio

from kinestream.core.signals import SampleChunk
from kinestream.ingest import EndOfStream, Journal, Relay, RelaySource, encode, encode_end
from kinestream.ingest.relay.wire import Kind, RelayMessage, pack, unpack
from tests.ingest.relay.test_relay import port_of, wait_for_relays
from tests.ingest.zmq.test_zmq import PATIENCE_S, Recorded, chunk

QUICK = {"hello_s": 0.05, "patience_s": 1.0}


async def collect(source: RelaySource, into: list[SampleChunk]) -> None:
    async for item in source.chunks():
        into.append(item)
        source.done(1)


def rows(chunks: list[SampleChunk]) -> Counter[bytes]:
    """Return how often each sample is there, by its values."""
    return Counter(row.tobytes() for item in chunks for row in item.x)


async def deliver(folder: Path, to: str, chunks: list[SampleChunk], reports: list[str]) -> Counter[str]:
    with Journal(folder) as journal:
        relay = Relay(to, journal, report=reports.append, **QUICK)
        return Counter(await relay.run(Recorded(chunks, live=True, pause_s=0.002)))


async def test_two_copies_of_a_journal_that_send_at_a_time_lose_nothing_and_are_noticed(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        for seq in range(0, 2500, 25):
            journal.append(encode(item := chunk(seq)), len(item))
    shutil.copytree(tmp_path / "journal", tmp_path / "copy")
    ours = [chunk(seq) for seq in range(2500, 15_000, 25)]
    theirs = [chunk(seq) for seq in range(102_500, 115_000, 25)]
    source, received = wait_for_relays(tmp_path / "state", "&stay=1"), list[SampleChunk]()
    receiving = asyncio.create_task(collect(source, received))
    to = f"tcp://127.0.0.1:{await port_of(source)}"
    reports: tuple[list[str], list[str]] = [], []
    async with asyncio.timeout(PATIENCE_S):
        counts = await asyncio.gather(
            deliver(tmp_path / "journal", to, ours, reports[0]), deliver(tmp_path / "copy", to, theirs, reports[1])
        )
    sent = [*(chunk(seq) for seq in range(0, 2500, 25)), *ours, *theirs]
    assert set(rows(received)) == set(rows(sent))
    assert max(rows(received).values()) == 1, "the messages of before the copy are known by their number"
    assert sum(count["new_identity"] for count in counts) == 1
    assert all("copy" in lines[0] for lines in reports)
    assert any("two relays send under the identity of one journal" in line for line in source.notices())
    assert (tmp_path / "journal" / "id").read_text() != (tmp_path / "copy" / "id").read_text()
    await source.aclose()
    receiving.cancel()


async def test_a_copy_that_continues_from_an_older_state_loses_nothing(tmp_path: Path) -> None:
    source, received = wait_for_relays(tmp_path / "state", "&stay=1"), list[SampleChunk]()
    receiving = asyncio.create_task(collect(source, received))
    to = f"tcp://127.0.0.1:{await port_of(source)}"
    reports: list[str] = []
    with Journal(tmp_path / "journal") as journal:
        for seq in range(0, 2500, 25):
            journal.append(encode(item := chunk(seq)), len(item))
        shutil.copytree(tmp_path / "journal", tmp_path / "copy")
        for seq in range(2500, 5000, 25):
            journal.append(encode(item := chunk(seq)), len(item))
        async with asyncio.timeout(PATIENCE_S):
            await Relay(to, journal, **QUICK).run()
            counts = await deliver(tmp_path / "copy", to, [chunk(seq) for seq in range(9000, 9500, 25)], reports)
    assert set(rows(received)) == set(rows([chunk(seq) for seq in [*range(0, 5000, 25), *range(9000, 9500, 25)]]))
    assert counts["refused_numbers"]
    assert "it is a copy or an older state itself" in reports[0]
    assert any("an older state of its journal" in line for line in source.notices())
    await source.aclose()
    receiving.cancel()


async def test_messages_and_hellos_in_another_journals_name_do_not_stop_it(tmp_path: Path) -> None:
    source, received = wait_for_relays(tmp_path / "state"), list[SampleChunk]()
    receiving = asyncio.create_task(collect(source, received))
    to = f"tcp://127.0.0.1:{await port_of(source)}"
    sent = [chunk(seq) for seq in range(0, 25 * 400, 25)]
    reports: list[str] = []
    with Journal(tmp_path / "journal") as journal, zmq.Context() as context, context.socket(zmq.DEALER) as forger:
        forger.setsockopt(zmq.LINGER, 0)
        forger.connect(to)
        relay = Relay(to, journal, report=reports.append, **QUICK)
        relaying = asyncio.create_task(relay.run(Recorded(sent, live=True, pause_s=0.002)))
        async with asyncio.timeout(PATIENCE_S):
            while len(received) < 50:
                await asyncio.sleep(0.01)
            key = journal.key_after(journal.delivered)
            frames = tuple(encode(chunk(0, stream="forged")))
            for last in range(1, 200):  # one of them continues from the newest message
                forged = RelayMessage(Kind.DATA, key, 2**64 - 1, last, frames=frames)
                forger.send_multipart(pack(forged))
            for number in (2**64 - 1, 2**63, 100_000):
                forger.send_multipart(pack(RelayMessage(Kind.HELLO, key, number, 0, 7)))
            await relaying
            await asyncio.sleep(0.1)
    wrist = [item for item in received if item.stream == "wrist"]
    assert set(rows(wrist)) == set(rows(sent))
    await source.aclose()
    await asyncio.gather(receiving, return_exceptions=True)


async def test_an_acknowledgement_above_what_was_sent_is_refused(tmp_path: Path) -> None:
    """The receiver acknowledges everything at once, and takes nothing."""
    reports: list[str] = []
    with (
        Journal(tmp_path) as journal,
        zmq.asyncio.Context() as context,
        context.socket(zmq.ROUTER) as receiver,
    ):
        receiver.setsockopt(zmq.LINGER, 0)
        port = receiver.bind_to_random_port("tcp://127.0.0.1")
        for seq in range(0, 2500, 25):
            journal.append(encode(chunk(seq)), 25)
        journal.append(encode_end(EndOfStream("wrist", "a", 2500)))
        relay = Relay(f"tcp://127.0.0.1:{port}", journal, report=reports.append, **QUICK)
        relaying = asyncio.create_task(relay.run())
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(2):
                route, *frames = await receiver.recv_multipart()
                hello = unpack(frames)
                await receiver.send_multipart([route, *pack(RelayMessage(Kind.ACK, hello.journal, 2**64 - 1))])
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        assert journal.delivered == 0
        assert relay.counts()["refused_numbers"] >= 1
        assert "Nothing is deleted" in reports[0]


async def test_a_damaged_newest_message_ends_no_relay_in_waiting(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        for seq in range(0, 250, 25):
            journal.append(encode(item := chunk(seq)), len(item))
    path = next((tmp_path / "journal").glob("*.seg"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    source, received = wait_for_relays(tmp_path / "state", "&stay=1"), list[SampleChunk]()
    receiving = asyncio.create_task(collect(source, received))
    with Journal(tmp_path / "journal") as journal:
        async with asyncio.timeout(PATIENCE_S):
            counts = await Relay(f"tcp://127.0.0.1:{await port_of(source)}", journal, **QUICK).run()
    assert [item.seq for item in received] == list(range(0, 225, 25))
    assert (counts["damaged"], counts["delivered"]) == (25, 9)
    await source.aclose()
    receiving.cancel()
