"""Reordering of messages by their numbers: each once, with missing ones declared lost after a while."""

from __future__ import annotations

from collections import Counter
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

PATIENCE_S = 3.0
"""Maximum wait for a missing message once later ones have arrived."""
MAX_WAITING = 256
"""Maximum number of messages that wait for a missing one."""
MAX_AHEAD = 1_000_000
"""Maximum jump in the numbers; at five messages a second it would be two days, so a larger one is a mistake."""
MAX_REMEMBERED = 10_000
"""Number of lost messages remembered, to tell a late message from a repeated one."""


class Turn(NamedTuple, Generic[Item]):
    """A message released in order."""

    item: Item
    received_s: float
    lost_before: int
    """Number of messages given up directly before it."""


class _Waiting(NamedTuple, Generic[Item]):
    item: Item
    received_s: float


class Reorder(Generic[Item]):
    """Reordering buffer for the messages of a recording. Pure: the caller passes the time.

    The first number of a recording is unknown, so the buffer waits some seconds for earlier messages, unless it is 0.

    >>> reorder = Reorder[str]()
    >>> [turn.item for turn in reorder.push(0, "a", now_s=0.0)]
    ['a']
    >>> [turn.item for turn in reorder.push(2, "c", now_s=0.1)]
    []
    >>> [turn.item for turn in reorder.push(1, "b", now_s=0.2)]
    ['b', 'c']
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._waiting: dict[int, _Waiting[Item]] = {}
        self._next: int | None = None
        self._first = 0  # the first released number; earlier messages can only arrive late
        self._lost: dict[int, None] = {}
        self._closed = False
        self.counts: Counter[str] = Counter()
        """``messages_lost``; among them ``messages_late``, which arrived after they were given up;
        ``messages_repeated``, received more than once; ``messages_out_of_order``, sorted into place."""

    def fits(self, number: int) -> bool:
        """Return whether the number is plausible after the ones before."""
        newest = max(self._waiting, default=self._next)
        return newest is None or number <= newest + MAX_AHEAD

    def push(self, number: int, item: Item, now_s: float) -> list[Turn[Item]]:
        """Add a message; return the messages it releases, in order."""
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
        """Return the messages released because a missing one is given up, in order."""
        turns = self._release(0)
        while self._waiting and self._must_give_up(now_s):
            turns += self._skip()
        return turns

    def close(self) -> list[Turn[Item]]:
        """Return all waiting messages, in order; later messages count as late."""
        self._closed = True
        turns: list[Turn[Item]] = []
        while self._waiting:
            turns += self._skip()
        return turns

    def _must_give_up(self, now_s: float) -> bool:
        if len(self._waiting) > MAX_WAITING:
            return True
        return now_s - min(waiting.received_s for waiting in self._waiting.values()) >= self._patience_s

    def _skip(self) -> list[Turn[Item]]:
        """Give up the messages missing before the first waiting one, and return the released messages."""
        first = min(self._waiting)
        if self._next is None:
            self._first = first
            self._remember_lost(0, first)
            self._next = first
        return self._release(self._give_up(first))

    def _give_up(self, until: int) -> int:
        """Declare the missing messages before this number lost; return how many."""
        lost = until - (self._next or 0)
        self.counts["messages_lost"] += lost
        self._remember_lost(until - lost, until)
        self._next = until
        return lost

    def _remember_lost(self, start: int, stop: int) -> None:
        """Remember the numbers from ``start`` to ``stop`` as lost."""
        self._lost.update(dict.fromkeys(range(max(start, stop - MAX_REMEMBERED), stop)))
        while len(self._lost) > MAX_REMEMBERED:
            del self._lost[next(iter(self._lost))]

    def _release(self, lost_before: int) -> list[Turn[Item]]:
        """Return the consecutive messages from the next number on."""
        turns: list[Turn[Item]] = []
        while self._next is not None and self._next in self._waiting:
            item, received_s = self._waiting.pop(self._next)
            turns.append(Turn(item, received_s, lost_before))
            lost_before = 0
            self._next += 1
        return turns
