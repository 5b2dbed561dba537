"""Times of packets that carry the device's clock or a counter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Literal

from .envelope import LATENCY_S, Envelope
from .steady_line import SteadyTime
from .timed import Timed, TimeStatus
from .unwrap import unwrap

if TYPE_CHECKING:
    from ..profile.decoder import Clock

CLOCK_BOUND = 200e-6
"""Quartz clocks of wearables keep within 20 ppm of each other, poor ones within 100."""
RATE_BOUND = 0.02
"""Maximum distance of the true sampling rate from the nominal one: most sensors use an RC oscillator."""
RATE_LATENCY_S = 0.08
"""Maximum difference between the latencies of the earliest arrivals, to tell a rate further off: a counter cannot be
wrong by as much as a clock of an unknown tick, so less is needed than for a clock."""
RATE_WINDOW_S = 30.0
"""Device time over which the rate is measured."""
STAMP_ERROR_S = 0.01
"""Maximum distance of a stamp from its sample, to distinguish a gap from a rate not yet known."""
SHORTEST_S = 1e-6
"""Shortest sampling period of any sensor: a packet must advance device time by at least its samples' duration."""
AHEAD_S, AHEAD_SETTLING_S = 0.1, 0.5
"""Maximum lead of a packet over the line: packets are never early, but the line may be this late."""
AGREE = 3
"""Consecutive packets that contradict the line, but not each other, and so show a jump of the device's time."""


class DeviceTime(ABC):
    """The common part of clocks and counters: a line to the host's clock, and the handling of implausible packets.

    A packet is an outlier if its stamp puts it ahead of the line, or before the previous packet. Its samples are timed
    by their position, until ``AGREE`` consecutive packets show that the device's time restarted.
    """

    kind: ClassVar[Literal["device clock", "packet counter"]]

    def __init__(self, fs_hz: float, slope_bound: float, latency_s: float = LATENCY_S) -> None:
        self._nominal_s = self._period_s = 1 / fs_hz
        self._line = Envelope(slope_bound, latency_s=latency_s)
        self._steady = SteadyTime(self._line)
        self._newest_u = 0.0  # device time of the newest sample
        self._zero_s: float | None = None  # the device's own time at u = 0; None without a clock
        self._suspects: list[tuple[float, float]] = []  # (device time of the last sample, arrival)
        self._lost = self._gaps = self._outliers = self._jumps = 0

    def push(self, n: int, received_s: float, device_time: int | None = None, counter: int | None = None) -> Timed:
        """See ``HostClock``."""
        raw = self._raw(device_time, counter)
        u_last, restarted = 0.0, False
        if self._steady.started:
            u_last = self._locate(raw, n, self._line.device(received_s))
            if not self._fits(u_last, n, received_s):
                restarted = self._suspects_agree(u_last, received_s)
                if not restarted:
                    return self._by_position(n, received_s)
        if restarted or not self._steady.started:
            self._steady.start()
            u_last, lost, step = self._begin(raw, n), 0, self._period_s
        else:
            lost = self._missing(u_last, n)
            # A slightly early stamp must not put a packet's first samples before those already timed.
            step = min(self._period_s, (u_last - self._newest_u) / n)
        self._suspects.clear()
        self._advance(n, lost, u_last, trusted=True)
        self._steady.push(u_last, received_s)
        t, step_t, far = self._steady.emit(u_last - (n - 1) * step, step, n, received_s)
        self._lost += lost
        self._gaps += lost > 0
        self._jumps += far
        return Timed(n, t, step_t, lost, restarted or far, self._device_s(u_last), step)

    def _by_position(self, n: int, received_s: float) -> Timed:
        """Time the samples of an outlier: they follow those before them."""
        self._outliers += 1
        self._advance(n, 0, self._newest_u + n * self._period_s, trusted=False)
        t, step_t, far = self._steady.emit(self._newest_u - (n - 1) * self._period_s, self._period_s, n, received_s)
        self._jumps += far
        return Timed(n, t, step_t, 0, far, self._device_s(self._newest_u), self._period_s)

    def _device_s(self, u: float) -> float | None:
        return None if self._zero_s is None else self._zero_s + u

    @abstractmethod
    def _raw(self, device_time: int | None, counter: int | None) -> int:
        """The raw value that this clock uses."""

    @abstractmethod
    def _begin(self, raw: int, n: int) -> float:
        """Start a new count of device time and return that of the packet's last sample."""

    @abstractmethod
    def _locate(self, raw: int, n: int, expected_u: float) -> float:
        """Device time of the packet's last sample."""

    @abstractmethod
    def _missing(self, u_last: float, n: int) -> int:
        """Number of samples between the newest sample and this packet."""

    def _advance(self, n: int, lost: int, u_last: float, trusted: bool) -> None:
        """Make the packet's last sample the newest."""
        self._newest_u = u_last

    def _fits(self, u_last: float, n: int, received_s: float) -> bool:
        if u_last - self._newest_u < n * SHORTEST_S:
            return False
        ahead = self._line.host(u_last) - received_s
        return ahead <= (AHEAD_SETTLING_S if self._steady.settling else AHEAD_S)

    def _suspects_agree(self, u_last: float, received_s: float) -> bool:
        """Whether this packet and the outliers before it agree on a time that differs from the line's."""
        if self._suspects:
            u, at = self._suspects[-1]
            if not 0 < u_last - u <= received_s - at + AHEAD_SETTLING_S:
                self._suspects.clear()
        self._suspects.append((u_last, received_s))
        if len(self._suspects) < AGREE:
            return False
        self._outliers -= AGREE - 1
        self._jumps += 1
        return True

    def status(self) -> TimeStatus:
        """See ``HostClock``."""
        steady = self._steady
        return TimeStatus(
            self.kind,
            steady.state,
            self._rate_hz(),
            (self._line.slope - 1) * 1e6,
            steady.jitter_s * 1e3,
            steady.age_s * 1e3,
            self._lost,
            self._gaps,
            self._outliers,
            self._jumps,
        )

    @abstractmethod
    def _rate_hz(self) -> float:
        """The measured sampling rate."""


