"""Records a run while it goes on, from a thread of its own; a full or vanished disk never stops the run."""

from __future__ import annotations

import asyncio
import logging
import math
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
from kinestream.replay_data.recordings.tables import COMPUTED, DROPPED, NOT_RECORDED
from kinestream.replay_data.recordings.writer import Item
from kinestream.run.pipeline import Circumstances, Pipeline

WRITE_EVERY_S = 0.25
"""How long something may wait before it is written: a killed run loses about this much."""

SYNC_EVERY_S = 0.75
"""How long what was written may wait for the disk: a power cut loses this much more."""

QUEUE_ITEMS = 8192
"""Chunks and predictions that may wait for a slow disk; what a live source brings on top is not recorded, and
counted."""

CLOSE_WITHIN_S = 30.0
"""A disk that hangs, such as a network's, does not keep a program from ending for longer."""

_LOG = logging.getLogger(__name__)


class Recorder:
    """One recording of one run.

    Args:
        folder: new or empty.
        about: what the manifest says of the run; see ``describe``.
        live: the source cannot wait: what does not fit the queue is left out and counted, instead of waited for.
        on_failure: told once, in words, when the disk fails and recording ends; default: the log.
    Raises:
        ConfigError: the folder holds something, or cannot be written. Later nothing is raised any more.
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
        self._changed = threading.Condition()
        self._closing = False
        self._counts: Mapping[str, int] = {}
        self._left_out: Counter[str] = Counter()  # since this was last written down
        self._offered = self._samples_left_out = 0
        self._policy: tuple[Policy | None, str] = None, ""
        self.failure: str | None = None
        """Why recording has ended before the run, in words."""
        self._thread = threading.Thread(target=self._work, name="kinestream-recorder", daemon=True)
        self._thread.start()

    async def take(self, chunk: SampleChunk) -> None:
        """Record a chunk; waits where the source can, and the disk cannot keep up."""
        self._offered += len(chunk)
        if self._is_full and self._live:
            self._samples_left_out += len(chunk)
            self._leave_out(chunks=1, samples=len(chunk))
            return
        if self._is_full:
            await asyncio.to_thread(self._wait_for_room)
        self._put(chunk)

    def predicted(self, prediction: Prediction, circumstances: Circumstances) -> None:
        """Record a prediction; called in the pipeline's thread, which may wait for a replay's sake."""
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
        """Note that the pipeline was too late for a chunk that was recorded."""
        where = {"stream": chunk.stream, "session": chunk.session, "seq": chunk.seq, "samples": len(chunk)}
        self._put(Event(DROPPED, where))

    async def close(self, computed_chunks: int, counts: Mapping[str, int]) -> None:
        """Write what waits and close the recording.

        Args:
            computed_chunks: how many of the chunks taken the pipeline was given or was too late for.
            counts: what became of the run's samples, for the manifest.
        """
        self._put(Event(COMPUTED, {"chunks": computed_chunks}))
        self._counts = dict(counts)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        await asyncio.to_thread(self._thread.join, CLOSE_WITHIN_S)
        if self._thread.is_alive():
            self.failure = (
                f"NOT RECORDED TO THE END: the disk under {self.folder} does not answer; what it has taken stays"
            )
            self._on_failure(self.failure)

    @property
    def not_recorded(self) -> int:
        """Samples that are missing from the recording."""
        return self._offered - self._writer.rows["samples"] if self.failure else self._samples_left_out

    def notices(self) -> list[str]:
        """What a person should know, a line each."""
        if self.failure:
            return [self.failure]
        told = [
            f"{stream}: {', '.join(one['left_out'])} is not recorded: no channel that kinestream knows"
            for stream, one in list(self._writer.manifest["streams"].items())
            if one["left_out"]
        ]
        if self.not_recorded:
            told.append(f"{self.folder} lacks {self.not_recorded} samples: the disk was too slow")
        return told

    def summary(self) -> dict[str, Any]:
        """What there is: plain JSON values."""
        return {"folder": str(self.folder), **self._writer.rows, "not_recorded": self.not_recorded}

    def _put(self, item: Item) -> None:
        if not self.failure:
            self._queue.append(item)

    def _leave_out(self, **counts: int) -> None:
        with self._changed:
            self._left_out.update(counts)

    @property
    def _is_full(self) -> bool:
        return len(self._queue) >= QUEUE_ITEMS

    def _wait_for_room(self) -> None:
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_full or self.failure)

    def _work(self) -> None:
        synced_s = time.monotonic()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or self._is_full, timeout=WRITE_EVERY_S)
                    closing = self._closing
                self._writer.write(self._taken())
                with self._changed:
                    self._changed.notify_all()
                if closing:
                    return self._writer.close(self._counts)
                if time.monotonic() - synced_s >= SYNC_EVERY_S:
                    self._writer.sync()
                    synced_s = time.monotonic()
        except Exception as error:  # whatever it is: the run is worth more than its recording
            self._fail(error)

    def _taken(self) -> list[Item]:
        items = [self._queue.popleft() for _ in range(len(self._queue))]
        with self._changed:
            left_out, self._left_out = self._left_out, Counter()
        if left_out:
            items.append(Event(NOT_RECORDED, {"chunks": 0, "predictions": 0, "samples": 0, **left_out}))
        return items

    def _fail(self, error: Exception) -> None:
        self._writer.abandon()
        kept = self._writer.rows
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        self.failure = (
            f"NOT RECORDING ANY MORE: {reason} ({self.folder}); the run goes on; up to here {kept['samples']} samples "
            f"and {kept['predictions']} predictions were written, kinestream recover makes them whole"
        )
        with self._changed:
            self._queue.clear()
            self._changed.notify_all()
        self._on_failure(self.failure)


def describe(
    *,
    source_name: str,
    live: bool,
    wearer: str | None = None,
    pipeline: Pipeline | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """What a manifest says of a run: enough to make its predictions again.

    Args:
        pipeline: None where samples are recorded only.
        model: how the model is named on the command line.
    """
    about: dict[str, Any] = {
        "source": {"name": source_name, "live": live},
        "wearer": wearer,
        "model": None,
        "policy": None,
    }
    if pipeline is None:
        return about
    loaded, table, turned = pipeline.engine.model, pipeline.table, pipeline.channel_map
    about["model"] = {
        "name": loaded.name,
        "found_as": model or loaded.name,
        "fingerprint": loaded.fingerprint,
        "labels": list(loaded.labels),
        "rate_hz": loaded.input.fs_hz,
        "hop": pipeline.spec.hop,
        "max_gap_s": pipeline.spec.max_gap_s,
        "axes": turned and asdict(turned),
        "battery": pipeline.battery is not None,
    }
    about["policy"] = {"text": write_policy(pipeline.policy), "deadline_ms": pipeline.deadline_ms}
    about["table"] = {
        "model": table.model,
        "machine": table.machine,
        "energy_model": table.energy_model,
        "points": [
            {
                "subnet": {"width": point.subnet.width, "resolution": point.subnet.resolution},
                "accuracy": point.accuracy if math.isfinite(point.accuracy) else None,
                "macs": point.macs,
                "p50_ms": point.p50_ms,
                "p95_ms": point.p95_ms,
                "energy_mj": point.energy_mj,
            }
            for point in table.points
        ],
        "sensing": [
            {
                "sensing": [row.sensing.fs_hz, row.sensing.gyro],
                "accuracy": {str(subnet): share for subnet, share in row.accuracy.items()},
                "base_mw": row.base_mw if math.isfinite(row.base_mw) else None,
            }
            for row in table.sensing
        ],
    }
    return about
