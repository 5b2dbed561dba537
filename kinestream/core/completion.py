"""Completion of chunks by several consumers: a chunk is done when each of them is done with it, and all before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Completion:
    """Tokens of chunks, numbered in the order in which the source handed them out.

    Args:
        consumers: the names of those who must be done with a chunk.
        release: called with the number of further chunks that are done, oldest first; ``Acknowledging.done``.

    >>> released = []
    >>> completion = Completion(["pipeline", "recorder"], released.append)
    >>> completion.done("pipeline", range(0, 5))
    >>> completion.done("recorder", [0, 1, 3])
    >>> released
    [2]
    """

    def __init__(self, consumers: Iterable[str], release: Callable[[int], None]) -> None:
        self._next = dict.fromkeys(consumers, 0)  # of each consumer: the first chunk that it is not done with
        self._ahead: dict[str, set[int]] = {name: set() for name in self._next}
        self._release = release
        self._released = 0
        self._withheld: int | None = None

    def done(self, consumer: str, chunks: Iterable[int]) -> None:
        """Note that a consumer is done with these chunks, in any order."""
        ahead = self._ahead[consumer]
        ahead.update(chunks)
        while self._next[consumer] in ahead:
            ahead.remove(self._next[consumer])
            self._next[consumer] += 1
        upto = min(self._next.values())
        if self._withheld is not None:
            upto = min(upto, self._withheld)
        if upto > self._released:
            count, self._released = upto - self._released, upto
            self._release(count)

    def withhold(self, chunk: int) -> None:
        """Never release this chunk or a later one: part of it was left out."""
        self._withheld = chunk if self._withheld is None else min(chunk, self._withheld)
