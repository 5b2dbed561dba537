"""The steps of the keys: which value follows when a person asks for more or less."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from kinestream.policy import POLICIES

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingTable

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, math.inf)
DEADLINES_MS = tuple(float(f"{digit}e{power}") for power in range(-2, 3) for digit in (1, 1.5, 2, 3, 5, 7))
BATTERY_STEP = 0.05


def stepped(ladder: tuple[float, ...], value: float, step: int) -> float:
    """The next value of an ascending ladder above (``step`` 1) or below (-1) ``value``; its end where there is none."""
    place = bisect_right(ladder, value) if step > 0 else bisect_left(ladder, value) - 1
    return ladder[min(max(place, 0), len(ladder) - 1)]


def next_deadline_ms(deadline_ms: float | None, step: int, table: OperatingTable) -> float | None:
    """One step shorter or longer; beyond the longest there is none, and from none the first one lets all run."""
    if deadline_ms is None:
        slowest_ms = max(point.p95_ms for point in table.points)
        return stepped(DEADLINES_MS, slowest_ms, 1) if step < 0 else None
    if step > 0 and deadline_ms >= DEADLINES_MS[-1]:
        return None
    return stepped(DEADLINES_MS, deadline_ms, step)


def next_battery_frac(frac: float, step: int) -> float:
    """The next multiple of five per cent, 0 to 1."""
    place = math.floor(frac / BATTERY_STEP + 1e-6) + 1 if step > 0 else math.ceil(frac / BATTERY_STEP - 1e-6) - 1
    return min(max(round(place * BATTERY_STEP, 2), 0.0), 1.0)


def policies(start_text: str) -> list[str]:
    """Every kind of policy, the one the session started with as it was written and first."""
    start_kind = start_text.partition(":")[0]
    return [start_text, *(kind for kind in POLICIES if kind != start_kind)]
