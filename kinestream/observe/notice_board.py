"""Which notices are new, which hold, and which are over: each comes up once. Pure; the caller brings the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .findings import Notice

HOLD_S = 2.0
"""A finding must last this long before it is announced: at the start of a stream much is still unknown."""
OVER_S = 5.0
"""A finding that is absent for this long is over."""
MOST = 256
"""Limit of memory: sources may make up names."""


@dataclass(slots=True)
class _Entry:
    notice: Notice
    first_s: float
    last_s: float
    announced: bool = False


class NoticeBoard:
    """Remembers the notices about all streams of a run.

    A finding of the same check about the same stream is the same notice, whatever its figures are by now. What a source
    remarks is identified by its words.

    >>> from .findings import warning
    >>> rate = Notice("wrist", warning("rate", "rate 48.5 Hz, announced 50", ""))
    >>> board = NoticeBoard()
    >>> board.see(0.0, [rate]), board.see(2.0, [rate]) == [rate], board.see(3.0, [rate])
    ([], True, [])
    >>> board.see(9.0, []), board.present(), board.past()
    ([], [], ['wrist: rate 48.5 Hz, announced 50 (over after 3 s)'])
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], _Entry] = {}
        self._past: dict[tuple[str, str, str], str] = {}

    def see(self, now_s: float, found: Iterable[Notice]) -> list[Notice]:
        """Take the findings of this moment; return the notices to announce.

        Args:
            now_s: seconds on any steady clock.
        """
        new: list[Notice] = []
        for notice in found:
            key = _key(notice)
            entry = self._entries.get(key)
            if entry is None:
                if len(self._entries) + len(self._past) >= MOST:
                    continue
                entry = self._entries[key] = _Entry(notice, now_s, now_s)
            entry.notice, entry.last_s = notice, now_s
            if not entry.announced and now_s - entry.first_s >= HOLD_S:
                entry.announced = True
                if self._past.pop(key, None) is None:
                    new.append(notice)
        for key, entry in list(self._entries.items()):
            if now_s - entry.last_s >= OVER_S or not (entry.announced or entry.last_s == now_s):
                del self._entries[key]
                if entry.announced:
                    self._past[key] = f"{entry.notice} (over after {entry.last_s - entry.first_s:.0f} s)"
        return new

    def close(self, now_s: float, found: Iterable[Notice]) -> list[Notice]:
        """Take the findings at the end of a run, which need not last; return the notices to announce."""
        new = self.see(now_s, found)
        for entry in self._entries.values():
            if not entry.announced and entry.last_s == now_s:
                entry.announced = True
                if self._past.pop(_key(entry.notice), None) is None:
                    new.append(entry.notice)
        return new

    def present(self) -> list[Notice]:
        """Return the announced notices that hold, the oldest first."""
        return [entry.notice for entry in self._entries.values() if entry.announced]

    def past(self) -> list[str]:
        """Return the notices that are over, one line each."""
        return list(self._past.values())


def _key(notice: Notice) -> tuple[str, str, str]:
    about = notice.finding.about
    return notice.stream, about, notice.finding.text if about == "source" else ""
