"""Relay of a source to a receiver over an unreliable link, with every message on disk until it is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Mapping

import zmq
import zmq.asyncio

from kinestream.core.errors import ConfigError, KinestreamError
from kinestream.core.signals import SampleChunk
from kinestream.core.source import Source

from ..zmq.address import ZmqAddress
from ..zmq.curve_keys import keys_for
from ..zmq.wire import EndOfStream, encode, encode_end, parts
from .journal import Journal
from .sender_link import SenderLink
from .wire import MAX_SAMPLES

_TURN = 16
"""Number of chunks after which the link gets its turn."""

_SYNC_S = 1.0
"""Interval at which the journal is forced to the disk."""

_RETRY_S = 0.5
"""Longest wait before the relay tries again to write to a full disk."""

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
        self._process = 1 + secrets.randbelow((1 << 31) - 1)
        """Tells this process from another with a copy of the journal."""
        self._waits = False  # for room on the disk
        self._collected = False
        self._is_silent = False
        self._appended = asyncio.Event()  # the journal has a new message, or the source has ended
        self._delivered = asyncio.Event()

    async def run(self, source: Source | None = None) -> Mapping[str, int]:
        """Run until the source has ended and everything is delivered; without a source, until the journal is empty.

        While the journal or its disk is full, a recording waits. A live source cannot wait: when the journal has its
        maximum size, the relay drops the oldest messages that it has not sent; when the disk takes no more, it refuses
        the new ones. Both are counted and reported.

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
        """Return what happened so far, by kind; kinds with a count of 0 are left out.

        ``messages`` and ``samples`` put into the journal, messages ``delivered``; samples ``thrown_away`` because the
        journal or its disk was full, ``damaged`` samples and ``damaged_bytes`` of the journal that cannot be read;
        ``write_failures``: progress not written, or segments not removed or forced to the disk; how often the link was
        ``reconnected``; ``refused_numbers``: acknowledgements of messages that were never sent; ``new_identity``.
        """
        damaged = self.journal.damaged
        journal = {"damaged": damaged.samples, "damaged_bytes": damaged.size_bytes}
        return +Counter({**self._counts, **journal, "write_failures": self.journal.write_failures})

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
        """Put a message into the journal: the next part of ``chunk``, or the end of a stream."""
        samples = len(chunk) if chunk else 0
        while True:
            while wait and not self.journal.has_room(frames) and self.journal.delivered < self.journal.newest:
                await self._room()
            dropped = self.journal.dropped.samples
            try:
                self.journal.append(frames, samples)
            except OSError as error:
                if not chunk:
                    self.journal.append_unwritten(frames)
                elif wait:
                    self._report_wait(error)
                    await self._room()
                    continue
                else:
                    self._count_lost(samples, self._refusal(error))
                    return
            finally:
                if self.journal.dropped.samples > dropped:
                    full = f"{self.journal.folder} is full ({self.journal.max_bytes / 1e6:.0f} MB)"
                    self._count_lost(self.journal.dropped.samples - dropped, full)
            break
        self._waits = False
        self._counts["messages"] += 1
        self._counts["samples"] += samples
        self._appended.set()
        if self._counts["messages"] % _TURN == 0:
            await asyncio.sleep(0)

    async def _room(self) -> None:
        """Wait for an acknowledgement, or a while: another program may make room on the disk."""
        self._delivered.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._delivered.wait(), _RETRY_S)

    def _refusal(self, error: OSError) -> str:
        """Return why the disk does not take a message, with the size of the journal's own disk."""
        folder = self.journal.folder
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return f"cannot write to {folder} ({error.strerror})"
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            return f"the disk of {folder} is full"
        return f"the disk of {folder} is full ({usage.free / 1e6:.1f} of {usage.total / 1e6:.0f} MB free)"

    def _report_wait(self, error: OSError) -> None:
        if not self._waits:
            self._waits = True
            self._report(f"{self._refusal(error)}; the source waits, and nothing is lost: make room there")

    def _count_lost(self, samples: int, reason: str) -> None:
        before = self._counts["thrown_away"]
        self._counts["thrown_away"] += samples
        # Reported at the first loss and at every tenfold: loud, and still readable after an hour.
        if len(str(self._counts["thrown_away"])) > len(str(before)) or not before:
            self._report(f"SAMPLES ARE LOST: {reason}; {self._counts['thrown_away']} samples dropped so far")

    async def _deliver(self) -> None:
        context = zmq.asyncio.Context()
        patience_s = self._patience_s
        try:
            while not self._finished():
                link = SenderLink(
                    context,
                    self._address,
                    self._keys,
                    self.journal,
                    self._counts,
                    self._hello_s,
                    self._process,
                    self._report,
                )
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
            try:
                if sync:
                    await asyncio.to_thread(sync)
            except OSError as error:
                self.journal.write_failures += 1
                if self.journal.write_failures == 1:
                    self._report(f"cannot force {self.journal.folder} to its disk: {error.strerror}")
