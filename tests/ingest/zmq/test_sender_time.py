"""Senders whose stamps are on another clock than their messages, or come in bursts, over a real socket."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import zmq

from kinestream.core.signals import ACC, SampleChunk
from kinestream.ingest import EndOfStream, ZmqSource, encode, encode_end
from kinestream.ingest.zmq.sender_time import SenderTime
from tests.ingest.zmq.test_zmq import PATIENCE_S

FS_HZ, SIZE = 50.0, 12


def sent(stamps: str, packets: int = 200) -> tuple[list[SampleChunk], np.ndarray]:
    """The messages of a sender, and when the samples were taken on the clock of ``sent``."""
    chunks, taken = [], 1000.0 + np.arange(packets * SIZE) / FS_HZ
    for k, part in enumerate(taken.reshape(-1, SIZE)):
        sent_s = float(part[-1]) + 0.01 + 0.005 * (k % 3)
        t = {
            "sound": part,
            "unix": part + 1.79e9,
            "all unix": part + 1.79e9,
            "started elsewhere": part - 990.0,
            "milliseconds": part * 1000,
            "all milliseconds": part * 1000,
            "all unix milliseconds": (part + 1.79e9) * 1000,
            "one stamp": np.full(SIZE, part[-1]),
            "when sent": sent_s + 1e-5 * np.arange(SIZE),
            "unix, when sent": sent_s + 1.79e9 + 1e-5 * np.arange(SIZE),
            "from its sending on": sent_s + np.arange(SIZE) / FS_HZ,
        }[stamps]
        if stamps == "all unix":
            sent_s += 1.79e9
        if stamps == "all milliseconds":
            sent_s *= 1000
        if stamps == "all unix milliseconds":
            sent_s = (sent_s + 1.79e9) * 1000
        chunks.append(SampleChunk("wrist", "a", t, np.zeros((SIZE, 3), np.float32), ACC, FS_HZ, k * SIZE, sent_s))
    return chunks, taken


@pytest.mark.parametrize(
    ("stamps", "remark"),
    [
        ("sound", ""),
        ("all unix", ""),
        ("unix", "the stamps are Unix time, not the clock on which its messages were sent: mapped to it"),
        ("started elsewhere", "the stamps are on a clock that is 990 s behind"),
        ("milliseconds", "the stamps are in milliseconds"),
        ("all milliseconds", "the stamps are in milliseconds"),
        ("all unix milliseconds", "the stamps are in milliseconds"),
        ("one stamp", "samples come in bursts of 12 with nearly one stamp: laid evenly"),
        ("when sent", "samples come in bursts of 12 with nearly one stamp: laid evenly"),
        ("unix, when sent", "the stamps are Unix time"),
        ("from its sending on", "the stamps are on a clock that is 0.22 s ahead"),
    ],
)
def test_the_times_of_a_sender_are_even_and_their_ages_sane(stamps: str, remark: str) -> None:
    chunks, taken = sent(stamps)
    time = SenderTime()
    repaired = [time.repaired(chunk) for chunk in chunks]
    if not remark:
        assert all(before is after for before, after in zip(chunks, repaired, strict=True))
        assert time.remarks("wrist") == ()
        return
    late = repaired[50:]
    ages_s = np.array([chunk.received_s - chunk.t[-1] for chunk in late])
    assert ages_s.min() > -1e-3
    assert ages_s.max() < 0.05
    error_s = np.concatenate([chunk.t for chunk in late]) - taken[50 * SIZE :]
    assert np.ptp(error_s) < 0.02
    assert [chunk.seq for chunk in repaired] == [chunk.seq for chunk in chunks]
    assert time.remarks("wrist")[0].startswith(remark)


def test_only_the_newest_epoch_of_a_stream_is_remembered() -> None:
    (chunk, *_), _ = sent("sound", 1)
    time = SenderTime()
    for epoch in range(300):
        time.repaired(replace(chunk, session=f"epoch {epoch}"))
        time.repaired(replace(chunk, stream="hip"))
    assert len(time._epochs) == 2


async def test_a_source_repairs_times_and_remarks_on_it() -> None:
    chunks, _ = sent("unix, when sent", 60)
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull")

        async def read() -> list[SampleChunk]:
            return [item async for item in source.chunks()]

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        for item in chunks:
            socket.send_multipart(encode(item))
        socket.send_multipart(encode_end(EndOfStream("wrist", "a", len(chunks) * SIZE)))
        async with asyncio.timeout(PATIENCE_S):
            received = await reading
    assert all(-0.01 < item.received_s - item.t[-1] < 0.05 for item in received)
    assert np.diff(received[-1].t).tolist() == pytest.approx([0.02] * (SIZE - 1), abs=1e-3)
    [reception] = source.receptions()
    assert len(reception.remarks) == 2
    assert reception.samples == len(chunks) * SIZE
    assert source.counts() == {}
