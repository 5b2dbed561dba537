"""Where relayed messages come from: the streams of each journal, their names, and copies of journals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from kinestream.core.live_streams import MAX_STREAMS

from ..zmq.sequence import SequenceTracker
from ..zmq.wire import EndOfStream
from .journal import HALF
from .wire import RelayMessage

SILENT_S = 60.0
"""Silence after which a stream may lose its place to another, when there are too many."""

RETURNS = 3
"""Times that another process than the last one says HELLO, from which on they are two at a time. A HELLO that waited
in a broken connection is one, and its successor's next a second."""

MAX_PROCESSES = 16


@dataclass(slots=True, eq=False)
class Line:
    """Streams that continue each other: those of a journal, over all starts of its relay."""

    mark: str
    """Distinguishes a stream of this line from another line's of the same name."""
    tracker: SequenceTracker = field(default_factory=lambda: SequenceTracker(refuses=False))
    names: dict[str, str] = field(default_factory=dict)
    """The names of the streams as passed on."""


@dataclass(slots=True, eq=False)
class _Origin:
    """A journal, or several copies of one."""

    lines: dict[int, Line]
    """The line of each relay process that sends, oldest first."""
    shared: Line
    """The line of the processes that follow each other."""
    routes: dict[int, bytes] = field(default_factory=dict)
    last: int = 0
    """The process that said HELLO last."""
    returns: int = 0
    thrown_away: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Place:
    """A place among the streams."""

    line: Line
    stream: str
    heard_s: float
    ended: bool = False


class Origins:
    """The origins of all relayed messages.

    Args:
        counts: gets ``too_many_streams``, ``copied_journals`` and ``thrown_away_by_relay``.
        clock: monotonic seconds.
    """

    def __init__(self, counts: Counter[str], clock: Callable[[], float]) -> None:
        self._counts, self._clock = counts, clock
        self._origins: dict[bytes, _Origin] = {}
        self._places: dict[str, _Place] = {}  # by the name as passed on
        self._notices: dict[bytes, str] = {}

    @property
    def all_ended(self) -> bool:
        """Whether there was a stream and every stream has ended."""
        return bool(self._places) and all(place.ended for place in self._places.values())

    def greet(self, route: bytes, hello: RelayMessage) -> list[tuple[bytes, bool]]:
        """Note a HELLO.

        Returns:
            The routes of processes with copies of one journal, if that is noticed now, and whether each should take an
            identity of its own.
        """
        origin, process = self._origin(hello), hello.turn >> 32
        thrown_away = origin.thrown_away.get(process, 0)
        if hello.extra < thrown_away:  # an old relay, which names no process and counts since its start
            self._counts["thrown_away_by_relay"] += thrown_away
        origin.thrown_away[process] = hello.extra
        is_known = process in origin.routes
        origin.routes[process] = route
        if process == origin.last or origin.lines[process] is not origin.shared:
            return []
        origin.returns += is_known
        origin.last = process
        if origin.returns < RETURNS:
            return []
        origin.returns = 0
        self._note(hello.journal, "two relays send under the identity of one journal")
        together = [number for number in origin.routes if origin.lines[number] is origin.shared]
        newest = together[-1]
        origin.lines[newest] = Line(f"{newest:08x}")
        origin.last = together[0]
        return [(origin.routes[number], number == newest) for number in together]

    def note_copy(self, journal: bytes) -> None:
        """Note that a relay has less in its journal than was acknowledged."""
        self._note(journal, "a relay has an older state of its journal than the one that was acknowledged here")

    def line(self, data: RelayMessage) -> Line:
        """Return the line to which a message belongs."""
        origin, process = self._origin(data), data.turn >> 32
        return origin.lines[process]

    def name(self, line: Line, stream: str) -> str:
        """Return a stream's name, with the line's mark if another line uses the name; "" if there is no place.

        When all places are taken, a stream that has ended, or is silent for long, loses its own.
        """
        name = line.names.get(stream, "")
        if not name:
            if len(self._places) >= MAX_STREAMS and not self._make_room():
                self._counts["too_many_streams"] += 1
                return ""
            name = f"{stream}@{line.mark}" if stream in self._places else stream
            line.names[stream] = name
            self._places[name] = _Place(line, stream, 0.0)
        place = self._places[name]
        place.heard_s, place.ended = self._clock(), False
        return name

    def end(self, line: Line, end: EndOfStream) -> None:
        """Note the end of a stream."""
        line.tracker.end(end)
        if place := self._places.get(line.names.get(end.stream, "")):
            place.ended = True

    def left(self, journal: bytes, others: Container[bytes]) -> None:
        """Forget an origin without streams: its relay has lost its place."""
        origin = self._origins.get(journal[:HALF])
        if origin and not any(line.names for line in origin.lines.values()):
            self._remove(journal[:HALF])

    def counts(self) -> Counter[str]:
        """Return what the streams lack."""
        total = Counter[str]()
        for origin in self._origins.values():
            for line in {id(line): line for line in origin.lines.values()}.values():
                total.update(line.tracker.counts)
            total["thrown_away_by_relay"] += sum(origin.thrown_away.values())
        return total

    def notices(self) -> list[str]:
        """Return what the user should know, one line each."""
        return list(self._notices.values())

    def _origin(self, message: RelayMessage) -> _Origin:
        half, process = message.journal[:HALF], message.turn >> 32
        origin = self._origins.get(half)
        if origin is None:
            origin = self._origins[half] = _Origin({process: (line := Line(half.hex()[:8]))}, line, last=process)
        elif process not in origin.lines:  # the relay has started again: its streams go on
            origin.lines[process] = origin.shared
            for gone in list(origin.lines)[: max(0, len(origin.lines) - MAX_PROCESSES)]:
                del origin.lines[gone]
                origin.routes.pop(gone, None)
                self._counts["thrown_away_by_relay"] += origin.thrown_away.pop(gone, 0)
        return origin

    def _note(self, journal: bytes, what: str) -> None:
        self._counts["copied_journals"] += 1
        self._notices[journal[:HALF]] = (
            f"{what} ({journal.hex()[:8]}): its folder was copied, or lost its newest part. Nothing is lost here; some "
            "samples may come twice, and the copy's streams get names of their own"
        )

    def _make_room(self) -> bool:
        now_s = self._clock()
        idle = [item for item in self._places.items() if item[1].ended or now_s - item[1].heard_s > SILENT_S]
        if not idle:
            return False
        name, place = min(idle, key=lambda item: (not item[1].ended, item[1].heard_s))
        del self._places[name]
        del place.line.names[place.stream]
        place.line.tracker.forget(place.stream)
        return True

    def _remove(self, half: bytes) -> None:
        origin = self._origins.pop(half)
        for line in {id(line): line for line in origin.lines.values()}.values():
            self._counts.update(line.tracker.counts)
        self._counts["thrown_away_by_relay"] += sum(origin.thrown_away.values())
