"""Times from arrivals only, for devices that neither stamp nor number their packets."""

from __future__ import annotations

import math

from .arrival_rate import ArrivalRate
from .lower_line import LowerLine
from .steady_line import RESTART_S, SteadyTime
from .timed import Timed, TimeStatus

SETTLED_S = 3.0
"""Span of arrivals that must be seen before a lasting delay shows missing packets."""
LASTING_S = 0.4
"""Time for which all packets must be late to show that packets are missing; one that waited for its retries is late
alone."""
SILENCE_S = 0.06
"""Longest silence that counts towards ``LASTING_S``: after a stall, the first packets are late without a loss."""
SHARP, SHARPEST = 0.22, 0.1
"""Mean delay, as a share of a packet's duration, below which two late packets show that some are missing, or one."""
BACKLOG_S = 1.0
"""The same for a long delay on a link that has sent a backlog before."""
FALLING_S = 0.08
"""A delay that falls by this much is a backlog that the link works off: nothing is missing."""
SILENT_S, HELD_S = 1.0, 0.5
"""After a silence longer than ``SILENT_S``, the first packets may hold samples from ``HELD_S`` before its end; the rest
of it is skipped at once."""
RECALL_S, RECALL_SHARE = 0.25, 0.2
"""Arrivals this early after a skip, and by this share of it, show that the skipped samples arrive now."""
HELD_MORE = 4
"""A link that held back the samples of a silence may hold those of one this much longer."""
SILENT_PACKETS = 3
"""A silence also lasts longer than this many packets; and as many came before it, so that their pace is known."""
LATE = 0.7
"""Initial share of a packet's duration by which all packets must be late."""
LATER, LATEST = 0.1, 1.1
"""Step and limit of that share. If packets follow each other nearly at the pace of the connection, all are late for
seconds, by up to one packet's duration, and none is missing. Every mistake raises the share."""
LATEST_S = 0.25
"""Limit of the delay that short packets must have, where all are late for longer than ``LASTING_S`` at times."""
REGRET_S = 3.0
REGRET = 0.7
"""No packet was missing if arrivals become early again within ``REGRET_S``, by this share of a packet."""
CATCH_UP = 0.9
"""Maximum correction of times while they lie far off, because the rate has just become known."""


