"""Link status of a phone, inferred from its messages because a phone that pushes keeps no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.source import LinkStatus

from ..timing.timed import timed_link

if TYPE_CHECKING:
    from .stream import PhoneStream

SILENT_S = 3.0
"""Minimum silence after which a phone counts as lost, in seconds."""
SILENT_GAPS = 5.0
"""Minimum silence after which a phone counts as lost, in usual gaps between messages, which may be seconds long."""
GAP_SHARE = 1 / 8
"""Weight of a new gap in the running mean."""


class Pulse:
    """Times of a phone's messages: the silence since the last one, and the usual gap.

    >>> pulse = Pulse()
    >>> pulse.beat(10.0)
    >>> pulse.is_lost(12.0), pulse.is_lost(14.0), pulse.news(14.0)
    (False, True, 'it has stopped sending; waiting for it')
    """

    def __init__(self) -> None:
        self._heard_s: float | None = None
        self._gap_s = 0.0
        self._reported_lost = False

    def beat(self, now_s: float) -> None:
        """Record the arrival of a message."""
        if self._heard_s is not None:
            gap_s = now_s - self._heard_s
            # A loss does not count as a gap: it would lengthen the usual gap and hide the next loss.
            if not self._gap_s:
                self._gap_s = min(gap_s, SILENT_S)
            elif not self.is_lost(now_s):
                self._gap_s += (gap_s - self._gap_s) * GAP_SHARE
        self._heard_s = now_s

    def silence_s(self, now_s: float) -> float | None:
        """Return the seconds since the last message; None before the first."""
        return None if self._heard_s is None else max(now_s - self._heard_s, 0.0)

    def is_lost(self, now_s: float) -> bool:
        """Return whether the phone has been silent for too long."""
        silence_s = self.silence_s(now_s)
        return silence_s is not None and silence_s > max(SILENT_S, SILENT_GAPS * self._gap_s)

    def news(self, now_s: float) -> str | None:
        """Return a message for the user if the phone was lost or came back since the last call; else None."""
        if self.is_lost(now_s) == self._reported_lost:
            return None
        self._reported_lost = not self._reported_lost
        return "it has stopped sending; waiting for it" if self._reported_lost else "it is sending again"


def phone_link(
    name: str,
    stream: PhoneStream | None,
    pulse: Pulse,
    epochs: int,
    now_s: float,
    battery_frac: float | None = None,
) -> LinkStatus:
    """Return the status of a phone.

    Args:
        stream: the stream of the running measurement; None if none runs.
        epochs: number of measurements so far.
    """
    silence_s = pulse.silence_s(now_s)
    if silence_s is None:
        state = "looking"
    elif stream is None or pulse.is_lost(now_s):
        state, silence_s = "lost", None
    else:
        state = "starting" if stream.conversion is None else "streaming"
    status = LinkStatus(name, state, None, battery_frac, max(0, epochs - 1), silence_s)
    return status if stream is None or stream.conversion is None else timed_link(status, stream.time())
