"""Record a run as it happens, in a separate thread; a full or vanished disk never stops the run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kinestream.core.signals import Prediction, SampleChunk
from kinestream.policy import Policy, write_policy
from kinestream.replay_data.recordings import Event, PredictionRecord, RecordingWriter
from kinestream.replay_data.recordings.schema import COMPUTED, DROPPED, NOT_RECORDED
from kinestream.replay_data.recordings.writer import Item
from kinestream.run.pipeline import Circumstances

WRITE_EVERY_S = 0.25
"""Longest wait before data is written: a killed run loses about this much."""

SYNC_EVERY_S = 0.75
"""Longest wait before written data is forced to disk: a power cut loses this much more."""

EAGER_ITEMS = 32
"""Items after which data is written at once if the source's sender waits until they are on disk: well below the
unacknowledged messages that a relay may have."""

QUEUE_ITEMS = 8192
"""Chunks and predictions that wait for a slow disk; a live source's data beyond them is left out and counted."""

QUEUE_BYTES = 128 * 2**20
"""The same in bytes of samples."""

CLOSE_WITHIN_S = 30.0
"""Longest time that a hanging disk, such as a network drive, delays the end of the program."""

_LOG = logging.getLogger(__name__)


class Recorder:
    """The recording of one run.

    Args:
        folder: a new or empty folder.
        about: the manifest's description of the run; see ``manifest.describe``.
        live: the source cannot wait: data beyond the queue is left out and counted. A replay waits for room instead.
        on_failure: called once with a message when the disk fails and recording ends; default: the log.
    Raises:
        ConfigError: the folder is not empty, or cannot be written. No method raises anything after that.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        live: bool,
        on_failure: Callable[[str], None] = _LOG.error,
    ) -> None:
        self.folder = folder
        self._writer = RecordingWriter(folder, about)
        self._live = live
        self._on_failure = on_failure
        self._queue: deque[Item] = deque()
        self._put_bytes = self._taken_bytes = 0  # of chunks; each is written by one thread
        self._changed = threading.Condition()
        self._closing = False
        self._counts: Mapping[str, int] = {}
        self._left_out: Counter[str] = Counter()  # not yet written to the recording
        self._offered = self._samples_left_out = 0
        self._writing_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_durable: Callable[[int, int], None] | None = None
        self._policy: tuple[Policy | None, str] = None, ""
        self.failure: str | None = None
        """Why recording ended before the run; None while it works."""
        self._thread = threading.Thread(target=self._work, name="kinestream-recorder", daemon=True)
        self._thread.start()

    def report_durable(self, on_durable: Callable[[int, int], None]) -> None:
        """Force data to disk soon, for a source whose sender waits for that; call this in the running event loop.

        Args:
            on_durable: called in the event loop with the numbers of further chunks, and of further notes of dropped
                chunks, that a power cut no longer loses; with zeros, once, when recording has failed.
        """
        self._loop = asyncio.get_running_loop()
        self._on_durable = on_durable

    async def take(self, chunk: SampleChunk) -> None:
        """Record a chunk; for a replay, wait while the disk is behind."""
        self._offered += len(chunk)
        if self._is_full and self._live:
            self._samples_left_out += len(chunk)
            self._leave_out(chunks=1, samples=len(chunk))
            return
        if self._is_full:
            await asyncio.to_thread(self._wait_for_room)
        self._put(chunk)

    def predicted(self, prediction: Prediction, circumstances: Circumstances) -> None:
        """Record a prediction; called in the pipeline's thread, which waits while a replay's disk is behind."""
        if self._is_full and self._live:
            self._leave_out(predictions=1)
            return
        if self._is_full:
            self._wait_for_room()
        policy, state = circumstances.policy, circumstances.state
        if policy is not self._policy[0]:
            self._policy = policy, write_policy(policy)
        battery = asdict(state.battery) if state.battery else None
        self._put(PredictionRecord(prediction, circumstances.ready_s, self._policy[1], state.deadline_ms, battery))

    def dropped(self, chunk: SampleChunk) -> None:
        """Record that the pipeline dropped a recorded chunk because it was late."""
        where = {"stream": chunk.stream, "session": chunk.session, "seq": chunk.seq, "samples": len(chunk)}
        self._put(Event(DROPPED, where))

    async def close(self, computed_chunks: int, counts: Mapping[str, int]) -> None:
        """Write the queue and close the recording.

        Args:
            computed_chunks: recorded chunks that the pipeline computed or dropped.
            counts: the run's samples by what happened to them, for the manifest.
        """
        self._put(Event(COMPUTED, {"chunks": computed_chunks}))
        self._counts = dict(counts)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        await asyncio.to_thread(self._thread.join, CLOSE_WITHIN_S)
        if self._thread.is_alive():
            self.failure = (
                f"NOT RECORDED TO THE END: the disk under {self.folder} does not answer; data already written is kept"
            )
            self._on_failure(self.failure)

    @property
    def not_recorded(self) -> int:
        """Samples that are missing from the recording."""
        if self.failure:
            return self._offered - self._writer.rows["samples"]
        return self._samples_left_out + sum(self._writer.refused.values())

    def notices(self) -> list[str]:
        """Messages for the user, one line each."""
        if self.failure:
            return [self.failure]
        lines = [
            f"{stream}: {', '.join(about['left_out'])} is not recorded: kinestream does not know this channel"
            for stream, about in list(self._writer.manifest["streams"].items())
            if about["left_out"]
        ]
        lines += [
            f"{stream}: {samples} samples are not recorded: {why}; the other streams are"
            for (stream, why), samples in list(self._writer.refused.items())
        ]
        if self._samples_left_out:
            pace = self._writer.rows["samples"] / self._writing_s if self._writing_s else 0.0
            lines.append(
                f"{self.folder} lacks {self._samples_left_out} samples: the disk was too slow; "
                f"it took {pace:.0f} samples a second: record fewer streams, or to a faster disk"
            )
        return lines

    def summary(self) -> dict[str, Any]:
        """Return the folder and its numbers of rows, as plain JSON values."""
        return {"folder": str(self.folder), **self._writer.rows, "not_recorded": self.not_recorded}

    def _put(self, item: Item) -> None:
        if self.failure:
            return
        if isinstance(item, SampleChunk):
            self._put_bytes += _bytes_of(item)
        self._queue.append(item)
        if self._on_durable and len(self._queue) % EAGER_ITEMS == 0:
            with self._changed:
                self._changed.notify_all()

    def _leave_out(self, **counts: int) -> None:
        with self._changed:
            self._left_out.update(counts)

    @property
    def _is_full(self) -> bool:
        waiting_bytes = self._put_bytes - self._taken_bytes
        return len(self._queue) >= QUEUE_ITEMS or (waiting_bytes > QUEUE_BYTES and bool(self._queue))

    @property
    def _is_urgent(self) -> bool:
        return self._is_full or bool(self._on_durable and len(self._queue) >= EAGER_ITEMS)

    def _report_durable(self, items: list[Item]) -> None:
        """Runs in the recorder's thread."""
        if self._loop is None or self._on_durable is None:
            return
        chunks = sum(isinstance(item, SampleChunk) for item in items)
        dropped = sum(isinstance(item, Event) and item.kind == DROPPED for item in items)
        if chunks or dropped or self.failure:
            with contextlib.suppress(RuntimeError):  # the loop has closed: a hanging disk was given up
                self._loop.call_soon_threadsafe(self._on_durable, chunks, dropped)

    def _wait_for_room(self) -> None:
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_full or self.failure)

    def _work(self) -> None:
        synced_s = time.monotonic()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or self._is_urgent, timeout=WRITE_EVERY_S)
                    closing = self._closing
                items = self._write()
                if self._on_durable and items:
                    self._writer.sync()
                    synced_s = time.monotonic()
                    self._report_durable(items)
                with self._changed:
                    self._changed.notify_all()
                if closing:
                    return self._writer.close(self._counts)
                if time.monotonic() - synced_s >= SYNC_EVERY_S:
                    self._writer.sync()
                    synced_s = time.monotonic()
        except Exception as error:  # of any kind: the run matters more than its recording
            self._fail(error)

    def _write(self) -> list[Item]:
        """Write all pending items and return them."""
        began_s = time.monotonic()
        self._writer.write(items := self._taken())
        self._writing_s += time.monotonic() - began_s
        return items

    def _taken(self) -> list[Item]:
        items = [self._queue.popleft() for _ in range(len(self._queue))]
        self._taken_bytes += sum(_bytes_of(item) for item in items if isinstance(item, SampleChunk))
        with self._changed:
            left_out, self._left_out = self._left_out, Counter()
        if left_out:
            items.append(Event(NOT_RECORDED, {"chunks": 0, "predictions": 0, "samples": 0, **left_out}))
        return items

    def _fail(self, error: Exception) -> None:
        self._writer.abandon()
        rows = self._writer.rows
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        then = "it ends, and the relay keeps the rest" if self._on_durable else "the run goes on"
        self.failure = (
            f"NOT RECORDING ANY MORE: {reason} ({self.folder}); {then}; {rows['samples']} samples and "
            f"{rows['predictions']} predictions were written; kinestream recover completes their recording"
        )
        with self._changed:
            self._queue.clear()
            self._changed.notify_all()
        self._on_failure(self.failure)
        self._report_durable([])


def _bytes_of(chunk: SampleChunk) -> int:
    return chunk.x.nbytes + chunk.t.nbytes
