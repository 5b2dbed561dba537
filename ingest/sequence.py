"""What became of every sample between a sender and us, told from the numbers it gave them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from kinestream.signals import SampleChunk

from .wire import EndOfStream


@dataclass(slots=True)
class _Stream:
    session: str
    name: str
    """The session's name as passed on: made new where the sender used it twice."""
    expected: int
    ended: bool = False


class SequenceTracker:
    """Counts the samples that never came, and keeps one session's name from standing for two.

    Joining late is no loss: counting begins with the first message of a stream. From then on a jump in
    the numbers is ``not_received``, as are the missing head of a later session and the missing tail of the
    last. Numbers that go back mean that the sender began anew under the same session name: counted as
    ``restarted``, and passed on as a new session, so that no window joins the two.
    """

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._names = Counter[tuple[str, str]]()
        self.counts: Counter[str] = Counter()

    @property
    def all_ended(self) -> bool:
        """Whether there were streams and every one has ended."""
        return bool(self._streams) and all(stream.ended for stream in self._streams.values())

    def take(self, chunk: SampleChunk) -> SampleChunk:
        """The chunk, under a new session name where its sender began anew."""
        known = self._streams.get(chunk.stream)
        if known is None or known.ended or known.session != chunk.session or chunk.seq < known.expected:
            if known is not None and not known.ended:
                self.counts["restarted"] += known.session == chunk.session
                self.counts["not_received"] += chunk.seq
            known = _Stream(chunk.session, self._new_name(chunk.stream, chunk.session), chunk.seq)
            self._streams[chunk.stream] = known
        self.counts["not_received"] += chunk.seq - known.expected
        known.expected = chunk.seq + len(chunk)
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

    def _new_name(self, stream: str, session: str) -> str:
        self._names[stream, session] += 1
        times = self._names[stream, session]
        return session if times == 1 else f"{session}#{times}"
