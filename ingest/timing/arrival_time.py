"""Times from arrivals only, for devices that neither stamp nor number their packets."""

from __future__ import annotations

import math

from .arrival_rate import FIRST_S, ArrivalRate, LowerLine
from .steady_line import SteadyTime
from .timed import Timed, TimeStatus

LASTING_S = 0.4
"""Time for which all packets must be late to show a loss; a packet that waited for its retries is late alone."""
SILENCE_S = 0.06
"""Longest silence that counts towards ``LASTING_S``: after a stall, the first packets are late without a loss."""
SILENT_S, HELD_S = 1.0, 0.5
"""After a silence longer than ``SILENT_S``, the first packets may hold samples from ``HELD_S`` before its end; the rest
of it is skipped at once."""
LATE = 0.7
"""Initial share of a packet's duration by which all packets must be late."""
LATER, LATEST = 0.1, 1.1
"""Step and limit of that share. If packets follow each other nearly at the pace of the connection, all are late for
seconds, by up to one packet's duration, without a loss. Every false loss raises the share."""
BEFORE_TIME_S = 0.5
"""Arrivals this early show that earlier packets were held back somewhere: time restarts."""
MISSTATED = 0.04
"""A rate further off than this is neither a sensor's clock nor a loss: the stated rate is wrong."""
BELIEVED_S = 5.0
REVIEWS_S = (FIRST_S, 26.0)
"""Times at which the losses since the start are recounted: when the rate is known, and when it is known well."""
REGRET_S = 3.0
REGRET = 0.7
"""A loss was false if arrivals become early again within ``REGRET_S``, by this share of a packet."""


class ArrivalTime:
    """Times packets by their number, at a rate estimated from the arrivals; a lasting delay counts as a loss.

    A loss is detected some tenths of a second after it happens; samples in between get times that are early by its
    duration. Up to about 60 packets a second, losses are counted to within one or two in ten minutes. At higher rates,
    or if the connection interval is nearly a multiple of the packet's duration, arrivals do not show losses reliably.

    Args:
        fs_hz: the nominal rate.
        on_change: the device sends a sample only when a value has changed, so a missing sample is not a loss.
    """

    def __init__(self, fs_hz: float, on_change: bool = False) -> None:
        self._period_s = 1 / fs_hz
        self._on_change = on_change
        self._line = LowerLine()
        self._steady = SteadyTime(self._line)
        self._lost = self._gaps = self._jumps = 0
        self._start(1)

    def _start(self, per_packet: int) -> None:
        self._steady.start()
        self._rate = ArrivalRate(per_packet * self._period_s)
        self._per_packet = per_packet
        self._received = 0  # samples
        self._index = 0  # of the newest sample, including lost ones
        self._reviews_s = REVIEWS_S
        self._received_s = math.nan
        self._late = LATE
        self._late_s = math.nan  # time for which all packets have been late; NaN: they are not
        self._least_late = math.inf
        self._loss_found_s = -math.inf
        self._fallen_s = 0.0  # fall of the line since then
        self._false_losses = 0  # samples reported lost by mistake

    def push(self, n: int, received_s: float, device_time: int | None = None, counter: int | None = None) -> Timed:
        """See ``HostClock``."""
        restarted = False
        if self._steady.started:
            early = self._line.host((self._index + n) * self._period_s) - received_s
            restarted = early > max(BEFORE_TIME_S, 2 * n * self._period_s)
            if not (self._on_change or self._rate_known) and self._rate.span_s >= BELIEVED_S:
                off = self._rate.off()
                if MISSTATED < abs(off) < 0.5:
                    restarted = True
                    self._period_s *= 1 + off
            if restarted:
                self._start(n)
        else:
            self._start(n)
        self._received += n
        lost = self._losses(received_s, n)
        self._index += lost + n
        u_last = self._index * self._period_s
        above = self._steady.push(u_last, received_s)
        self._watch_lateness(above, received_s)
        t, step, far = self._steady.emit(u_last - (n - 1) * self._period_s, self._period_s, n, received_s)
        self._jumps += restarted or far
        return Timed(n, t, step, self._count_loss(lost), restarted or far)

    def _losses(self, received_s: float, n: int) -> int:
        """Number of samples now known to be lost before this packet."""
        if self._rate.push(self._received * self._period_s, received_s):
            self._line.slope = 1 + self._rate.slow
            if self._reviews_s and self._line.span_s >= self._reviews_s[0]:
                self._reviews_s = self._reviews_s[1:]
                lost = self._rate.lost_packets() * self._per_packet - (self._index + n - self._received)
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
        self._loss_found_s, self._fallen_s = received_s, 0.0
        self._late_s = math.nan
        return packets * self._per_packet

    def _watch_lateness(self, above: float, received_s: float) -> None:
        """Track how long all packets have been late, and detect false losses."""
        packet_s = self._per_packet * self._period_s
        silent_s, self._received_s = received_s - self._received_s, received_s
        if above < self._late * packet_s or not self._rate_known:
            self._late_s = math.nan
            if received_s - self._loss_found_s < REGRET_S:
                self._fallen_s -= min(above, 0.0)
                if self._fallen_s > REGRET * packet_s:
                    self._false_losses += self._per_packet
                    self._late = min(self._late + LATER, LATEST)
                    self._loss_found_s = -math.inf
        elif math.isnan(self._late_s):
            self._late_s, self._least_late = 0.0, above
        else:
            self._late_s += min(silent_s, max(SILENCE_S, 1.5 * packet_s))
            self._least_late = min(self._least_late, above)

    def _count_loss(self, lost: int) -> int:
        """Count a loss, less earlier false losses, and return the part to report."""
        if self._on_change:
            return 0
        forgiven = min(lost, self._false_losses)
        self._false_losses -= forgiven
        lost -= forgiven
        self._lost += lost
        self._gaps += lost > 0
        return lost

    @property
    def _rate_known(self) -> bool:
        return len(self._reviews_s) < len(REVIEWS_S)

    def status(self) -> TimeStatus:
        """See ``HostClock``."""
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
