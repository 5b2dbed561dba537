"""Any source, brought to a receiver over a link that breaks: kept on disk until it is delivered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import zmq
import zmq.asyncio

from kinestream.core.errors import ConfigError, DecodeError, KinestreamError
from kinestream.core.signals import SampleChunk
from kinestream.core.source import Source

from ..zmq.address import ZmqAddress
from ..zmq.curve_keys import keys_for
from ..zmq.wire import EndOfStream, decode, encode, encode_end, parts
from .journal import Journal, Record
from .sender_link import Link
from .wire import MAX_SAMPLES

_TURN = 16
"""Chunks taken without a pause before the link gets its turn."""

_SYNC_S = 1.0
"""How often what was kept is forced to the disk."""

_MAX_PATIENCE_S = 15.0
_REFUSED_PAUSE_S = 5.0


class Relay:
    """Connects to a ``RelaySource`` and delivers what a journal holds, and what a source gives, in order, once.

    Args:
        to: ``tcp://HOST:PORT``. ``keys=DIR`` and ``server=NAME`` say which CURVE keys (``curve.py``),
            ``insecure=1`` that there shall be none beyond this machine.
        journal: keeps what is not delivered; the caller closes it.
        insecure: as if the address said ``insecure=1``.
        tell: called with a line for the person who runs it: the link broke, the journal is full.
        hello_s: how often the receiver is asked how far it is.
        patience_s: how long it may keep silent before the link is made anew; twice that after each vain attempt.
    Raises:
        ConfigError: the address is malformed, or leads beyond this machine and there are no keys.
    """

    def __init__(
        self,
        to: str,
        journal: Journal,
        *,
        insecure: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        hello_s: float = 1.0,
        patience_s: float = 3.0,
    ) -> None:
        self._address = ZmqAddress.parse(to, schemes=("tcp", "zmq+tcp"), insecure=insecure)
        if len(self._address.places) != 1:
            raise ConfigError(f"'{to}' names {len(self._address.places)} places; a relay delivers to one")
        self._keys = keys_for(self._address)
        if self._keys is not None:
            self._keys.server_key(self._address.server(0))  # said now, not when the link is made
        self.journal = journal
        self._tell = tell
        self._hello_s = hello_s
        self._patience_s = patience_s
        self._counts = Counter[str]()
        self._collected = False
        self._is_silent = False
        self._kept = asyncio.Event()  # there is something to send, or nothing more to come
        self._delivered = asyncio.Event()

    async def run(self, source: Source | None = None) -> Mapping[str, int]:
        """Until the source has ended and all is delivered; without a source, until the journal is empty.

        A source that can wait does so while the journal is full; a live one cannot, and the oldest messages are
        thrown away, counted, and told.

        Returns:
            ``counts()``.
        Raises:
            KinestreamError: what ended the source, after what it gave was delivered.
        """
        background = [asyncio.create_task(self._sync())]
        try:
            collecting = asyncio.create_task(self._collect(source))
            background.append(collecting)
            await self._deliver()
            await collecting
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            if source is not None:
                await source.aclose()
        return self.counts()

    def counts(self) -> Mapping[str, int]:
        """``messages`` and ``samples`` kept so far, messages ``delivered``, samples ``thrown_away`` for want of room,
        ``damaged_bytes`` of the journal, and how often the link was ``reconnected``; only what happened.
        """
        return +Counter({**self._counts, "damaged_bytes": self.journal.damaged_bytes})

    async def _collect(self, source: Source | None) -> None:
        ends: dict[str, EndOfStream] = {}
        try:
            if source is not None:
                async for chunk in source.chunks():
                    for part in parts(chunk, MAX_SAMPLES):
                        await self._keep(encode(part), part, wait=not source.live)
                    ends[chunk.stream] = EndOfStream(chunk.stream, chunk.session, chunk.seq + len(chunk))
            for end in ends.values():
                await self._keep(encode_end(end), None, wait=True)
        except KinestreamError as error:
            self._tell(f"the source ended ({error}); what it gave is still delivered")
            raise
        finally:
            self._collected = True
            self._kept.set()

    async def _keep(self, frames: list[bytes], chunk: SampleChunk | None, *, wait: bool) -> None:
        journal = self.journal
        while wait and not journal.has_room(frames) and journal.delivered < journal.newest:
            self._delivered.clear()
            await self._delivered.wait()
        try:
            self._throw_away(journal.append(frames))
        except OSError as error:
            self._count_lost(len(chunk) if chunk else 0, f"{journal.folder} takes no more ({error.strerror})")
            return
        self._counts["messages"] += 1
        self._counts["samples"] += len(chunk) if chunk else 0
        self._kept.set()
        if self._counts["messages"] % _TURN == 0:
            await asyncio.sleep(0)

    def _throw_away(self, records: list[Record]) -> None:
        lost = 0
        for record in records:
            try:
                message = decode(record.frames)
            except DecodeError:
                continue  # an earlier version's
            lost += len(message) if isinstance(message, SampleChunk) else 0
        if lost:
            self._count_lost(lost, f"{self.journal.folder} is full ({self.journal.max_bytes / 1e6:.0f} MB)")

    def _count_lost(self, samples: int, why: str) -> None:
        before = self._counts["thrown_away"]
        self._counts["thrown_away"] += samples
        # Said at the first loss and at every doubling: loud, and still readable after an hour.
        if self._counts["thrown_away"].bit_length() > before.bit_length():
            self._tell(f"SAMPLES ARE LOST: {why}; {self._counts['thrown_away']} samples thrown away so far")

    async def _deliver(self) -> None:
        context = zmq.asyncio.Context()
        patience_s = self._patience_s
        try:
            while not self._finished():
                link = Link(context, self._address, self._keys, self.journal, self._counts, self._hello_s)
                try:
                    refused = await link.run(self._kept, self._finished, patience_s, self._heard)
                finally:
                    link.close()
                if refused is not None:
                    self._tell(f"{self._address.uri} refuses: {refused}")
                    await asyncio.sleep(_REFUSED_PAUSE_S)
                elif not self._finished():
                    self._counts["reconnected"] += link.was_welcomed
                    patience_s = self._patience_s if link.has_delivered else min(2 * patience_s, _MAX_PATIENCE_S)
                    self._silence()
        finally:
            context.term()

    def _silence(self) -> None:
        if not self._is_silent:
            self._is_silent = True
            keys = ", and do both ends know each other's key" if self._keys else ""
            self._tell(f"no answer from {self._address.uri}: is it running{keys}? What comes is kept meanwhile")

    def _heard(self) -> None:
        self._delivered.set()
        if self._is_silent:
            self._is_silent = False
            self._tell(f"{self._address.uri} answers")

    def _finished(self) -> bool:
        return self._collected and self.journal.delivered >= self.journal.newest

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_S)
            sync = self.journal.unsynced()
            if sync:
                await asyncio.to_thread(sync)
