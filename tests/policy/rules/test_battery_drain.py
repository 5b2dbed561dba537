"""The observed drain of a battery."""

from __future__ import annotations

from kinestream.policy.interface import BatteryReading
from kinestream.policy.rules.battery_drain import observed


def test_a_charge_set_by_hand_does_not_count_as_drain() -> None:
    drain = None
    for i in range(100):
        drain = observed(drain, 2.0 * i, BatteryReading(0.9 - 1e-5 * i, None), 1.0)
    drain = observed(drain, 200.0, BatteryReading(0.8, None), 1.0)
    assert drain.frac == 0.8
    assert drain.rate is None, "nothing was measured over the jump"
    assert (drain.anchor_s, drain.anchor_frac) == (200.0, 0.8)
