"""What is wrong now and a person should see at once, and what was taken for granted."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinestream.core.source import LinkStatus

    from .session_like import SessionLike
    from .state import DashboardState

SILENT_S = 3.0
"""A live stream that says nothing for so long has a lost sensor, or a lost link."""
QUIET_S = 10.0
"""An alarm that comes back sooner is the same one."""
STANDING_S = 5.0
"""A notice is told when it has stood for so long: at the start, much is not known yet."""
_NUMBER = re.compile(r"\d+(\.\d+)?")


def alarms(session: SessionLike, state: DashboardState, dropped: int, now_s: float) -> list[str]:
    """A line for each thing that is wrong now; gone when it is right again.

    Args:
        dropped: samples that the pipeline was too late for since the last time this was asked.
        now_s: this machine's clock, as ``StreamHealth.heard_s``.
    """
    told = session.failures()
    links = session.links()
    told += [f"{link.name}: link {link.state}; what it measures now is not seen" for link in links if _is_lost(link)]
    known = {link.name for link in links}
    if session.is_live:
        for stream in state.streams.values():
            heard_s = stream.health.heard_s
            if stream.name not in known and heard_s is not None and now_s - heard_s >= SILENT_S:
                told.append(f"{stream.name}: nothing came for {now_s - heard_s:.0f} s")
    if dropped:
        told.append(f"{dropped} samples dropped just now: more comes in than this machine can compute")
    return told


def _is_lost(link: LinkStatus) -> bool:
    """Whether a link that was there is not any more; one that is sought for the first time is awaited, not lost."""
    return link.state == "lost" or (link.state != "streaming" and bool(link.reconnects or link.clock))


class Watch:
    """Says which alarms and notices are new; one that only changes its figures is the same."""

    def __init__(self) -> None:
        self._alarmed_s: dict[str, float] = {}
        self._since_s: dict[str, float] = {}
        self._told: set[str] = set()

    def new_alarms(self, alarms: list[str], now_s: float) -> list[str]:
        """Those that were not there for a while."""
        new = [alarm for alarm in alarms if now_s - self._alarmed_s.get(_key(alarm), -math.inf) > QUIET_S]
        self._alarmed_s |= {_key(alarm): now_s for alarm in alarms}
        return new

    def new_notices(self, notices: list[str], now_s: float) -> list[str]:
        """Those that have stood for a while now; each is told once."""
        standing = {_key(notice): notice for notice in notices}
        self._since_s = {key: self._since_s.get(key, now_s) for key in standing}
        due = [key for key, since_s in self._since_s.items() if now_s - since_s >= STANDING_S and key not in self._told]
        self._told.update(due)
        return [standing[key] for key in due]


def _key(line: str) -> str:
    return _NUMBER.sub("0", line)
