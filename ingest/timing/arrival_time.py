"""Time from nothing but the arrivals, for devices that neither stamp nor number their packets."""

from __future__ import annotations

import math

from .arrival_rate import FIRST_S, ArrivalRate, Floor
from .steady_line import SteadyTime
from .timed import Timed, TimeStatus

LASTING_S = 0.4
"""A packet that waited for its retries is late alone; when all have been late for so long, one before them is lost."""
SILENCE_S = 0.06
"""A silence counts as no more than this: after a stall, the first to arrive are late without any loss."""
SILENT_S, HELD_S = 1.0, 0.5
"""After a longer silence, so much may be left over from before it in the first packets; the rest is skipped at once."""
LATE = 0.7
"""Share of a packet's duration by which all must be late, at first."""
LATER, LATEST = 0.1, 1.1
"""Where packets follow each other nearly at the pace of the connection, all are late for seconds, by up to one packet's
duration, without a loss. Every loss that was none raises the share, up to more than that."""
BEFORE_TIME_S = 0.5
"""Arrivals so much before their time show that those before had been held up somewhere: time begins anew."""
MISSTATED = 0.04
"""A rate further off than this is no sensor's clock, and no loss: somebody named a wrong rate."""
BELIEVED_S = 5.0
REVIEWS_S = (FIRST_S, 26.0)
"""When the rate is known, then well known, the losses since the start are counted again."""
REGRET_S = 3.0
REGRET = 0.7
"""If arrivals are early again so soon after a loss was found, by such a share of a packet, it was none."""


class ArrivalTime:
    """Times packets by how many came, at a rate found from the arrivals; a lasting delay is a loss.

    A loss is found some tenths of a second after it happened, so the samples in between get times that are early
    by it. Up to some 60 packets a second, losses are counted to within one or two in ten minutes; above that, and where
    the connection interval is nearly a multiple of the packet's duration, the arrivals do not tell them for certain.

    Args:
        fs_hz: the nominal rate.
        on_change: samples come only when a value has changed: a missing one is not lost.
    """

    def __init__(self, fs_hz: float, on_change: bool = False) -> None:
        self._period_s = 1 / fs_hz
        self._on_change = on_change
        self._line = Floor()
        self._steady = SteadyTime(self._line)
        self._lost = self._gaps = self._jumps = 0
        self._start(1)

    def _start(self, per_packet: int) -> None:
        self._steady.start()
        self._rate = ArrivalRate(per_packet * self._period_s)
        self._per_packet = per_packet
        self._came = 0  # samples
        self._index = 0  # of the newest sample, the lost ones counted
        self._reviews_s = REVIEWS_S
        self._received_s = math.nan
        self._late = LATE
        self._late_s = math.nan  # for how long all packets have been late; NaN: they are not
        self._least_late = math.inf
        self._found_at = -math.inf
        self._fallen_s = 0.0  # by how much the line has fallen since
        self._regretted = 0  # samples told as lost that were not

    def push(self, n: int, received_s: float, device_time: int | None = None, counter: int | None = None) -> Timed:
        """See ``HostClock``."""
        fresh = False
        if self._steady.started:
            early = self._line.host((self._index + n) * self._period_s) - received_s
            fresh = early > max(BEFORE_TIME_S, 2 * n * self._period_s)
            if not (self._on_change or self._rate_known) and self._rate.span_s >= BELIEVED_S:
                off = self._rate.off()
                if MISSTATED < abs(off) < 0.5:
                    fresh = True
                    self._period_s *= 1 + off
            if fresh:
                self._start(n)
        else:
            self._start(n)
        self._came += n
        lost = self._losses(received_s, n)
        self._index += lost + n
        u_last = self._index * self._period_s
        above = self._steady.push(u_last, received_s)
        self._watch(above, received_s)
        t, step, far = self._steady.emit(u_last - (n - 1) * self._period_s, self._period_s, n, received_s)
        self._jumps += fresh or far
        return Timed(n, t, step, self._tell(lost), fresh or far)

    def _losses(self, received_s: float, n: int) -> int:
        """Samples that by now must have been lost before this packet."""
        if self._rate.push(self._came * self._period_s, received_s):
            self._line.slope = 1 + self._rate.slow
            if self._reviews_s and self._line.span_s >= self._reviews_s[0]:
                self._reviews_s = self._reviews_s[1:]
                lost = self._rate.lost_packets() * self._per_packet - (self._index + n - self._came)
                if lost > 0:
                    self._line.shift(lost * self._period_s)
                    return lost
        packet_s = self._per_packet * self._period_s * self._line.slope
        if received_s - self._received_s > SILENT_S:
            late = received_s - self._line.host((self._index + n) * self._period_s)
            skipped = int((late - (0 if self._on_change else HELD_S)) / packet_s)
            if skipped > 0:
                return skipped * self._per_packet
        if not self._late_s >= LASTING_S:
            return 0
        packets = max(1, int(self._least_late / packet_s + 1 - self._late))
        self._found_at, self._fallen_s = received_s, 0.0
        self._late_s = math.nan
        return packets * self._per_packet

    def _watch(self, above: float, received_s: float) -> None:
        """How long have all packets been late?"""
        packet_s = self._per_packet * self._period_s
        silent_s, self._received_s = received_s - self._received_s, received_s
        if above < self._late * packet_s or not self._rate_known:
            self._late_s = math.nan
            if received_s - self._found_at < REGRET_S:
                self._fallen_s -= min(above, 0.0)
                if self._fallen_s > REGRET * packet_s:
                    self._regretted += self._per_packet
                    self._late = min(self._late + LATER, LATEST)
                    self._found_at = -math.inf
        elif math.isnan(self._late_s):
            self._late_s, self._least_late = 0.0, above
        else:
            self._late_s += min(silent_s, max(SILENCE_S, 1.5 * packet_s))
            self._least_late = min(self._least_late, above)

    def _tell(self, lost: int) -> int:
        """What of a loss goes into the account."""
        if self._on_change:
            return 0
        forgiven = min(lost, self._regretted)
        self._regretted -= forgiven
        lost -= forgiven
        self._lost += lost
        self._gaps += lost > 0
        return lost

    @property
    def _rate_known(self) -> bool:
        return len(self._reviews_s) < len(REVIEWS_S)

    def status(self) -> TimeStatus:
        steady = self._steady
        return TimeStatus(
            "arrivals",
            "settling" if steady.started and not self._rate_known else steady.state,
            1 / (self._period_s * self._line.slope),
            self._rate.slow * 1e6,
            steady.jitter_s * 1e3,
            steady.age_s * 1e3,
            self._lost,
            self._gaps,
            0,
            self._jumps,
        )
