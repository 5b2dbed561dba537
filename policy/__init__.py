"""Which subnetwork runs now, and why."""

from .battery import Battery, FixedBattery, LaptopBattery, SimulatedBattery
from .battery_policy import BatteryPolicy
from .fixed import FixedPolicy
from .latency import LatencyPolicy
from .registry import BATTERIES, POLICIES, make_battery, make_policy, write_policy
from .state import BatteryReading, Policy, PolicyState

__all__ = [
    "BATTERIES",
    "POLICIES",
    "Battery",
    "BatteryPolicy",
    "BatteryReading",
    "FixedBattery",
    "FixedPolicy",
    "LaptopBattery",
    "LatencyPolicy",
    "Policy",
    "PolicyState",
    "SimulatedBattery",
    "make_battery",
    "make_policy",
    "write_policy",
]
