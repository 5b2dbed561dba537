"""What became of every sample between a sender and us, told from the numbers it gave them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from math import nan

from kinestream.core.signals import SampleChunk

from .wire import EndOfStream

MAX_STREAMS = 64
"""More streams than this from one source are a mistake or an attack, not wearers; the pipeline takes no more."""

MAX_NAMES = 4096
"""Session names remembered, so that a name used twice is noticed; the oldest are forgotten."""


@dataclass(slots=True)
class _Stream:
    session: str
    name: str
    """The session's name as passed on: made new where the sender used it twice."""
    expected: int
    newest: tuple[float, float] = (nan, nan)
    """When the newest message was sent and its first sample taken: what a copy of it has, too."""
    ended: bool = False
    came_back: tuple[str, int] | None = None
    """The session and the next number of the last message that was refused as old."""


class SequenceTracker:
    """Counts the samples that never came, and keeps one session's name from standing for two.

    Joining late is no loss: counting begins with the first message of a stream. From then on a jump in
    the numbers is ``not_received``, as are the missing head of a later session and the missing tail of the
    last. Numbers that begin at 0 again mean that the sender began anew under the same session name: counted as
    ``restarted``, and passed on as a new session, so that no window joins the two. Any other message that goes
    back, in number or to an earlier session, is refused and counted as ``repeated`` messages: somebody plays old
    ones again. If the message after it goes on from there, the sender really began anew and its head was missed.

    Args:
        expected: streams that are there sooner or later: before so many were heard of, not all have ended.
    """

    def __init__(self, expected: int = 1) -> None:
        self._expected = expected
        self._streams: dict[str, _Stream] = {}
        self._names = OrderedDict[tuple[str, str], int]()
        self.counts: Counter[str] = Counter()

    @property
    def has_streams(self) -> bool:
        return bool(self._streams)

    @property
    def all_ended(self) -> bool:
        """Whether there were as many streams as expected and every one has ended."""
        return len(self._streams) >= self._expected and all(stream.ended for stream in self._streams.values())

    def take(self, chunk: SampleChunk) -> SampleChunk | None:
        """The chunk, under a new session name where its sender began anew; None if it was refused."""
        known = self._streams.get(chunk.stream)
        if known is None or known.ended or known.session != chunk.session or chunk.seq < known.expected:
            if known is None and len(self._streams) >= MAX_STREAMS:
                self.counts["too_many_streams"] += 1
                return None
            if known is not None and self._is_old(known, chunk):
                return None
            known = self._begin(known, chunk)
        self.counts["not_received"] += chunk.seq - known.expected
        known.expected = chunk.seq + len(chunk)
        known.newest = (chunk.received_s, chunk.t.item(0))
        return chunk if known.name == chunk.session else replace(chunk, session=known.name)

    def end(self, end: EndOfStream) -> None:
        """Note that a stream has ended; samples of its session that never came are lost."""
        known = self._streams.get(end.stream)
        if known is None:
            return
        if known.session == end.session:
            self.counts["not_received"] += max(end.seq - known.expected, 0)
            known.expected = max(end.seq, known.expected)
        known.ended = True

    def _is_old(self, known: _Stream, chunk: SampleChunk) -> bool:
        """Whether a message that does not simply go on is an old one; if so it is counted and remembered."""
        if known.ended or not (known.session == chunk.session or (chunk.stream, chunk.session) in self._names):
            return False
        is_copy = (known.session, known.expected, *known.newest) == (
            chunk.session,
            chunk.seq + len(chunk),
            chunk.received_s,
            chunk.t.item(0),
        )
        if not is_copy and (chunk.seq == 0 or known.came_back == (chunk.session, chunk.seq)):
            return False
        known.came_back = (chunk.session, chunk.seq + len(chunk))
        self.counts["repeated"] += 1
        return True

    def _begin(self, known: _Stream | None, chunk: SampleChunk) -> _Stream:
        if known is not None and not known.ended:
            self.counts["restarted"] += known.session == chunk.session
            self.counts["not_received"] += chunk.seq
        begun = _Stream(chunk.session, self._new_name(chunk.stream, chunk.session), chunk.seq)
        self._streams[chunk.stream] = begun
        return begun

    def _new_name(self, stream: str, session: str) -> str:
        times = self._names.pop((stream, session), 0) + 1
        self._names[stream, session] = times
        if len(self._names) > MAX_NAMES:
            self._names.popitem(last=False)
        return session if times == 1 else f"{session}#{times}"
