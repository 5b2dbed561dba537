"""Lines about what is wrong now, and the filter that announces each alarm and notice once."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinestream.core.source import LinkStatus

    from .session_like import SessionLike
    from .state import DashboardState

SILENT_S = 3.0
"""A live stream that is silent this long has lost its sensor or its link."""
QUIET_S = 10.0
"""An alarm that returns within this time counts as the same alarm."""
STANDING_S = 2.0
"""A notice is announced after it has stood this long: at the start much is still unknown."""
_NUMBER = re.compile(r"\d+(\.\d+)?")


def alarms(session: SessionLike, state: DashboardState, dropped: int) -> list[str]:
    """Return one line for each current fault; a line disappears when its fault is over.

    Args:
        dropped: samples dropped since the previous call because the pipeline was late.
    """
    lines = list(session.failures())
    links = session.links()
    lines += [f"{link.name}: link {link.state}; its samples are missing now" for link in links if _is_lost(link)]
    linked = {link.name for link in links}
    known = {*linked, *state.streams}  # their silence has an alarm above
    if session.is_live:
        for stream in state.streams.values():
            figures = stream.figures
            if stream.name not in linked and figures is not None and figures.silence_s >= SILENT_S:
                lines.append(f"{stream.name}: no samples for {figures.silence_s:.0f} s")
    lines += [
        str(notice)
        for notice in session.findings()
        if notice.finding.level == "problem" and not (notice.finding.about == "silence" and notice.stream in known)
    ]
    if dropped:
        lines.append(f"{dropped} samples dropped just now: they arrive faster than this machine processes them")
    return lines


def _is_lost(link: LinkStatus) -> bool:
    """Return whether a link that was up is down; a first connection in progress is not a loss."""
    return link.state == "lost" or (link.state != "streaming" and bool(link.reconnects or link.clock))


class AlarmWatch:
    """Finds the alarms and notices that are new; a line in which only numbers change is not new.

    >>> watch = AlarmWatch()
    >>> watch.new_alarms(["no samples for 3 s"], now_s=0.0)
    ['no samples for 3 s']
    >>> watch.new_alarms(["no samples for 4 s"], now_s=1.0)
    []
    """

    def __init__(self) -> None:
        self._last_alarm_s: dict[str, float] = {}
        self._since_s: dict[str, float] = {}
        self._announced: set[str] = set()

    def new_alarms(self, alarms: list[str], now_s: float) -> list[str]:
        """Return the alarms that have been absent for ``QUIET_S``."""
        new = [alarm for alarm in alarms if now_s - self._last_alarm_s.get(_key(alarm), -math.inf) > QUIET_S]
        self._last_alarm_s |= {_key(alarm): now_s for alarm in alarms}
        return new

    def new_notices(self, notices: list[str], now_s: float) -> list[str]:
        """Return the notices that have now stood for ``STANDING_S``, each once."""
        standing = {_key(notice): notice for notice in notices}
        self._since_s = {key: self._since_s.get(key, now_s) for key in standing}
        due = [
            key
            for key, since_s in self._since_s.items()
            if now_s - since_s >= STANDING_S and key not in self._announced
        ]
        self._announced.update(due)
        return [standing[key] for key in due]


def _key(line: str) -> str:
    return _NUMBER.sub("0", line)
