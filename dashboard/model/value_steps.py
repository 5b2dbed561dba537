"""The steps of the keys for speed, battery and kind of policy; settings of a policy bring their own steps."""

from __future__ import annotations

import math

from kinestream.policy import POLICIES
from kinestream.policy.steps import DEADLINES_MS, SHARE_STEP, next_deadline_ms, next_multiple, stepped

__all__ = ["DEADLINES_MS", "SPEEDS", "next_battery_frac", "next_deadline_ms", "policies", "stepped"]

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, math.inf)


def next_battery_frac(frac: float, step: int) -> float:
    """Return the next multiple of five per cent, 0 to 1.

    >>> next_battery_frac(0.52, 1), next_battery_frac(0.52, -1)
    (0.55, 0.5)
    """
    return min(max(next_multiple(SHARE_STEP, frac, step), 0.0), 1.0)


def policies(start_text: str) -> list[str]:
    """Return every kind of policy; the one the session started with comes first, as it was written.

    >>> policies("battery:hours=2")[:2]
    ['battery:hours=2', 'fixed']
    """
    start_kind = start_text.partition(":")[0]
    return [start_text, *(kind for kind in POLICIES if kind != start_kind)]
