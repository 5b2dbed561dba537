"""Which streams have a place, where places are few and names come from strangers.

Places belong to streams that send. A newcomer takes the place of the stream that is silent for longest; a flood of
made-up names competes for a few places with itself, and moves no stream that has sent for a while. This is the
replacement policy 2Q (Johnson and Shasha, 1994) with time measured in signal: the same chunks give the same places, on
any machine and at any speed.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

MAX_STREAMS = 64
"""Streams that one process serves at the same time."""

SILENT_S = 10.0
"""Signal of the other streams after which a silent newcomer gives its place to another."""
PROVEN_SILENT_S = 60.0
"""The same for a stream that has sent for a while."""
PROVEN_AFTER = 16
"""A stream is proven if it still sends after as many other names have come up."""
REMEMBERED = 4096
"""Names without a place that are remembered, to recognise them when they send again."""


class LiveStreams:
    """The streams that have a place.

    Time is signal: each stream advances it by what it sends, streams that send side by side advance it together.

    Args:
        most: number of places.
        on_forget: called with the name of each stream that loses its place.

    >>> streams = LiveStreams(most=4)
    >>> [streams.touch(f"wrist-{number}", signal_s=5.0) for number in range(6)]
    [True, True, True, True, True, True]
    >>> list(streams)  # the first two have been silent for 15 s and more
    ['wrist-2', 'wrist-3', 'wrist-4', 'wrist-5']
    """

    def __init__(self, most: int = MAX_STREAMS, on_forget: Callable[[str], object] = lambda _: None) -> None:
        self._most = most
        self._most_proven = most - max(1, most // 8)
        self._on_forget = on_forget
        # Each in the order of the last samples.
        self._new: OrderedDict[str, _Life] = OrderedDict()
        self._proven: OrderedDict[str, _Life] = OrderedDict()
        self._without: OrderedDict[str, _Life] = OrderedDict()
        self._names = 0  # that have come up so far, refused ones included
        self._now_s = 0.0

    def __contains__(self, name: object) -> bool:
        return name in self._proven or name in self._new

    def __len__(self) -> int:
        return len(self._new) + len(self._proven)

    def __iter__(self) -> Iterator[str]:
        yield from self._proven
        yield from self._new

    def touch(self, name: str, signal_s: float) -> bool:
        """Take a stream's next samples, and return whether it has a place.

        Args:
            signal_s: how long the samples took; not negative.
        """
        life = self._proven.get(name)
        if life is not None:
            self._proven.move_to_end(name)
            self._age(life, signal_s)
            return True
        life = self._new.get(name)
        if life is not None:
            if self._is_provable(life) and self._make_room_for_proven():
                self._proven[name] = self._new.pop(name)
            else:
                self._new.move_to_end(name)
            self._age(life, signal_s)
            return True
        return self._enter(name, signal_s)

    def retire(self, name: str) -> None:
        """Give the place of a stream that has ended to the next that needs one, however short the silence is."""
        life = self._new.get(name) or self._proven.pop(name, None)
        if life is not None:
            life[_LAST_S] = -math.inf
            self._new[name] = life
            self._new.move_to_end(name, last=False)

    def forget(self, name: str) -> None:
        """Take the place of a stream that has ended; nothing happens if it has none."""
        if self._new.pop(name, None) or self._proven.pop(name, None):
            self._on_forget(name)

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere, as plain values."""
        kinds = {"new": self._new, "proven": self._proven, "without": self._without}
        lives = {kind: [(name, *life) for name, life in streams.items()] for kind, streams in kinds.items()}
        return {**lives, "names": self._names, "now_s": self._now_s}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        for kind, streams in (("new", self._new), ("proven", self._proven), ("without", self._without)):
            streams.clear()
            streams.update((name, list(life)) for name, *life in state[kind])
        self._names, self._now_s = state["names"], state["now_s"]

    def _enter(self, name: str, signal_s: float) -> bool:
        life = self._without.pop(name, None)
        if life is None:
            self._names += 1
            life = [self._names, self._now_s, self._now_s]
        is_proven = self._is_provable(life)
        has_place = len(self) < self._most or self._free_place(is_proven)
        if has_place and is_proven and self._make_room_for_proven():
            self._proven[name] = life
        elif has_place:
            self._new[name] = life
        else:
            self._remember(name, life)
        self._age(life, signal_s)
        return has_place

    def _free_place(self, for_proven: bool) -> bool:
        """Take the place of the stream that is silent for longest, if there is one.

        Args:
            for_proven: for a stream that lost its place although it sends: it gets the one of the latest newcomer.
        """
        if self._new and for_proven and len(self._proven) < self._most_proven:
            self._evict(self._new, next(reversed(self._new)))
            return True
        oldest = next(iter(self._new.items()), None)
        if oldest and self._now_s - oldest[1][_LAST_S] >= SILENT_S:
            self._evict(self._new, oldest[0])
            return True
        return self._evict_silent_proven()

    def _make_room_for_proven(self) -> bool:
        return len(self._proven) < self._most_proven or self._evict_silent_proven()

    def _evict_silent_proven(self) -> bool:
        oldest = next(iter(self._proven.items()), None)
        if oldest is None or self._now_s - oldest[1][_LAST_S] < PROVEN_SILENT_S:
            return False
        self._evict(self._proven, oldest[0])
        return True

    def _evict(self, streams: OrderedDict[str, _Life], name: str) -> None:
        self._remember(name, streams.pop(name))
        self._on_forget(name)

    def _remember(self, name: str, life: _Life) -> None:
        self._without[name] = life
        if len(self._without) > REMEMBERED:
            self._without.popitem(last=False)

    def _is_provable(self, life: _Life) -> bool:
        return self._names - life[_NUMBER] >= PROVEN_AFTER

    def _age(self, life: _Life, signal_s: float) -> None:
        """Advance the stream's own clock, which begins with its first samples, and time as far as it is ahead."""
        if self._now_s - life[_LAST_S] >= SILENT_S:
            life[_CLOCK_S] = self._now_s
        life[_CLOCK_S] += signal_s
        if life[_CLOCK_S] > self._now_s:
            self._now_s = life[_CLOCK_S]
        life[_LAST_S] = self._now_s


_Life = list[float]
"""The number of its name, its own clock, and the time of its last samples; a list is the fastest that can change."""
_NUMBER, _CLOCK_S, _LAST_S = range(3)
