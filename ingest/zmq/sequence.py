"""Loss tracking by sequence numbers: samples that never arrived, restarted senders, repeated messages."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field, replace

from kinestream.core.chunk_form import signal_s
from kinestream.core.live_streams import LiveStreams
from kinestream.core.signals import SampleChunk

from .wire import EndOfStream

MOST_SIGNAL_S = 5.0
"""A message counts for no more signal when places are given: its rate is only announced."""

MAX_NAMES = 4096
"""Number of epoch names remembered, to notice a name used twice; the oldest are forgotten."""

REMEMBERED = 16
"""Number of a stream's newest messages remembered, to recognise copies of them: a sender that is unsure what arrived
repeats a few."""

MAX_LATE = 4096
"""Most messages of an earlier epoch in a row that are late, about twice what two queues hold; if more come, their
sender is the one that is still there."""

EARLIER = 4
"""Number of earlier epochs of a stream whose late messages are recognised."""


@dataclass(slots=True)
class _Stream:
    epoch: str
    """The epoch's name as sent."""
    name: str
    """The epoch's name as passed on: a new one where the sender used its name twice."""
    expected: int
    """The number of the next sample."""
    newest: deque[tuple[str, int, float, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Epoch, number, send time and first sample time of the newest messages, which identify copies of them."""
    ended: bool = False
    refused: tuple[str, int] | None = None
    """The epoch and the next number of the last message that was refused as old."""
    earlier: dict[str, int] = field(default_factory=dict)
    """The earlier epochs by name, with the number of the next sample of each."""
    late_in_a_row: int = 0


class SequenceTracker:
    """Counter of samples that never arrived, which also keeps one name from standing for two epochs.

    Joining late is not a loss: counting begins with the first message of a stream. From then on, a jump in the numbers
    is counted as ``not_received``, as are the missing head of a later epoch and the missing tail of the last. Numbers
    that start at 0 again mean that the sender restarted under the same epoch name: the tracker counts ``restarted``
    and passes the samples on as a new epoch, so that no window joins the two. Any other message that goes back, in
    number or to an earlier epoch, is a replay of an old one: the tracker refuses it and counts it as ``repeated``.
    If the next message continues from there, the sender really restarted and the head was missed, unless both are exact
    copies of messages just received. Where senders connect to a receiver that is late, the queues of the broken and of
    the new connection are read in turns: samples that an earlier epoch had left to send are counted as ``late``.

    Args:
        expected: number of streams to expect; ``all_ended`` is false until that many have been seen.
        refuses: false where every message counts, but for exact copies: an old one begins a new epoch, and no stream is
            one too many.

    >>> import numpy as np
    >>> tracker = SequenceTracker()
    >>> for seq in (0, 20):
    ...     chunk = SampleChunk(
    ...         "wrist", "a", np.arange(10.0), np.zeros((10, 3), np.float32), ("x", "y", "z"), 50.0, seq, 0.0
    ...     )
    ...     _ = tracker.take(chunk)
    >>> tracker.counts["not_received"]
    10
    """

    def __init__(self, expected: int = 1, *, refuses: bool = True) -> None:
        self._expected = expected
        self._refuses = refuses
        self._streams: dict[str, _Stream] = {}
        self._places = LiveStreams(on_forget=self._forget)
        self._gone = 0  # streams that lost their place
        self._names = OrderedDict[tuple[str, str], int]()
        self.counts: Counter[str] = Counter()

    @property
    def has_streams(self) -> bool:
        return bool(self._streams)

    @property
    def all_ended(self) -> bool:
        """Whether all expected streams have been seen and every stream has ended."""
        seen = len(self._streams) + self._gone
        return seen >= self._expected and all(stream.ended for stream in self._streams.values())

    def take(self, chunk: SampleChunk) -> SampleChunk | None:
        """Return the chunk, under a new epoch name if its sender restarted; None if it is refused.

        A new stream gets the place of a silent one; while all ``MAX_STREAMS`` send, it is refused.
        """
        if self._refuses and not self._places.touch(chunk.stream, min(signal_s(chunk), MOST_SIGNAL_S)):
            self.counts["too_many_streams"] += 1
            return None
        stream = self._streams.get(chunk.stream)
        if stream is None or stream.ended or stream.epoch != chunk.session or chunk.seq < stream.expected:
            if stream is not None and (self._is_old(stream, chunk) if self._refuses else self._is_copy(stream, chunk)):
                self.counts["repeated"] += not self._refuses
                return None
            stream = self._start_epoch(stream, chunk)
        self.counts["not_received"] += chunk.seq - stream.expected
        stream.expected = chunk.seq + len(chunk)
        stream.late_in_a_row = 0
        stream.newest.append((chunk.session, chunk.seq, chunk.received_s, chunk.t.item(0)))
        return chunk if stream.name == chunk.session else replace(chunk, session=stream.name)

    def end(self, end: EndOfStream) -> None:
        """Record the end of a stream; samples missing at the tail of its epoch count as ``not_received``."""
        stream = self._streams.get(end.stream)
        if stream is None or end.session in stream.earlier:
            return
        if stream.epoch == end.session:
            self.counts["not_received"] += max(end.seq - stream.expected, 0)
            stream.expected = max(end.seq, stream.expected)
        stream.ended = True
        self._places.retire(end.stream)

    def _forget(self, name: str) -> None:
        if self._streams.pop(name, None):
            self._gone += 1

    def forget(self, stream: str) -> None:
        """Forget a stream: the next message of this name begins another."""
        self._streams.pop(stream, None)

    def _is_old(self, stream: _Stream, chunk: SampleChunk) -> bool:
        """Return whether a message out of sequence is an old one; count and remember it if so."""
        if stream.ended or not (stream.epoch == chunk.session or (chunk.stream, chunk.session) in self._names):
            return False
        if self._is_late(stream, chunk):
            return True
        if not self._is_copy(stream, chunk):
            if chunk.seq == 0 or stream.refused == (chunk.session, chunk.seq):
                return False
            stream.refused = (chunk.session, chunk.seq + len(chunk))
        self.counts["repeated"] += 1
        return True

    @staticmethod
    def _is_copy(stream: _Stream, chunk: SampleChunk) -> bool:
        """Return whether a message is an exact copy of one that has just come."""
        message = (chunk.session, chunk.seq, chunk.received_s, chunk.t.item(0))
        # A recording sent again from its first message on looks like copies of itself: that message is a restart.
        return message in stream.newest if chunk.seq else message == stream.newest[-1]

    def _is_late(self, stream: _Stream, chunk: SampleChunk) -> bool:
        """Return whether a message is one that an earlier epoch had left to send; count and remember it if so."""
        next_seq = stream.earlier.get(chunk.session)
        if next_seq is None or chunk.seq < next_seq or stream.late_in_a_row >= MAX_LATE:
            return False
        stream.late_in_a_row += 1
        stream.earlier[chunk.session] = chunk.seq + len(chunk)
        self.counts["not_received"] += chunk.seq - next_seq
        self.counts["late"] += len(chunk)
        return True

    def _start_epoch(self, stream: _Stream | None, chunk: SampleChunk) -> _Stream:
        if stream is not None and not stream.ended:
            self.counts["restarted"] += stream.epoch == chunk.session
            if self._refuses or stream.epoch != chunk.session:
                self.counts["not_received"] += chunk.seq
        new = _Stream(chunk.session, self._new_name(chunk.stream, chunk.session), chunk.seq)
        if stream is not None and not stream.ended:
            new.newest = stream.newest
            earlier = {**stream.earlier, stream.epoch: stream.expected}
            earlier.pop(chunk.session, None)
            new.earlier = dict(list(earlier.items())[-EARLIER:])
        self._streams[chunk.stream] = new
        return new

    def _new_name(self, stream: str, epoch: str) -> str:
        times = self._names.pop((stream, epoch), 0) + 1
        self._names[stream, epoch] = times
        if len(self._names) > MAX_NAMES:
            self._names.popitem(last=False)
        return epoch if times == 1 else f"{epoch}#{times}"
