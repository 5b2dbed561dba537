"""Which subnetwork runs now, and why."""

from .batteries import Battery, FixedBattery, LaptopBattery, SimulatedBattery
from .battery_text import BATTERIES, make_battery
from .external_policy import OwnPolicy
from .interface import BatteryReading, Limit, Limiter, Policy, PolicyState
from .policy_file import read_policy_file, save_policy
from .policy_text import POLICIES, Part, build_policy, has_file, make_policy, named_subnets, parse_policy, write_policy
from .rules.battery import BatteryPolicy
from .rules.composed import ComposedPolicy, parts_of
from .rules.deadline import DeadlinePolicy
from .rules.fixed import FixedPolicy
from .rules.latency import LatencyPolicy
from .rules.loss import LossPolicy
from .rules.persistence import PersistencePolicy
from .rules.slowdown import SlowdownPolicy
from .rules.utility import UtilityPolicy

__all__ = [
    "BATTERIES",
    "POLICIES",
    "Battery",
    "BatteryPolicy",
    "BatteryReading",
    "ComposedPolicy",
    "DeadlinePolicy",
    "FixedBattery",
    "FixedPolicy",
    "LaptopBattery",
    "LatencyPolicy",
    "Limit",
    "Limiter",
    "LossPolicy",
    "OwnPolicy",
    "Part",
    "PersistencePolicy",
    "Policy",
    "PolicyState",
    "SimulatedBattery",
    "SlowdownPolicy",
    "UtilityPolicy",
    "build_policy",
    "has_file",
    "make_battery",
    "make_policy",
    "named_subnets",
    "parse_policy",
    "parts_of",
    "read_policy_file",
    "save_policy",
    "write_policy",
]