class StampedTime(DeviceTime):
    """Times packets and finds gaps by the device's clock.

    The rate comes from the stamps themselves, so every sample gets its true time, even in a packet of seventy whose
    stamp belongs to the last; a lost packet leaves a gap and stretches no other.
    """

    kind = "device clock"

    def __init__(self, fs_hz: float, clock: Clock) -> None:
        super().__init__(fs_hz, CLOCK_BOUND)
        assert clock.tick_s is not None
        self._tick_s, self._modulus, self._at_first = clock.tick_s, clock.time_modulus, clock.stamps == "first"
        self._ticks0 = 0

    def _raw(self, device_time: int | None, counter: int | None) -> int:
        assert device_time is not None, "a device with a clock stamps every packet"
        return device_time

    def _begin(self, raw: int, n: int) -> float:
        self._ticks0, self._zero_s = raw, raw * self._tick_s
        self._index = 0  # of the newest sample, including lost ones
        self._marks: deque[tuple[float, int]] = deque()  # (device time, index) about once a second
        self._period_s, self._period_error = self._nominal_s, RATE_BOUND
        self._smallest = self._largest = n  # packet size so far, in samples
        return (n - 1) * self._period_s if self._at_first else 0.0

    def _locate(self, raw: int, n: int, expected_u: float) -> float:
        expected = self._ticks0 + round(expected_u / self._tick_s)
        u = (unwrap(raw, expected, self._modulus) - self._ticks0) * self._tick_s
        return u + (n - 1) * self._period_s if self._at_first else u

    def _missing(self, u_last: float, n: int) -> int:
        advance = u_last - self._newest_u
        hole = advance / self._period_s - n
        self._smallest, self._largest = min(self._smallest, n), max(self._largest, n)
        # Whole packets get lost: less than half a packet is an unknown rate or an inexact stamp.
        if hole <= 0.5 * self._smallest + self._period_error * advance / self._period_s:
            return 0
        return n * max(1, round(hole / n)) if self._smallest == self._largest else round(hole)

    def _advance(self, n: int, lost: int, u_last: float, trusted: bool) -> None:
        super()._advance(n, lost, u_last, trusted)
        self._index += n + lost
        if not trusted:
            return
        marks = self._marks
        if not marks or u_last - marks[-1][0] >= 1.0:
            marks.append((u_last, self._index))
            while marks[0][0] < u_last - RATE_WINDOW_S and len(marks) > 2:
                marks.popleft()
        u, index = marks[0]
        if self._index > index:
            period_s = (u_last - u) / (self._index - index)
            if 0.8 < period_s / self._nominal_s < 1.25:
                self._period_s = period_s
                self._period_error = min(RATE_BOUND, STAMP_ERROR_S / (u_last - u))

    def _rate_hz(self) -> float:
        return 1 / (self._period_s * self._line.slope)


class CountedTime(DeviceTime):
    """Times packets by their counters: device time is the sample's number times the nominal period."""

    kind = "packet counter"

    def __init__(self, fs_hz: float, clock: Clock) -> None:
        super().__init__(fs_hz, RATE_BOUND, RATE_LATENCY_S)
        self._modulus, self._of_packets = clock.counter_modulus, clock.counts == "packets"
        self._count = self._candidate = 0  # number of the newest packet, and of the packet being located
        self._samples = 1  # in the newest packet

    def _raw(self, device_time: int | None, counter: int | None) -> int:
        assert counter is not None, "a device with a counter numbers every packet"
        return counter

    def _begin(self, raw: int, n: int) -> float:
        self._count = self._candidate = raw
        self._samples = n
        return 0.0

    def _locate(self, raw: int, n: int, expected_u: float) -> float:
        per_count = self._samples if self._of_packets else 1  # samples per count
        passed = round((expected_u - self._newest_u) / (self._period_s * per_count))
        self._candidate = unwrap(raw, self._count + passed, self._modulus)
        ahead = (self._candidate - self._count) * per_count
        return self._newest_u + (ahead + n - self._samples) * self._period_s

    def _missing(self, u_last: float, n: int) -> int:
        return max(round((u_last - self._newest_u) / self._period_s) - n, 0)

    def _advance(self, n: int, lost: int, u_last: float, trusted: bool) -> None:
        super()._advance(n, lost, u_last, trusted)
        self._count = self._candidate if trusted else self._count + (1 if self._of_packets else self._samples)
        self._samples = n

    def _rate_hz(self) -> float:
        return 1 / (self._period_s * self._line.slope)
