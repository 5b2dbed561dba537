"""How the link to a phone stands, for people: told by what comes, because a phone that pushes is not connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.source import LinkStatus

from ..timing.timed import timed_link

if TYPE_CHECKING:
    from .stream import PhoneStream

SILENT_S = 3.0
SILENT_GAPS = 5.0
"""A phone from which nothing came for so long, and for so many of its usual gaps, is lost: a message may hold some."""
GAP_SHARE = 1 / 8
"""Weight of one gap in the usual one."""


class Pulse:
    """When a phone was heard, and how often it is."""

    def __init__(self) -> None:
        self._heard_s: float | None = None
        self._gap_s = 0.0
        self._told_lost = False

    def beat(self, now_s: float) -> None:
        """Something came."""
        if self._heard_s is not None:
            gap_s = now_s - self._heard_s
            # A silence is no gap: it would excuse the next one.
            if not self._gap_s:
                self._gap_s = min(gap_s, SILENT_S)
            elif not self.is_lost(now_s):
                self._gap_s += (gap_s - self._gap_s) * GAP_SHARE
        self._heard_s = now_s

    def silence_s(self, now_s: float) -> float | None:
        """Since anything came; None before that."""
        return None if self._heard_s is None else max(now_s - self._heard_s, 0.0)

    def is_lost(self, now_s: float) -> bool:
        silence_s = self.silence_s(now_s)
        return silence_s is not None and silence_s > max(SILENT_S, SILENT_GAPS * self._gap_s)

    def news(self, now_s: float) -> str | None:
        """What a person should be told since the last time this was asked: that it is lost, or back."""
        if self.is_lost(now_s) == self._told_lost:
            return None
        self._told_lost = not self._told_lost
        return "nothing comes from it any more; waiting for it" if self._told_lost else "it is heard again"


def phone_link(
    name: str,
    stream: PhoneStream | None,
    pulse: Pulse,
    sessions: int,
    now_s: float,
    battery_frac: float | None = None,
) -> LinkStatus:
    """The status of one phone.

    Args:
        stream: of the recording that runs; None: there is none.
        sessions: recordings so far.
    """
    silence_s = pulse.silence_s(now_s)
    if silence_s is None:
        state = "looking"
    elif stream is None or pulse.is_lost(now_s):
        state, silence_s = "lost", None
    else:
        state = "starting" if stream.recipe is None else "streaming"
    status = LinkStatus(name, state, None, battery_frac, max(0, sessions - 1), silence_s)
    return status if stream is None or stream.recipe is None else timed_link(status, stream.time())
