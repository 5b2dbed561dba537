"""Which subnetwork runs now, and why."""

from .batteries import Battery, FixedBattery, LaptopBattery, SimulatedBattery
from .battery_policy import BatteryPolicy
from .battery_text import BATTERIES, make_battery
from .composed import ComposedPolicy, parts_of
from .deadline import DeadlinePolicy
from .external_policy import OwnPolicy
from .fixed import FixedPolicy
from .interface import BatteryReading, Limit, Limiter, Policy, PolicyState
from .latency import LatencyPolicy
from .loss import LossPolicy
from .persistence import PersistencePolicy
from .policy_file import read_policy_file, save_policy
from .policy_text import POLICIES, Part, build_policy, has_file, make_policy, named_subnets, parse_policy, write_policy
from .slowdown import SlowdownPolicy
from .utility import UtilityPolicy

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
