"""Reads a source of Lab Streaming Layer, for the tests of this room."""

from __future__ import annotations

import asyncio

from kinestream.core.signals import SampleChunk
from kinestream.ingest.lsl import LslSource
from tests.ingest.zmq.test_zmq import PATIENCE_S


async def read(source: LslSource, samples: int) -> list[SampleChunk]:
    """At least so many samples; fails if they do not come. The source is closed, twice."""
    received: list[SampleChunk] = []
    async with asyncio.timeout(PATIENCE_S):
        async for chunk in source.chunks():
            received.append(chunk)
            if sum(map(len, received)) >= samples:
                break
    await source.aclose()
    await source.aclose()
    return received
