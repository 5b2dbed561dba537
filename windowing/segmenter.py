"""Cut one stream into the windows that a model reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import InputMismatch
from kinestream.core.signals import ACC, UNLABELLED, SampleChunk, Window

from .conditioner import Conditioner, Stretch
from .grid_buffer import GridBuffer
from .resample import SNAP
from .views import Views
from .walking_up import WalkingUp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec

COUNTED = ("samples", "windows", "gaps", "lost", "interpolated", "not_finite", "out_of_order")


class Segmenter:
    """Cuts the windows of one stream, equal to the last bit however the stream is divided into chunks.

    The push that brings a window's last sample returns the window. Until a window is due, samples are only collected,
    because processing them together costs less than chunk by chunk; ``counts`` can therefore lag by up to one hop
    until ``flush``.

    Within an epoch, a change of the channels or of the label names is a gap. A change of the rate is not: a policy can
    slow the sensor down, and windows continue.

    Args:
        spec: the model's input; ``spec.hop`` is the distance of two windows.
        any_rate: accept a source of any rate.

    >>> from kinestream.core.input_spec import InputSpec
    >>> from kinestream.core.signals import ACC
    >>> t, x = np.arange(200) / 50.0, np.zeros((200, 3), np.float32)
    >>> Segmenter(InputSpec(ACC, 50.0, length=128, hop=64)).push(SampleChunk("wrist", "a", t, x, ACC, 50.0, 0, 4.0))
    [<Window 0 of 'wrist': 0.00 to 2.54 s, 128 x 3 at 50 Hz>, <Window 1 of 'wrist': 1.28 to 3.82 s, 128 x 3 at 50 Hz>]
    """

    def __init__(self, spec: InputSpec, *, any_rate: bool = False) -> None:
        self.spec = spec
        self._any_rate = any_rate
        self._stream = ""
        self._epoch: str | None = None
        self._channels: tuple[str, ...] = ()
        self._fs_in_hz = 0.0
        self._conditioner: Conditioner | None = None
        self._columns: list[int] | None = None  # indices of the source columns that are needed; None for all in order
        self._label_names: tuple[str, ...] = ()
        self._next_seq = 0
        self._received_s = math.nan
        self._inbox_t = np.empty(0)
        self._inbox_x = np.empty((0, 0), np.float32)
        self._inbox_labels = np.empty(0, np.int16)
        self._inbox_size = 0
        self._labelled = False
        self._newest_s = math.nan  # time of the last sample of the last chunk
        self._due_s = math.nan  # time of the next window's last sample; NaN if unknown
        self._due_samples = 1  # about how many samples that is
        self._ready: list[Window] = []
        self._index = 0
        names = spec.stream_channels
        self._grid = GridBuffer(spec.length, len(names))
        self._views = Views(spec) if spec.has_views else None
        self._acc = [names.index(name) for name in ACC] if spec.reads_acc else []
        self._up = WalkingUp(spec.fs_hz) if spec.reads_acc else None
        self._closed: dict[str, int] = dict.fromkeys(COUNTED, 0)  # counts of finished epochs

    def push(self, chunk: SampleChunk) -> list[Window]:
        """Return the windows that this chunk completes, in order; usually none.

        Raises:
            InputMismatch: the stream lacks a channel that the model needs, or is too slow for it.
        """
        t, labels = chunk.t, chunk.labels
        if chunk.session != self._epoch or chunk.channels != self._channels:
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
        # A clock that was set back makes ``due_s`` invalid.
        if stop >= self._due_samples or not self._newest_s <= newest_s < self._due_s:
            self._work()
        self._newest_s = newest_s
        return self._take_ready() if self._ready else []

    def flush(self) -> list[Window]:
        """Return the windows still to come when no chunk follows, and bring ``counts`` up to date."""
        self._work()
        return self._take_ready()

    def counts(self) -> dict[str, int]:
        """Return the number of samples so far by what happened to them (``COUNTED``)."""
        counts: dict[str, int] = dict(self._closed)
        if self._conditioner:
            for kind in ("gaps", "interpolated", "not_finite", "out_of_order"):
                counts[kind] += getattr(self._conditioner, kind)
        counts["samples"] += self._inbox_size
        return counts

    @property
    def resets(self) -> int:
        """How often the known direction of up was given up, to be learnt again."""
        return self._up.resets if self._up else 0

    def _begin(self, chunk: SampleChunk) -> None:
        """Process the samples so far, then restart with a new epoch, or after a break within one."""
        if chunk.x.ndim != 2 or chunk.x.shape[1] != len(chunk.channels):
            raise InputMismatch(
                f"stream {chunk.stream}: samples of shape {chunk.x.shape} with {len(chunk.channels)} channel names; "
                "expected one column per name"
            )
        conditioner = Conditioner(self.spec, chunk.channels, chunk.fs_hz)
        self._check_rate(chunk.fs_hz)
        self._work()
        self._closed = self.counts()
        self._closed["samples"] -= self._inbox_size
        is_new_epoch = self._epoch != chunk.session
        self._conditioner = conditioner
        self._stream, self._epoch = chunk.stream, chunk.session
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
        if is_new_epoch:
            self._index = 0
            self._next_seq = chunk.seq
        else:
            self._closed["gaps"] += 1

    def _retune(self, fs_in_hz: float) -> None:
        """Continue the epoch at another rate."""
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
        """Pass the collected samples through the conditioner and cut the windows they complete."""
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
                    if self._up:
                        self._up.begin(stretch.t0)
                self._cut(stretch)
        self._closed["windows"] += len(self._ready) - ready
        self._schedule()

    def _cut(self, stretch: Stretch) -> None:
        grid, length, fs_hz = self._grid, self.spec.length, self.spec.fs_hz
        if self._up:
            self._up.push(stretch.x[:, self._acc])
        for done in range(0, len(stretch.x), grid.room):
            grid.append(stretch, done, min(done + grid.room, len(stretch.x)))
            while grid.next_end <= grid.size:
                first = grid.next_end - length
                up = self._up.at(grid.next_end) if self._up else None
                x = grid.x_from(first)
                truth, share = self._truth(grid.labels_from(first)) if grid.labelled else (None, 0.0)
                window = Window(
                    self._stream,
                    self._epoch or "",
                    self._index,
                    stretch.t0 + first / fs_hz,
                    stretch.t0 + (first + length - 1) / fs_hz,
                    self._views.columns(x, up) if self._views else x,
                    self.spec.channels,
                    fs_hz,
                    grid.coverage_from(first),
                    self._received_s,
                    truth,
                    share,
                    up,
                    self._up.moved if self._up else 0,
                )
                self._ready.append(window)
                self._index += 1
                grid.next_end += self.spec.hop

    def _truth(self, labels: NDArray[np.int16]) -> tuple[str | None, float]:
        """The most frequent label and its share; ties go to the lower code."""
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

    def _take_ready(self) -> list[Window]:
        ready, self._ready = self._ready, []
        return ready

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere: plain values and arrays."""
        return {
            "stream": self._stream,
            "session": self._epoch,
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
            "up": self._up.state() if self._up else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken, with the same specification."""
        if state["session"] is None:
            return
        channels, names = tuple(state["channels"]), tuple(state["label_names"])
        empty = SampleChunk(
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
        self._begin(empty)
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
        if self._up and state.get("up"):
            self._up.restore(state["up"])
        self._schedule()
