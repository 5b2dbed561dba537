"""The streams in the network, and the inlet of one: calls into liblsl, each in a thread."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from .columns import MAX_COLUMNS, Description
from .library import gone_errors

PATIENCE_S = 0.2
"""Maximum time that a call into liblsl blocks a thread."""
ANSWERS_S = 0.5
"""Time for further streams to answer after the first: more than one may match."""
DESCRIPTION_S = 2.0
MAX_SAMPLES = 1024
SETTLE_S = 0.004
"""Wait for the rest of a burst: its samples come within milliseconds."""
MAX_STREAMS = 1024
NOT_UTF8 = "(not UTF-8)"
"""Stands for the values of a sample of text that cannot be read."""
_ONE_CHUNK = range(MAX_SAMPLES)


class Network:
    """Access to liblsl from an event loop; one call runs at a time, and outlives a cancelled task.

    Args:
        lsl: the module pylsl.
    """

    def __init__(self, lsl: Any) -> None:
        self.lsl = lsl
        self.gone = gone_errors(lsl)
        self._running: asyncio.Future[Any] | None = None

    async def call(self, function: Any, *arguments: Any) -> Any:
        """Call ``function`` in a thread; ``idle`` waits for it."""
        self._running = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
        return await asyncio.shield(self._running)

    async def idle(self) -> None:
        """Wait for the running call: liblsl must not be closed in the middle of one."""
        if self._running is not None:
            await asyncio.wait([self._running])
            if not self._running.cancelled():
                self._running.exception()  # the outlet may have gone when no one was waiting

    async def streams(
        self, name: str, *, minimum: int = 1, within_s: float = PATIENCE_S
    ) -> list[tuple[Description, Any]]:
        """Return the streams of a name, or all without one; fewer than ``minimum`` if not all answer in time."""
        if name and "'" not in name:  # which would end the name in liblsl's query
            found = await self.call(self.lsl.resolve_byprop, "name", name, minimum, within_s)
        else:
            found = await self.call(self.lsl.resolve_bypred, "true()", minimum, within_s)
        return [(describe(info, self.lsl), info) for info in found]

    async def all_answers(self, name: str) -> list[tuple[Description, Any]]:
        """Return the streams of a name, or all without one, that answer within a short time."""
        return await self.streams(name, minimum=MAX_STREAMS, within_s=ANSWERS_S)


class Inlet:
    """The inlet of one stream. It ends with one of ``Network.gone`` when its stream goes, also with a source_id.

    liblsl could recover a stream with a source_id by itself, but silently: the units may have changed meanwhile.
    """

    def __init__(self, network: Network, info: Any) -> None:
        self._network = network
        lsl = network.lsl
        self._inlet = lsl.StreamInlet(info, recover=False, processing_flags=lsl.proc_clocksync)
        self._is_text = info.channel_format() == lsl.cf_string
        self._unreadable = [NOT_UTF8] * info.channel_count()

    async def describe(self) -> Description:
        """Return the whole description of the stream."""
        info = await self._network.call(self._inlet.info, DESCRIPTION_S)
        return describe(info, self._network.lsl, with_columns=True)

    async def pull(self, *, settle: bool) -> tuple[list[list[Any]], list[float], float]:
        """Return the available samples, their stamps and their arrival; none if none arrives in time.

        Args:
            settle: wait for the rest of a burst.
        """
        return await self._network.call(self._pull, settle)

    def _pull(self, settle: bool) -> tuple[list[list[Any]], list[float], float]:
        first, stamp = self._pull_sample(PATIENCE_S)
        if first is None:
            return [], [], self._network.lsl.local_clock()
        if settle:
            time.sleep(SETTLE_S)
        if self._is_text:
            pulled = itertools.takewhile(lambda pair: pair[0] is not None, (self._pull_sample(0.0) for _ in _ONE_CHUNK))
            rows, stamps = map(list, zip((first, stamp), *pulled, strict=True))
            return rows, stamps, self._network.lsl.local_clock()
        rows, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=MAX_SAMPLES)
        return [first, *rows], [stamp, *stamps], self._network.lsl.local_clock()

    def _pull_sample(self, timeout_s: float) -> tuple[Any, Any]:
        """Return a sample and its stamp. pylsl raises for text that is not UTF-8; a chunk with one would be lost."""
        try:
            return self._inlet.pull_sample(timeout=timeout_s)
        except UnicodeDecodeError:
            return self._unreadable, 0.0

    async def close(self) -> None:
        """Close the inlet."""
        await self._network.idle()
        await asyncio.to_thread(self._inlet.close_stream)


def describe(info: Any, lsl: Any, *, with_columns: bool = False) -> Description:
    """Return what a stream says of itself; its columns are known only from its inlet."""
    labels: list[str] = []
    units: list[str] = []
    if with_columns:
        channel = info.desc().child("channels").child("channel")
        while not channel.empty() and len(labels) < MAX_COLUMNS:
            labels.append(channel.child_value("label"))
            units.append(channel.child_value("unit"))
            channel = channel.next_sibling("channel")
    return Description(
        info.name(),
        info.type(),
        info.channel_count(),
        info.nominal_srate(),
        info.source_id(),
        info.hostname(),
        info.uid(),
        info.channel_format() == lsl.cf_string,
        tuple(labels),
        tuple(units),
    )
