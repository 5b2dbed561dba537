"""Messages in the order in which they were sent: each once, the missing ones declared lost after a while."""

from __future__ import annotations

from collections import Counter
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

PATIENCE_S = 3.0
"""How long a missing message is awaited while later ones are there."""
MAX_WAITING = 256
"""So many messages are kept for a missing one."""
MAX_AHEAD = 1_000_000
"""A number further ahead is a mistake: at five messages a second it would be two days."""
MAX_REMEMBERED = 10_000
"""Of so many lost messages it is known that they were lost, and not handed out."""


class Turn(NamedTuple, Generic[Item]):
    """A message whose turn it is."""

    item: Item
    received_s: float
    lost_before: int
    """Messages between it and the one before that were given up."""


class _Waiting(NamedTuple, Generic[Item]):
    item: Item
    received_s: float


class Reorder(Generic[Item]):
    """The messages of one session. Pure: the caller tells the time.

    The first number is not known: some seconds are given to earlier ones, unless it is 0.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._waiting: dict[int, _Waiting[Item]] = {}
        self._next: int | None = None
        self._first = 0  # of those handed out; earlier ones nobody knew of until they came too late
        self._lost: dict[int, None] = {}
        self._closed = False
        self.counts: Counter[str] = Counter()
        """``messages_lost``; of them ``messages_late``, which came when they had been given up; ``messages_repeated``,
        which had been there before; ``messages_out_of_order``, put in their place."""

    def fits(self, number: int) -> bool:
        """Whether a message of this number makes sense here."""
        newest = max(self._waiting, default=self._next)
        return newest is None or number <= newest + MAX_AHEAD

    def push(self, number: int, item: Item, now_s: float) -> list[Turn[Item]]:
        """Take a message; those whose turn it now is."""
        if number in self._waiting:
            self.counts["messages_repeated"] += 1
        elif self._next is not None and number < self._next:
            if number not in self._lost:
                self.counts["messages_repeated"] += 1
            else:
                del self._lost[number]
                self.counts["messages_late"] += 1
                if number < self._first:
                    self.counts["messages_lost"] += self._first - number
                    self._first = number
        elif self._closed:
            self.counts["messages_late"] += 1
            self._give_up(number + 1)
            del self._lost[number]
        else:
            if number < max(self._waiting, default=number):
                self.counts["messages_out_of_order"] += 1
            self._waiting[number] = _Waiting(item, now_s)
            if self._next is None and number == 0:
                self._next = 0
        return self.due(now_s)

    def due(self, now_s: float) -> list[Turn[Item]]:
        """The messages whose turn has come because a missing one was given up."""
        turns = self._run(0)
        while self._waiting and self._is_over(now_s):
            turns += self._skip()
        return turns

    def close(self) -> list[Turn[Item]]:
        """Everything that still waits; what comes after this is late."""
        self._closed = True
        turns: list[Turn[Item]] = []
        while self._waiting:
            turns += self._skip()
        return turns

    def _is_over(self, now_s: float) -> bool:
        if len(self._waiting) > MAX_WAITING:
            return True
        return now_s - min(waiting.received_s for waiting in self._waiting.values()) >= self._patience_s

    def _skip(self) -> list[Turn[Item]]:
        """Give up what is missing before the first that waits."""
        first = min(self._waiting)
        if self._next is None:
            self._first = first
            self._note(0, first)
            self._next = first
        return self._run(self._give_up(first))

    def _give_up(self, until: int) -> int:
        """Nothing before this number is awaited any more; how many were."""
        lost = until - (self._next or 0)
        self.counts["messages_lost"] += lost
        self._note(until - lost, until)
        self._next = until
        return lost

    def _note(self, start: int, stop: int) -> None:
        """Remember that these were not handed out."""
        self._lost.update(dict.fromkeys(range(max(start, stop - MAX_REMEMBERED), stop)))
        while len(self._lost) > MAX_REMEMBERED:
            del self._lost[next(iter(self._lost))]

    def _run(self, lost_before: int) -> list[Turn[Item]]:
        turns: list[Turn[Item]] = []
        while self._next is not None and self._next in self._waiting:
            item, received_s = self._waiting.pop(self._next)
            turns.append(Turn(item, received_s, lost_before))
            lost_before = 0
            self._next += 1
        return turns
