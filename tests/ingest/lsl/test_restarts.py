"""LSL outlets that go, and come back or do not, with the real liblsl."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from kinestream.core.signals import SampleChunk
from kinestream.ingest.lsl import LslSource
from kinestream.ingest.lsl.network import Network
from tests.ingest.lsl.test_field_cases import RUN, Outlet, name
from tests.ingest.zmq.test_zmq import PATIENCE_S


@pytest.mark.parametrize("source_id", ["", "kept"])
async def test_an_outlet_that_goes_and_comes_back_continues_in_a_new_epoch(source_id: str) -> None:
    mode = f"restart{source_id}"
    source = LslSource(f"lsl://{name(mode)}")
    chunks: list[SampleChunk] = []

    async def collect() -> None:
        async for chunk in source.chunks():
            chunks.append(chunk)  # noqa: PERF401 (the list is read meanwhile)

    collecting = asyncio.create_task(collect())
    for epoch in (1, 2):
        outlet = Outlet(mode, source_id=source_id and f"{source_id}-{RUN}")
        async with asyncio.timeout(PATIENCE_S):
            while len({chunk.session for chunk in chunks}) < epoch:
                outlet.push_due()
                await asyncio.sleep(0.02)
        del outlet
        await asyncio.sleep(0.2)
    await source.aclose()
    await collecting
    assert chunks[-1].t[-1] > chunks[0].t[0]
    [reception] = source.receptions()
    assert reception.remarks == ("the stream went and came back 1 x: a new epoch each time",)
    assert source.status()[0].reconnects == 1


async def test_once_ends_with_a_reason() -> None:
    source = LslSource(f"lsl://{name('once')}?once=1")
    outlet: Outlet | None = Outlet("once")
    async with asyncio.timeout(PATIENCE_S):
        chunks = source.chunks()
        reading = asyncio.ensure_future(anext(chunks))
        while not reading.done():
            assert outlet is not None
            outlet.push_due()
            await asyncio.sleep(0.02)
        outlet = None
        _ = [chunk async for chunk in chunks]
    await source.aclose()
    assert source.receptions()[0].remarks == ("the stream disappeared: ended, because the address has once=1",)


async def test_an_outlet_that_goes_while_the_run_ends_prints_no_traceback() -> None:
    pylsl = pytest.importorskip("pylsl")
    network, has_ended, complaints = Network(pylsl), threading.Event(), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def pull() -> None:
        has_ended.wait(PATIENCE_S)
        raise pylsl.LostError("the stream has been lost.")

    pulling = asyncio.create_task(network.call(pull))
    await asyncio.sleep(0)
    pulling.cancel()
    has_ended.set()
    await network.idle()
    del network, pulling
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
