"""A battery's observed drain, carried from window to window as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from ..interface import BatteryReading

JUMP_FRAC = 0.02
"""A charge that rises by more than this without a charger is doubted; gauges waver by a per cent."""

DROP_FRAC = 0.04
"""A charge that falls by more than this between two windows was set by hand, or the battery was changed: no device
draws so much. The drain is measured from there on."""

BELIEVED_AFTER = 3
"""Windows after which a risen charge is believed: the battery was changed."""

MEASURE_FRAC, MEASURE_S = 0.01, 60.0
"""A drain is measured over at least this much charge and time: gauges count whole per cents."""

_PREFIX = "battery."


@dataclass(frozen=True, slots=True)
class Drain:
    """The observed past of one battery."""

    frac: float
    """The charge believed now, 0 to 1."""
    anchor_s: float
    """Start of the present measurement of the drain."""
    anchor_frac: float
    spent_mj: float = 0.0
    """Energy of inference since then, by the operating table."""
    doubts: float = 0.0
    """Windows for which the battery has reported more than is believed."""
    rate: float | None = None
    """Share of the charge drained in a second, as last measured."""
    other_rate: float | None = None
    """Share of the charge drained in a second without inference, as far as measured."""
    level: float | None = None
    """Level of a plan without a capacity, from the cheapest (0) to the dearest (1) point."""
    measured_s: float | None = None
    """Time of the last measurement."""

    @classmethod
    def remembered(cls, memory: Mapping[str, float]) -> Drain | None:
        """The drain that ``memory`` wrote; None where no battery was read yet."""
        values = {f.name: memory[_PREFIX + f.name] for f in fields(cls) if _PREFIX + f.name in memory}
        return cls(**values) if {"frac", "anchor_s", "anchor_frac"} <= values.keys() else None

    def memory(self) -> dict[str, float]:
        """The known fields as numbers by name."""
        named = {_PREFIX + f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    def base_mw(self, battery: BatteryReading) -> float:
        """Power that the device draws without inference: as measured, else as the battery reports."""
        if self.other_rate is None or battery.full_j is None:
            return battery.base_mw
        return self.other_rate * battery.full_j * 1000.0


def observed(before: Drain | None, now_s: float, battery: BatteryReading, ran_mj: float) -> Drain:
    """The past with one more reading.

    Args:
        before: None at the first reading.
        battery: a charge from 0 to 1.
        ran_mj: energy of the window since the last reading, by the operating table.
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
        # Averaged with the measurement before: one step of a coarse gauge may come too early or too late.
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
