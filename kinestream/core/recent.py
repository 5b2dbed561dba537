"""A dictionary that holds the most recently used keys, for what is kept under names that strangers make up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_NAMES = 256
"""Names kept by default, four times the streams that are served at once."""


class Recent(OrderedDict[K, V]):
    """Keeps at most so many keys; the one used longest ago goes first.

    >>> last_seq = Recent[str, int](most=2)
    >>> last_seq["wrist"], last_seq["hip"] = 10, 20
    >>> last_seq.get("wrist"), last_seq.setdefault("ankle", 30)
    (10, 30)
    >>> list(last_seq)
    ['wrist', 'ankle']
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        super().__init__()

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of a key, which counts as a use."""
        if key not in self:
            return default
        self.move_to_end(key)
        return self[key]
