"""Stamps of a sender that runs its own program: in any unit, on any clock, one by one or in bursts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bursts import Bursts
from .other_clock import OtherClock, is_plausible_age, unit_of_stamps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SenderStamps:
    """The times of one epoch of a stream, from its stamps and arrivals. Sound stamps are passed on bit for bit.

    Args:
        fs_hz: the nominal rate.
        irregular: the sender announces no rate, so uneven stamps are to be expected.
        its_clock: what the stamps should be on, for the remark.

    >>> import numpy as np
    >>> stamps = SenderStamps(50.0)
    >>> stamps.push(np.array([1.0, 1.02]), 1.03)[0].tolist(), stamps.remarks()
    ([1.0, 1.02], ())
    """

    def __init__(self, fs_hz: float, *, irregular: bool = False, its_clock: str = "this machine's clock") -> None:
        self._fs_hz = fs_hz
        self._unit_s: float | None = None
        self.arrival_unit_s = 1.0
        """The unit of the arrivals: a sender that writes milliseconds may do so for the time of sending, too."""
        self._bursts = Bursts(fs_hz, irregular=irregular)
        self._clock = OtherClock(its_clock)

    def push(self, t: NDArray[np.float64], received_s: float) -> tuple[NDArray[np.float64], bool]:
        """Return the times of the next samples on the clock of their arrival, and whether time restarted.

        Args:
            t: (n,) stamps, n >= 1.
            received_s: arrival of the last sample, in ``arrival_unit_s``.
        """
        if self._unit_s is None:
            self._unit_s = unit_of_stamps(t, self._fs_hz)
            if is_plausible_age((received_s - t.item(-1)) * self._unit_s):
                self.arrival_unit_s = self._unit_s
        received_s *= self.arrival_unit_s
        if self._unit_s != 1.0:
            t = t * self._unit_s
        t, is_apart = self._bursts.push(t)
        t, is_step = self._clock.push(t, received_s)
        return t, is_apart or is_step

    @property
    def burst_samples(self) -> int:
        """Number of samples that usually share one stamp; 1 for even stamps."""
        return self._bursts.samples

    def remarks(self) -> tuple[str, ...]:
        """Return what was recognised and done, one line each."""
        unit = self._unit_s or 1.0
        name = {1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}.get(unit, "")
        lines = (f"the stamps are in {name}: taken as such" if name else "", self._clock.remark, self._bursts.remark)
        return tuple(line for line in lines if line)
