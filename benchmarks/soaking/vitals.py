"""What a process holds at one time, and how fast that grows."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

WARM_UP_SHARE = 0.25
"""The first part of a run, in which caches and queues fill, is not judged."""
LIMIT_KIB_PER_H = 64.0
"""Most growth of the memory in a simulated hour, 1.5 MiB in a day. The caches of names, of 256 entries each, fill for
most of a day, and single steps of the allocator reach a MiB."""
BLE_LIMIT_KIB_PER_H = 1024.0
"""The same over Bluetooth, 2.6 KiB a link, where a leaked connection would hold tens: a run is short, and the stand-in
for the radio shares the process."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the receiver held at one time; sizes in KiB."""

    hours: float
    """Simulated hours since the start."""
    wall_s: float
    memory_kib: int
    """Resident memory of the receiver."""
    senders_kib: int
    """The same of all senders together."""
    descriptors: int
    threads: int
    objects: int
    """Objects that Python's garbage collector tracks."""
    queued: int
    """Chunks that wait for the pipeline."""
    windows: int


def take_vitals(hours: float, wall_s: float, senders: Sequence[int | None], queued: int, windows: int) -> Vitals:
    """Return what this process holds now, after a garbage collection. Linux only."""
    gc.collect()
    return Vitals(
        round(hours, 4),
        round(wall_s, 1),
        resident_kib(),
        sum(map(resident_kib, senders)),
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
        len(gc.get_objects()),
        queued,
        windows,
    )


def object_types() -> Counter[str]:
    """Return how many objects of each type Python's garbage collector tracks."""
    return Counter(type(thing).__qualname__ for thing in gc.get_objects())


def after_warm_up(vitals: Sequence[Vitals]) -> Sequence[Vitals]:
    """Return the vitals that are judged: those after ``WARM_UP_SHARE`` of the run."""
    return [row for row in vitals if row.hours >= WARM_UP_SHARE * vitals[-1].hours]


def slope_per_h(vitals: Sequence[Vitals], name: str) -> float:
    """Return how much a value grows in a simulated hour after the warm-up; NaN for too few values.

    The median slope over all pairs (Theil and Sen), because single values jump by some hundred KiB with the allocator.

    >>> rows = [Vitals(h, 0.0, 1000 + 8 * h, 0, 9, 2, 100, 0, 0) for h in range(10)]
    >>> slope_per_h(rows, "memory_kib")
    8.0
    """
    rows = after_warm_up(vitals) if vitals else ()
    pairs = [(a, b) for a, b in combinations(rows, 2) if b.hours > a.hours]
    if len(pairs) < 3:
        return float("nan")
    return float(np.median([(getattr(b, name) - getattr(a, name)) / (b.hours - a.hours) for a, b in pairs]))


def grows(vitals: Sequence[Vitals], name: str) -> bool:
    """Return whether a value that jumps up and down is higher in the last third after the warm-up than in the first."""
    values = [getattr(row, name) for row in after_warm_up(vitals)]
    third = -(-len(values) // 3)
    return float(np.median(values[-third:])) > float(np.median(values[:third]))


def resident_kib(pid: int | None = None) -> int:
    """Return the resident memory of a process; 0 once it has ended. Linux only."""
    try:
        with open(f"/proc/{pid or 'self'}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
    except (OSError, ValueError, IndexError):
        return 0
