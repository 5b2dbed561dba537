"""What a person types becomes a policy or a battery, or one clear line."""

from __future__ import annotations

import re

import pytest

from kinestream.errors import ConfigError
from kinestream.operating_table import OperatingTable
from kinestream.policy import (
    POLICIES,
    BatteryPolicy,
    FixedBattery,
    FixedPolicy,
    LaptopBattery,
    LatencyPolicy,
    SimulatedBattery,
    make_battery,
    make_policy,
)
from kinestream.signals import Subnet


def test_a_written_policy_is_made(table: OperatingTable) -> None:
    assert make_policy("fixed", table) == FixedPolicy(table)
    assert make_policy("fixed:0.5x-128", table) == FixedPolicy(table, Subnet(0.5, 128))
    assert make_policy("fixed:subnet=0.5x-128", table) == FixedPolicy(table, Subnet(0.5, 128))
    assert make_policy("latency", table) == LatencyPolicy(table)
    assert make_policy(" latency: low=0.6, high=0.9,span=5 ", table) == LatencyPolicy(table, 0.6, 0.9, 5)
    assert make_policy("battery:hours=30.5", table) == BatteryPolicy(table, 30.5)


def test_every_kind_can_be_made_without_settings(table: OperatingTable) -> None:
    assert [make_policy(kind, table).kind for kind in POLICIES] == ["fixed", "latency", "battery"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latncy", "unknown policy 'latncy' (did you mean 'latency'?); known: fixed, latency, battery"),
        ("", "unknown policy ''; known: fixed"),
        ("battery:huors=3", "key 'huors' (did you mean 'hours'?); known: hours"),
        ("latency:table=1", "unknown policy latency: key 'table'"),
        ("latency:_rungs=1", "unknown policy latency: key '_rungs'"),
        ("battery:hours=long", "hours=long is not a number"),
        ("battery:hours=nan", "expected a positive number of hours"),
        ("battery:8", "'8' is not KEY=VALUE; keys are hours"),
        ("latency:low=0.5,low=0.6", "low is given twice"),
        ("latency:span=2.5", "span=2.5 is not a number"),
        ("fixed:half", "'half' is not a subnetwork"),
        ("fixed:0.3x-128", "no subnetwork 0.30x-128"),
    ],
)
def test_a_misspelt_policy_is_named(table: OperatingTable, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        make_policy(text, table)


def test_a_written_battery_is_made() -> None:
    assert isinstance(make_battery("laptop"), LaptopBattery)
    assert isinstance(make_battery("simulated"), SimulatedBattery)
    fixed = make_battery("0.35")
    assert isinstance(fixed, FixedBattery)
    assert fixed.frac == 0.35


def test_a_simulated_battery_can_be_sized_by_the_hours_it_lasts_idle() -> None:
    battery = make_battery("simulated:hours=8,frac=0.25,base_mw=20")
    full, after_an_hour = battery.read(0.0), battery.read(3600.0)
    assert full is not None
    assert after_an_hour is not None
    assert full.frac == 0.25
    assert after_an_hour.frac == pytest.approx(0.25 - 1 / 8)
    assert full.capacity_j == pytest.approx(0.020 * 8 * 3600)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("simulatd", "unknown battery 'simulatd' (did you mean 'simulated'?)"),
        ("simulated:hour=8", "key 'hour' (did you mean 'hours'?)"),
        ("simulated:hours=8,capacity_j=5", "give one of them"),
        ("simulated:hours=-8", "capacity_j"),
        ("simulated:frac=2", "from 0 to 1"),
        ("laptop:poll=1", "unknown battery 'laptop:poll=1'"),
        ("35", "from 0 to 1"),
        ("nan", "from 0 to 1"),
    ],
)
def test_a_misspelt_battery_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        make_battery(text)