class ArrivalTime:
    """Times packets by their number, at a rate estimated from the arrivals; a lasting delay is a gap in time.

    Arrivals alone prove no loss. So none is reported, and no number of missing samples: a gap shows in the times only,
    and in ``TimeStatus.gaps`` if it is longer than a quarter of a second. A gap is detected some tenths of a second
    after it happens; samples in between get times that are early by its duration, or by half a second at most if it
    is longer than a second.

    Args:
        fs_hz: the nominal rate; the true one may be a quarter or four times of it.
        on_change: the device sends a sample only when a value has changed, so a silence is neither a gap nor a rate.

    >>> clock = ArrivalTime(50.0)  # the sensor really takes 25 samples a second
    >>> for second in range(400):
    ...     timed = clock.push(1, 100 + second / 25)
    >>> round(timed.step_s, 4), timed.lost
    (0.04, 0)
    """

    def __init__(self, fs_hz: float, on_change: bool = False) -> None:
        self._nominal_s = 1 / fs_hz
        self._on_change = on_change
        self._rate = ArrivalRate(self._nominal_s, fixed=on_change)
        self._line = LowerLine()
        self._steady = SteadyTime(self._line, CATCH_UP)
        self._packets = self._received = 0
        self._per_packet = 1.0
        self._index = 0  # of the newest sample, including missing ones
        self._received_s = math.nan
        self._late = LATE
        self._spread = 0.3  # mean delay of the packets that are not late, as a share of a packet's duration
        self._late_s = math.nan  # time for which all packets have been late; NaN: they are not
        self._first_late = self._least_late = 0.0
        self._moved_s = -math.inf  # when times last moved ahead because of a lasting delay
        self._fallen_s = 0.0  # fall of the line since then
        self._held_s = HELD_S  # duration of the samples that the link keeps in a stall
        self._skipped: tuple[int, float, float, float] | None = None  # samples; a point of the line; until when
        self._gaps = self._jumps = 0

    def push(self, n: int, received_s: float, device_time: int | None = None, counter: int | None = None) -> Timed:
        """See ``HostClock``."""
        silent_s, self._received_s = received_s - self._received_s, received_s
        self._per_packet = float(n) if not self._packets else self._per_packet + (n - self._per_packet) / 16
        self._packets += 1
        self._received += n
        missing = self._skip(n, silent_s, received_s)
        changes, exact = self._rate.changes, self._rate.exact
        if self._rate.push(self._received, received_s, self._per_packet):
            slope = self._rate.period_s / self._nominal_s
            if self._rate.exact and not exact:
                self._late = LATE
            if self._rate.changes > changes:
                self._line.turn(slope, self._index * self._nominal_s)
                self._late, self._skipped = LATE, None
            else:
                self._line.slope = slope
        missing += self._overdue(received_s - self._line.host((self._index + missing + n) * self._nominal_s), silent_s)
        self._index += missing + n
        u_last = self._index * self._nominal_s
        self._steady.push(u_last, received_s)
        back = self._recall(u_last, received_s)
        if back:
            self._index -= back
            u_last -= back * self._nominal_s
        self._steady.restart_s = max(RESTART_S, self._packet_s)
        u_first = u_last - (n - 1) * self._nominal_s
        t, step, restarted = self._steady.emit(u_first, self._nominal_s, n, received_s, restart=bool(back))
        self._jumps += restarted
        return Timed(n, t, step, 0, restarted)

    @property
    def _packet_s(self) -> float:
        """Duration of a packet."""
        return self._per_packet * self._rate.period_s

    def _skip(self, n: int, silent_s: float, received_s: float) -> int:
        """Number of samples to skip after a silence that ends with this packet."""
        if not silent_s > SILENT_S or self._packets <= SILENT_PACKETS or silent_s < SILENT_PACKETS * self._packet_s:
            return 0
        late_s = received_s - self._line.host((self._index + n) * self._nominal_s)
        packets = int((late_s - (0 if self._on_change else self._held_s)) / self._packet_s)
        if packets <= 0:
            return 0
        missing = packets * max(1, round(self._per_packet))
        self._skipped = (missing, *self._line.anchor(), received_s + 2 * silent_s)
        self._gaps += not self._on_change
        return missing

    def _recall(self, u_last: float, received_s: float) -> int:
        """Number of samples that were skipped by mistake: the link sends them now."""
        if self._skipped is None:
            return 0
        missing, u, host, until_s = self._skipped
        if received_s > until_s:
            self._skipped = None
        elif self._line.host(u_last) - (host + (u_last - u) * self._line.slope) < -max(
            RECALL_S, self._packet_s / 2, RECALL_SHARE * missing * self._rate.period_s
        ):
            self._skipped = None
            self._held_s = HELD_MORE * (self._held_s + missing * self._rate.period_s)
            self._line.restart_at(u, host)
            self._gaps -= 1
            return missing
        return 0

    def _overdue(self, late_s: float, silent_s: float) -> int:
        """Number of missing samples that a lasting delay shows, of which this packet's is the newest."""
        if not self._packets > 1:
            return 0
        packet_s = self._packet_s
        if late_s < self._late * packet_s or self._rate.span_s < SETTLED_S:
            self._spread += (max(late_s, 0.0) / packet_s - self._spread) / min(self._packets, 32)
            self._late_s = math.nan
            if self._received_s - self._moved_s < REGRET_S:
                self._fallen_s -= min(late_s, 0.0)
                if self._fallen_s > REGRET * packet_s:
                    fallen = min(self._fallen_s, LATEST_S) / packet_s
                    self._late = max(min(self._late + LATER, LATEST), fallen)
                    self._moved_s = -math.inf
            return 0
        is_stall = silent_s > max(LASTING_S, 2 * packet_s)
        if math.isnan(self._late_s) or is_stall or late_s < self._first_late - FALLING_S:
            self._late_s, self._first_late, self._least_late = 0.0, late_s, late_s
        else:
            self._late_s += min(silent_s, max(SILENCE_S, 1.5 * packet_s))
            self._least_late = min(self._least_late, late_s)
        if self._late_s < self._lasting_s(packet_s):
            return 0
        packets = max(1, int(self._least_late / packet_s + 1 - self._late))
        self._moved_s, self._fallen_s = self._received_s, 0.0
        self._late_s = math.nan
        missing = packets * max(1, round(self._per_packet))
        if self._skipped is None and packets * packet_s > RECALL_S:
            self._skipped = (missing, *self._line.anchor(), self._received_s + 2 * packets * packet_s)
            self._gaps += 1
        return missing

    def _lasting_s(self, packet_s: float) -> float:
        """Time for which packets must be late."""
        if self._held_s > HELD_S and self._least_late > HELD_S:
            return BACKLOG_S
        if self._skipped is not None:
            return LASTING_S / 2
        if self._spread < SHARP and self._held_s == HELD_S:
            return 0.0 if self._spread < SHARPEST and packet_s > LASTING_S / 2 else min(packet_s, LASTING_S)
        return LASTING_S

    def status(self) -> TimeStatus:
        """See ``HostClock``."""
        steady, period_s = self._steady, self._rate.arriving_s
        return TimeStatus(
            "arrivals",
            "settling" if steady.started and not self._rate.known else steady.state,
            1 / period_s,
            (period_s / self._nominal_s - 1) * 1e6,
            steady.jitter_s * 1e3,
            steady.age_s * 1e3,
            0,
            self._gaps,
            0,
            self._jumps,
        )
