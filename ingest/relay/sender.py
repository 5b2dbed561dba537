"""Relay of a source to a receiver over an unreliable link, with every message on disk until it is delivered."""

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
from .journal import Journal
from .records import Record
from .sender_link import SenderLink
from .wire import MAX_SAMPLES

_TURN = 16
"""Number of chunks after which the link gets its turn."""

_SYNC_S = 1.0
"""Interval at which the journal is forced to the disk."""

_MAX_PATIENCE_S = 15.0
_REFUSED_PAUSE_S = 5.0


class Relay:
    """Sender that connects to a ``RelaySource`` and delivers a journal, and a source, in order and exactly once.

    Args:
        to: ``tcp://HOST:PORT``. ``keys=DIR`` and ``server=NAME`` select the CURVE keys (``curve_keys``),
            ``insecure=1`` allows plain text beyond this machine.
        journal: keeps the undelivered messages; the caller closes it.
        insecure: same as ``insecure=1`` in the address.
        report: called with a line for the user: the link broke, the journal is full.
        hello_s: interval at which the relay asks the receiver for its progress.
        patience_s: silence after which the relay reconnects; doubled after each failed attempt.
    Raises:
        ConfigError: the address is malformed, or reaches beyond this machine without keys.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with Journal(Path(tempfile.mkdtemp())) as journal:
    ...     asyncio.run(Relay("tcp://127.0.0.1:5557", journal).run())  # an empty journal needs no receiver
    Counter()
    """

    def __init__(
        self,
        to: str,
        journal: Journal,
        *,
        insecure: bool = False,
        report: Callable[[str], None] = lambda _: None,
        hello_s: float = 1.0,
        patience_s: float = 3.0,
    ) -> None:
        self._address = ZmqAddress.parse(to, schemes=("tcp", "zmq+tcp"), insecure=insecure)
        if len(self._address.places) != 1:
            raise ConfigError(f"'{to}' names {len(self._address.places)} places; a relay delivers to one: HOST:PORT")
        self._keys = keys_for(self._address)
        if self._keys is not None:
            self._keys.server_key(self._address.server(0))  # reports a missing key now instead of when connecting
        self.journal = journal
        self._report = report
        self._hello_s = hello_s
        self._patience_s = patience_s
        self._counts = Counter[str]()
        self._collected = False
        self._is_silent = False
        self._appended = asyncio.Event()  # the journal has a new message, or the source has ended
        self._delivered = asyncio.Event()

    async def run(self, source: Source | None = None) -> Mapping[str, int]:
        """Run until the source has ended and everything is delivered; without a source, until the journal is empty.

        While the journal is full, a recording waits. A live source cannot wait: the relay drops the oldest messages,
        and counts and reports the loss.

        Returns:
            ``counts()``.
        Raises:
            KinestreamError: the error that ended the source, once its samples are delivered.
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
        """Return ``messages`` and ``samples`` put into the journal, messages ``delivered``, samples ``thrown_away``
        because the journal was full, ``damaged_bytes`` of the journal, and how often the link was ``reconnected``.
        Kinds with a count of 0 are left out.
        """
        return +Counter({**self._counts, "damaged_bytes": self.journal.damaged_bytes})

    async def _collect(self, source: Source | None) -> None:
        ends: dict[str, EndOfStream] = {}
        try:
            if source is not None:
                async for chunk in source.chunks():
                    for part in parts(chunk, MAX_SAMPLES):
                        await self._append(encode(part), part, wait=not source.live)
                    ends[chunk.stream] = EndOfStream(chunk.stream, chunk.session, chunk.seq + len(chunk))
            for end in ends.values():
                await self._append(encode_end(end), None, wait=True)
        except KinestreamError as error:
            self._report(f"the source ended ({error}); its samples so far will still be delivered")
            raise
        finally:
            self._collected = True
            self._appended.set()

    async def _append(self, frames: list[bytes], chunk: SampleChunk | None, *, wait: bool) -> None:
        journal = self.journal
        while wait and not journal.has_room(frames) and journal.delivered < journal.newest:
            self._delivered.clear()
            await self._delivered.wait()
        try:
            self._count_dropped(journal.append(frames))
        except OSError as error:
            self._count_lost(len(chunk) if chunk else 0, f"cannot write to {journal.folder} ({error.strerror})")
            return
        self._counts["messages"] += 1
        self._counts["samples"] += len(chunk) if chunk else 0
        self._appended.set()
        if self._counts["messages"] % _TURN == 0:
            await asyncio.sleep(0)

    def _count_dropped(self, records: list[Record]) -> None:
        lost = 0
        for record in records:
            try:
                message = decode(record.frames)
            except DecodeError:
                continue  # written by an earlier version
            lost += len(message) if isinstance(message, SampleChunk) else 0
        if lost:
            self._count_lost(lost, f"{self.journal.folder} is full ({self.journal.max_bytes / 1e6:.0f} MB)")

    def _count_lost(self, samples: int, reason: str) -> None:
        before = self._counts["thrown_away"]
        self._counts["thrown_away"] += samples
        # Reported at the first loss and at every doubling: loud, and still readable after an hour.
        if self._counts["thrown_away"].bit_length() > before.bit_length():
            self._report(f"SAMPLES ARE LOST: {reason}; {self._counts['thrown_away']} samples dropped so far")

    async def _deliver(self) -> None:
        context = zmq.asyncio.Context()
        patience_s = self._patience_s
        try:
            while not self._finished():
                link = SenderLink(context, self._address, self._keys, self.journal, self._counts, self._hello_s)
                try:
                    reason = await link.run(self._appended, self._finished, patience_s, self._on_answer)
                finally:
                    link.close()
                if reason is not None:
                    self._report(f"{self._address.uri} refuses this relay: {reason}")
                    await asyncio.sleep(_REFUSED_PAUSE_S)
                elif not self._finished():
                    self._counts["reconnected"] += link.was_welcomed
                    patience_s = self._patience_s if link.has_delivered else min(2 * patience_s, _MAX_PATIENCE_S)
                    self._on_silence()
        finally:
            context.term()

    def _on_silence(self) -> None:
        if not self._is_silent:
            self._is_silent = True
            keys = ", and do both ends know each other's key" if self._keys else ""
            self._report(f"no answer from {self._address.uri}: is it running{keys}? New samples stay in the journal")

    def _on_answer(self) -> None:
        self._delivered.set()
        if self._is_silent:
            self._is_silent = False
            self._report(f"{self._address.uri} answers")

    def _finished(self) -> bool:
        return self._collected and self.journal.delivered >= self.journal.newest

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_S)
            sync = self.journal.unsynced()
            if sync:
                await asyncio.to_thread(sync)
