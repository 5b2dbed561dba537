"""From pulled rows to samples: numbers in text, columns in SI units, and the rate of an irregular stream. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..timing.sender_stamps import SenderStamps
from ..zmq.wire import MAX_FS_HZ, MIN_FS_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .columns import Columns, Description

MEASURE_S = 2.0
"""Time over which the rate of an irregular stream is measured before its first sample is handed out."""
MEASURE_SAMPLES = 20
MAX_WAITING = 100_000
"""Number of samples after which a rate is measured however short they took."""


class Samples:
    """The samples of one epoch of a stream.

    Args:
        rate_hz: the rate that the address states; None to take the nominal or the measured one.
    """

    def __init__(self, stream: Description, columns: Columns, rate_hz: float | None) -> None:
        self._columns, self._is_text = columns, stream.is_text
        self._indices = list(columns.indices)
        self._irregular = not stream.rate_hz
        self.fs_hz = rate_hz if rate_hz is not None else stream.rate_hz
        """The rate; 0 until it is measured."""
        self._rate_remark = ""
        self._stamps = SenderStamps(self.fs_hz, irregular=self._irregular) if self.fs_hz else None
        self._waiting: list[tuple[NDArray[np.float32], NDArray[np.float64], float]] = []
        self.seq = 0
        self.not_finite = 0
        """Samples with a value that is not a number, or infinite."""
        self.malformed = 0
        """Samples of text that is not a number."""
        self.malformed_example = ""

    @property
    def settles(self) -> bool:
        """Whether the samples come in bursts whose rest is worth waiting for."""
        return self._stamps is not None and self._stamps.burst_samples > 1

    def push(
        self, rows: list[list[Any]], stamps: list[float], received_s: float
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float64], float, bool]]:
        """Return the (n, columns) samples, their (n,) times, their arrival, and whether time restarted."""
        x = self._values(rows)
        t = np.array(stamps)
        if x is None:
            return []
        if len(x) != len(t):
            t = t[self._understood]
        if not len(t):
            return []
        if self._stamps is None:
            self._waiting.append((x, t, received_s))
            if not self._measure():
                return []
            waiting, self._waiting = self._waiting, []
        else:
            waiting = [(x, t, received_s)]
        assert self._stamps is not None
        results = []
        for values, times, at_s in waiting:
            mapped, restarted = self._stamps.push(times, at_s)
            results.append((values, mapped, at_s, restarted))
        return results

    def remarks(self) -> tuple[str, ...]:
        """Return what was assumed or repaired, one line each."""
        lines = [*self._columns.remarks]
        if self._rate_remark:
            lines.append(self._rate_remark)
        if self.not_finite:
            lines.append(
                f"{self.not_finite} samples hold a value that is not a finite number (NaN): they are dropped; check "
                "the sensor's wiring, or name the columns that work with ?channels="
            )
        return (*lines, *(self._stamps.remarks() if self._stamps else ()))

    def _values(self, rows: list[list[Any]]) -> NDArray[np.float32] | None:
        if self._is_text:
            rows = self._numbers(rows)
            if not rows:
                return None
        with np.errstate(over="ignore", invalid="ignore"):  # values beyond float32 are not motion: they are infinite
            x = (np.asarray(rows, np.float64)[:, self._indices] * self._columns.scales).astype(np.float32)
        finite = np.isfinite(x)
        if not finite.all():
            self.not_finite += int((~finite.all(axis=1)).sum())
        return x

    def _numbers(self, rows: list[list[Any]]) -> list[list[Any]]:
        """Return the rows whose used columns are all numbers; count the others."""
        understood: list[bool] = []
        numbers: list[list[Any]] = []
        for row in rows:
            values = [0.0] * len(row)
            try:
                for k in self._indices:
                    values[k] = float(row[k])
            except ValueError:
                self.malformed += 1
                self.malformed_example = self.malformed_example or ", ".join(row)[:64]
                understood.append(False)
                continue
            understood.append(True)
            numbers.append(values)
        self._understood = np.array(understood, bool)
        return numbers

    def _measure(self) -> bool:
        """Measure the rate from the waiting samples; return whether they suffice."""
        arrivals_s = self._waiting[-1][2] - self._waiting[0][2]
        t = np.concatenate([times for _, times, _ in self._waiting])
        if len(t) < MAX_WAITING and (arrivals_s < MEASURE_S or len(t) < MEASURE_SAMPLES):
            return False
        rate_hz = measured_rate_hz(t)
        by_arrivals_hz = (len(t) - len(self._waiting[0][1])) / arrivals_s if arrivals_s > 0 else rate_hz
        if not 0.2 < rate_hz / by_arrivals_hz < 5:  # the stamps are in another unit, or make no sense
            rate_hz = by_arrivals_hz
        if not MIN_FS_HZ <= rate_hz <= MAX_FS_HZ:
            return False
        self.fs_hz = float(f"{rate_hz:.3g}")
        self._rate_remark = (
            f"the stream announces no rate: measured {self.fs_hz:g} Hz over the first {arrivals_s:.1f} s; "
            "?rate=HZ states it instead"
        )
        self._stamps = SenderStamps(self.fs_hz, irregular=True)
        return True


def measured_rate_hz(t: NDArray[np.float64]) -> float:
    """Return the rate of (n,) stamps, also where several share one.

    >>> measured_rate_hz(np.array([0.0, 0.0, 0.1, 0.1, 0.2, 0.2]))
    20.0
    """
    steps = np.diff(t)
    span_s = float(t[-1] - t[0])
    if not span_s > 0:
        return 0.0
    first = int(np.argmax(steps > 0.5 * span_s / len(steps)))  # the end of the first burst: one sample if even
    return float((len(t) - 1 - first) / (t[-1] - t[first])) if t[-1] > t[first] else 0.0
