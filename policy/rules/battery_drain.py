"""What a battery was seen to do, carried from window to window as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from ..interface import BatteryReading

JUMP_FRAC = 0.02
"""A charge that rises by more than this without a charger is doubted; a gauge may well waver by a per cent."""

DROP_FRAC = 0.04
"""A charge that falls by more than this from one window to the next was set by hand, or another battery was put in: no
device draws so much. The measure of the drain begins anew there."""

BELIEVED_AFTER = 3
"""Windows after which a charge that rose is believed after all: a battery was changed."""

MEASURE_FRAC, MEASURE_S = 0.01, 60.0
"""A drain is measured over at least this much charge and time: gauges count in whole per cents."""

_PREFIX = "battery."


@dataclass(frozen=True, slots=True)
class Drain:
    """One battery's past."""

    frac: float
    """The charge that is believed now, 0 to 1."""
    anchor_s: float
    """Since when the drain is being measured."""
    anchor_frac: float
    spent_mj: float = 0.0
    """What inference took since then, by the operating table."""
    doubts: float = 0.0
    """Windows for which the battery has said more than is believed."""
    rate: float | None = None
    """The share of the charge that went in a second, when it was measured last."""
    other_rate: float | None = None
    """The share of the charge that goes in a second without inference, as far as measured."""
    level: float | None = None
    """How far the plan of a battery without capacity lies between the cheapest (0) and the dearest (1) point."""
    measured_s: float | None = None
    """When the drain was measured last."""

    @classmethod
    def remembered(cls, memory: Mapping[str, float]) -> Drain | None:
        """What ``memory`` wrote; None where a battery was never seen."""
        found = {f.name: memory[_PREFIX + f.name] for f in fields(cls) if _PREFIX + f.name in memory}
        return cls(**found) if {"frac", "anchor_s", "anchor_frac"} <= found.keys() else None

    def memory(self) -> dict[str, float]:
        """All of it that is known, as numbers with names."""
        named = {_PREFIX + f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    def base_mw(self, battery: BatteryReading) -> float:
        """What the device draws without inference: as measured, else as the battery says."""
        if self.other_rate is None or battery.full_j is None:
            return battery.base_mw
        return self.other_rate * battery.full_j * 1000.0


def observed(before: Drain | None, now_s: float, battery: BatteryReading, ran_mj: float) -> Drain:
    """The past with one more reading in it.

    Args:
        before: None at the first reading.
        battery: a charge from 0 to 1.
        ran_mj: what the window since the last reading took, by the operating table.
    """
    if before is None:
        return Drain(battery.frac, now_s, battery.frac)
    if not battery.charging and battery.frac > before.frac + JUMP_FRAC and before.doubts + 1 < BELIEVED_AFTER:
        return replace(before, doubts=before.doubts + 1, spent_mj=before.spent_mj + ran_mj)
    now = replace(before, frac=battery.frac, doubts=0.0, spent_mj=before.spent_mj + ran_mj)
    if battery.charging or battery.frac > before.anchor_frac or battery.frac < before.frac - DROP_FRAC:
        return replace(now, anchor_s=now_s, anchor_frac=battery.frac, spent_mj=0.0)
    drop, elapsed_s = now.anchor_frac - now.frac, now_s - now.anchor_s
    if drop < MEASURE_FRAC or elapsed_s < MEASURE_S:
        return now
    other_rate = None
    if battery.full_j is not None:
        other_rate = max(drop - now.spent_mj / 1000.0 / battery.full_j, 0.0) / elapsed_s
        # Half of what was measured before: one step of a coarse gauge may come too early or too late.
        other_rate = other_rate if now.other_rate is None else (other_rate + now.other_rate) / 2
    return replace(
        now,
        anchor_s=now_s,
        anchor_frac=now.frac,
        spent_mj=0.0,
        rate=drop / elapsed_s,
        other_rate=other_rate,
        measured_s=now_s,
    )
