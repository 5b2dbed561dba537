"""Source of samples from Lab Streaming Layer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from kinestream.core.errors import InputMismatch
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk
from kinestream.core.source import LinkStatus

from ..join import Joiner
from ..profile.decoder import Group
from .address import LslAddress
from .feed import Feed
from .library import load
from .network import Network

QUEUE = 64
"""Number of chunks of joined streams that wait for a late pipeline; liblsl holds further ones."""


class LslSource:
    """Source that waits without a time limit for an LSL stream.

    When the stream goes, it waits for it to come back, with or without a source_id, and continues in a new epoch. It
    ends on ``aclose``. Stamps on another clock are mapped to this machine's, and bursts laid evenly, with a remark.

    Args:
        uri: ``lsl://NAME``, or ``lsl://?type=ACC`` for any name. ``type=``, ``source_id=`` and ``host=`` choose among
            several streams; ``type=ACC,GYRO`` joins two of one device by time. ``channels=acc_x,acc_y,acc_z,-`` names
            the columns, and ``-`` skips one (default: the stream's labels). ``acc=g``, ``gyro=dps`` etc. give the unit
            of a sensor whose channels have none. ``rate=50`` is the rate of a stream without a nominal rate (default:
            measured over the first seconds). ``once=1`` ends the source when the stream disappears.
    Raises:
        ConfigError: the address is malformed.
        MissingExtra: pylsl or liblsl is not installed.
    """

    live = True

    def __init__(self, uri: str) -> None:
        self.name = uri
        self._address = LslAddress.parse(uri)
        lsl = load()
        self._feeds = [Feed(Network(lsl), self._address, kind) for kind in self._address.types or ("",)]
        self._joiner: Joiner | None = None
        self._earlier = Counter[str]()  # of the joiners before
        self._samples = 0  # of joined streams
        self._closed = False
        self._tasks: list[asyncio.Task[None]] = []

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks.

        Raises:
            InputMismatch: several streams match, or neither the stream nor the address says what the columns are.
        """
        if len(self._feeds) == 1:
            async for chunk in self._feeds[0].chunks():
                yield chunk
            return
        async for chunk in self._joined():
            yield chunk

    def counts(self) -> Mapping[str, int]:
        """Return the samples of joined streams that were ``unpaired`` or ``interpolated``, and ``malformed`` ones.

        LSL does not report the samples that it drops.
        """
        joined = self._earlier + (self._joiner.counts if self._joiner else Counter[str]())
        malformed = sum(feed.reception().malformed for feed in self._feeds)
        return {**+joined, **({"malformed": malformed} if malformed else {})}

    def receptions(self) -> Sequence[Reception]:
        """Return what each stream received; joined streams are one, and those that are still absent stand alone."""
        receptions = [feed.reception() for feed in self._feeds]
        if len(receptions) == 1:
            return receptions
        kinds = self._address.types
        absent = [
            replace(item, name=f"{item.name} ({kind})")
            for item, kind in zip(receptions, kinds, strict=True)
            if not item.packets
        ]
        if absent:
            return absent
        remarks = [f"{kind}: {remark}" for item, kind in zip(receptions, kinds, strict=True) for remark in item.remarks]
        whole = Reception(
            self._feeds[0].name,
            sum(item.packets for item in receptions),
            self._samples,
            sum(item.malformed for item in receptions),
            next((item.malformed_example for item in receptions if item.malformed), b""),
            next((item.malformed_reason for item in receptions if item.malformed), ""),
            newest_s={kind: feed.newest_s for kind, feed in zip(kinds, self._feeds, strict=True)},
            unpaired=self.counts().get("unpaired", 0),
            expected=" and ".join(item.expected for item in receptions),
            remarks=tuple(remarks),
        )
        return [whole]

    def status(self) -> Sequence[LinkStatus]:
        """Return the state of the link; of joined streams, that of the first that does not stream."""
        statuses = [feed.status() for feed in self._feeds]
        return [next((status for status in statuses if status.state != "streaming"), statuses[0])]

    async def aclose(self) -> None:
        """Close the inlets; may be called twice."""
        self._closed = True
        await asyncio.gather(*(feed.aclose() for feed in self._feeds))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _joined(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks of several streams joined by time; a new epoch of one begins a new epoch of all."""
        queue: asyncio.Queue[tuple[int, SampleChunk | Exception | None]] = asyncio.Queue(QUEUE)
        self._tasks = [asyncio.create_task(self._fill(k, queue)) for k in range(len(self._feeds))]
        newest: dict[int, SampleChunk] = {}
        while not self._closed:
            k, chunk = await queue.get()
            if chunk is None:
                return
            if isinstance(chunk, Exception):
                raise chunk
            before = newest.get(k)
            newest[k] = chunk
            if self._joiner is None or before is None or before.session != chunk.session:
                if len(newest) < len(self._feeds):
                    continue  # the other streams are not there yet: nothing to pair with
                self._start_joining(newest)
            for joined in self._push(k, chunk, newest):
                self._samples += len(joined)
                yield joined

    def _start_joining(self, newest: Mapping[int, SampleChunk]) -> None:
        if self._joiner is not None:
            self._joiner.close()
            self._earlier += self._joiner.counts
        channels = [name for chunk in newest.values() for name in chunk.channels]
        if len(set(channels)) != len(channels):
            raise InputMismatch(
                f"{self.name}: the streams have the same channels ({', '.join(channels)}); expected different ones, "
                "as of an accelerometer and a gyroscope"
            )
        groups = tuple(Group(str(k), chunk.channels, chunk.fs_hz) for k, chunk in sorted(newest.items()))
        self._joiner = Joiner(groups)

    def _push(self, k: int, chunk: SampleChunk, newest: Mapping[int, SampleChunk]) -> list[SampleChunk]:
        assert self._joiner is not None
        leader = newest[int(self._joiner.leader.name)]
        session = "+".join(newest[number].session for number in sorted(newest))
        name = self._address.name or leader.stream
        received_s = chunk.received_s
        return [
            SampleChunk(name, session, part.t, part.x, self._joiner.channels, leader.fs_hz, part.seq, received_s)
            for part in self._joiner.push(str(k), chunk.t, chunk.x, chunk.seq)
        ]

    async def _fill(self, k: int, queue: asyncio.Queue[tuple[int, SampleChunk | Exception | None]]) -> None:
        try:
            async for chunk in self._feeds[k].chunks():
                await queue.put((k, chunk))
            await queue.put((k, None))
        except Exception as error:  # raised by the reader of the queue
            await queue.put((k, error))
