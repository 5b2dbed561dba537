"""Which subnetwork runs now, and why."""

from .batteries import BATTERIES, Battery, FixedBattery, LaptopBattery, SimulatedBattery, make_battery
from .catalog import POLICIES, Part, register
from .external_policy import ExternalPolicy
from .interface import BatteryReading, Limit, Limiter, Policy, PolicyState
from .policy_file import read_policy_file, save_policy
from .policy_text import build_policy, is_only_recorded, make_policy, named_subnets, parse_policy, write_policy
from .rules.battery import BatteryPolicy
from .rules.composed import ComposedPolicy, parts_of
from .rules.deadline import DeadlinePolicy
from .rules.fixed import FixedPolicy
from .rules.latency import LatencyPolicy
from .rules.loss import LossPolicy
from .rules.persistence import PersistencePolicy
from .rules.slowdown import SlowdownPolicy
from .settings import Interval, SettingSpec, check_settings, setting, specs_of

__all__ = [
    "BATTERIES",
    "POLICIES",
    "Battery",
    "BatteryPolicy",
    "BatteryReading",
    "ComposedPolicy",
    "DeadlinePolicy",
    "ExternalPolicy",
    "FixedBattery",
    "FixedPolicy",
    "Interval",
    "LaptopBattery",
    "LatencyPolicy",
    "Limit",
    "Limiter",
    "LossPolicy",
    "Part",
    "PersistencePolicy",
    "Policy",
    "PolicyState",
    "SettingSpec",
    "SimulatedBattery",
    "SlowdownPolicy",
    "build_policy",
    "check_settings",
    "is_only_recorded",
    "make_battery",
    "make_policy",
    "named_subnets",
    "parse_policy",
    "parts_of",
    "read_policy_file",
    "register",
    "save_policy",
    "setting",
    "specs_of",
    "write_policy",
]
