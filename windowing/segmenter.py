"""Cuts one stream into the windows a model expects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import InputMismatch
from kinestream.core.signals import UNLABELLED, SampleChunk, Window

from .conditioner import Conditioner, Stretch
from .grid_buffer import GridBuffer
from .resample import SNAP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec

COUNTED = ("samples", "windows", "gaps", "lost", "interpolated", "not_finite", "out_of_order")


class Segmenter:
    """Windows out of one stream, the same to the last bit however the stream was cut into chunks.

    A window is handed out by the push that brings its last sample. Until a window is due, samples are only
    collected, because looking at them in one go costs less than chunk by chunk; so ``counts`` may lag behind
    by up to one hop until ``flush``.

    Within a session, a change of the channels or of what the label codes mean is a gap. A change of the rate is none:
    a sensor may be told to run slower, and the windows go on.

    Args:
        spec: the model's input; ``spec.hop`` is the stride.
        any_rate: take a source however slow, because somebody wants it so.
    """

    def __init__(self, spec: InputSpec, *, any_rate: bool = False) -> None:
        self.spec = spec
        self._any_rate = any_rate
        self._stream = ""
        self._session: str | None = None
        self._channels: tuple[str, ...] = ()
        self._fs_in_hz = 0.0
        self._conditioner: Conditioner | None = None
        self._columns: list[int] | None = None  # which source columns are needed; None: all, as they come
        self._label_names: tuple[str, ...] = ()
        self._next_seq = 0
        self._received_s = math.nan
        self._inbox_t = np.empty(0)
        self._inbox_x = np.empty((0, 0), np.float32)
        self._inbox_labels = np.empty(0, np.int16)
        self._inbox_size = 0
        self._labelled = False
        self._newest_s = math.nan  # when the last sample of the last chunk was taken
        self._due_s = math.nan  # when the next window's last sample is taken; NaN: not known, look at every chunk
        self._due_samples = 1  # how many samples that is about
        self._ready: list[Window] = []
        self._index = 0
        self._grid = GridBuffer(spec.length, len(spec.channels))
        self._closed: dict[str, int] = dict.fromkeys(COUNTED, 0)  # counts of the sessions that have ended

    def push(self, chunk: SampleChunk) -> list[Window]:
        """The windows this chunk completed, in order; usually none.

        Raises:
            InputMismatch: the stream lacks a channel the model needs, or is too slow for it.
        """
        t, labels = chunk.t, chunk.labels
        if chunk.session != self._session or chunk.channels != self._channels:
            self._begin(chunk)
        else:
            if chunk.fs_hz != self._fs_in_hz:
                self._retune(chunk.fs_hz)
            if labels is not None and chunk.label_names != self._label_names:
                if self._labelled:
                    self._begin(chunk)
                self._label_names = chunk.label_names
        n = len(t)
        if chunk.seq != self._next_seq:
            self._closed["lost"] += max(0, chunk.seq - self._next_seq)
        self._next_seq = chunk.seq + n
        start, stop = self._inbox_size, self._inbox_size + n
        if stop > len(self._inbox_t):
            self._grow(stop)
        self._inbox_t[start:stop] = t
        self._inbox_x[start:stop] = chunk.x if self._columns is None else chunk.x[:, self._columns]
        if labels is not None:
            if not self._labelled:
                self._inbox_labels[:start] = UNLABELLED
                self._labelled = True
            self._inbox_labels[start:stop] = labels
        elif self._labelled:
            self._inbox_labels[start:stop] = UNLABELLED
        self._inbox_size = stop
        self._received_s = chunk.received_s
        newest_s = t.item(-1) if n else self._newest_s
        # A clock that was set back has made ``due_s`` worthless.
        if stop >= self._due_samples or not self._newest_s <= newest_s < self._due_s:
            self._work()
        self._newest_s = newest_s
        return self._handed_out() if self._ready else []

    def flush(self) -> list[Window]:
        """What is still to come when nothing more will be pushed; brings ``counts`` up to date."""
        self._work()
        return self._handed_out()

    def counts(self) -> dict[str, int]:
        """What happened to the samples so far, by kind (``COUNTED``)."""
        counts: dict[str, int] = dict(self._closed)
        if self._conditioner:
            for kind in ("gaps", "interpolated", "not_finite", "out_of_order"):
                counts[kind] += getattr(self._conditioner, kind)
        counts["samples"] += self._inbox_size
        return counts

    def _begin(self, chunk: SampleChunk) -> None:
        """A new session, or a break in one: what came before is worked off, then everything starts anew."""
        if chunk.x.ndim != 2 or chunk.x.shape[1] != len(chunk.channels):
            raise InputMismatch(
                f"stream {chunk.stream}: samples of shape {chunk.x.shape} with {len(chunk.channels)} channel names"
            )
        conditioner = Conditioner(self.spec, chunk.channels, chunk.fs_hz)
        self._check_rate(chunk.fs_hz)
        self._work()
        self._closed = self.counts()
        self._closed["samples"] -= self._inbox_size
        new_session = self._session != chunk.session
        self._conditioner = conditioner
        self._stream, self._session = chunk.stream, chunk.session
        self._channels, self._label_names, self._fs_in_hz = chunk.channels, chunk.label_names, chunk.fs_hz
        needed = conditioner.needed
        self._columns = None if needed == chunk.channels else [chunk.channels.index(name) for name in needed]
        self._inbox_t = np.empty(256)
        self._inbox_x = np.empty((256, len(needed)), np.float32)
        self._inbox_labels = np.empty(256, np.int16)
        self._inbox_size = 0
        self._labelled = False
        self._grid.start()
        self._newest_s = math.nan
        self._schedule()
        if new_session:
            self._index = 0
            self._next_seq = chunk.seq
        else:
            self._closed["gaps"] += 1

    def _retune(self, fs_in_hz: float) -> None:
        """The same session at another rate."""
        self._check_rate(fs_in_hz)
        self._work()
        assert self._conditioner is not None
        self._conditioner.retune(fs_in_hz)
        self._fs_in_hz = fs_in_hz
        self._schedule()

    def _check_rate(self, fs_in_hz: float) -> None:
        if not self._any_rate:
            self.spec.check_rate(fs_in_hz)

    def _grow(self, size: int) -> None:
        self._inbox_t = np.resize(self._inbox_t, 2 * size)
        self._inbox_x = np.resize(self._inbox_x, (2 * size, self._inbox_x.shape[1]))
        self._inbox_labels = np.resize(self._inbox_labels, 2 * size)

    def _work(self) -> None:
        """Take what was collected through the conditioner and cut what windows it completes."""
        n, self._inbox_size = self._inbox_size, 0
        if not n or self._conditioner is None:
            return
        self._closed["samples"] += n
        ready = len(self._ready)
        most = self._conditioner.most_at_once
        parts = (slice(n),) if n <= most else [slice(at, min(at + most, n)) for at in range(0, n, most)]
        for part in parts:
            labels = self._inbox_labels[part] if self._labelled else None
            for stretch in self._conditioner.push(self._inbox_t[part], self._inbox_x[part], labels):
                if stretch.fresh:
                    self._grid.start()
                self._cut(stretch)
        self._closed["windows"] += len(self._ready) - ready
        self._schedule()

    def _cut(self, stretch: Stretch) -> None:
        grid, length, fs_hz = self._grid, self.spec.length, self.spec.fs_hz
        for done in range(0, len(stretch.x), grid.room):
            grid.append(stretch, done, min(done + grid.room, len(stretch.x)))
            while grid.next_end <= grid.size:
                first = grid.next_end - length
                truth, share = self._truth(grid.labels_from(first)) if grid.labelled else (None, 0.0)
                window = Window(
                    self._stream,
                    self._session or "",
                    self._index,
                    stretch.t0 + first / fs_hz,
                    stretch.t0 + (first + length - 1) / fs_hz,
                    grid.x_from(first),
                    self.spec.channels,
                    fs_hz,
                    grid.coverage_from(first),
                    self._received_s,
                    truth,
                    share,
                )
                self._ready.append(window)
                self._index += 1
                grid.next_end += self.spec.hop

    def _truth(self, labels: NDArray[np.int16]) -> tuple[str | None, float]:
        """The label most samples carry and its share; of equals the one with the lower code."""
        first = labels[0]
        if (labels == first).all():
            return (None, 0.0) if first == UNLABELLED else (self._label_names[first], 1.0)
        tally = np.bincount(labels[labels != UNLABELLED], minlength=1)
        winner = int(tally.argmax())
        return self._label_names[winner], float(tally[winner]) / len(labels)

    def _schedule(self) -> None:
        missing = self._grid.next_end - self._grid.size
        self._due_samples = max(1, math.floor(missing * self._fs_in_hz / self.spec.fs_hz))
        t0 = self._conditioner.t0 if self._conditioner else math.nan
        self._due_s = t0 + (self._grid.next_end - 1 - SNAP) / self.spec.fs_hz

    def _handed_out(self) -> list[Window]:
        ready, self._ready = self._ready, []
        return ready

    def state(self) -> dict[str, Any]:
        """Everything needed to go on elsewhere: plain values and arrays."""
        return {
            "stream": self._stream,
            "session": self._session,
            "channels": self._channels,
            "fs_in_hz": self._fs_in_hz,
            "label_names": self._label_names,
            "labelled": self._labelled,
            "next_seq": self._next_seq,
            "received_s": self._received_s,
            "newest_s": self._newest_s,
            "inbox_t": self._inbox_t[: self._inbox_size].copy(),
            "inbox_x": self._inbox_x[: self._inbox_size].copy(),
            "inbox_labels": self._inbox_labels[: self._inbox_size].copy(),
            "index": self._index,
            "closed": dict(self._closed),
            "conditioner": self._conditioner.state() if self._conditioner else None,
            "grid": self._grid.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken, with the same specification."""
        if state["session"] is None:
            return
        channels, names = tuple(state["channels"]), tuple(state["label_names"])
        none = SampleChunk(
            state["stream"],
            state["session"],
            np.empty(0),
            np.empty((0, len(channels)), np.float32),
            channels,
            state["fs_in_hz"],
            0,
            math.nan,
            None,
            names,
        )
        self._begin(none)
        self._labelled = state["labelled"]
        self._next_seq, self._received_s, self._newest_s = state["next_seq"], state["received_s"], state["newest_s"]
        size = self._inbox_size = len(state["inbox_t"])
        if size > len(self._inbox_t):
            self._grow(size)
        self._inbox_t[:size] = state["inbox_t"]
        self._inbox_x[:size] = state["inbox_x"]
        self._inbox_labels[:size] = state["inbox_labels"]
        self._index, self._closed = state["index"], dict(state["closed"])
        assert self._conditioner is not None
        self._conditioner.restore(state["conditioner"])
        self._grid.restore(state["grid"])
        self._schedule()
