"""Texts of policies and batteries: read, written, and refused in one clear line."""

from __future__ import annotations

import re

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Subnet
from kinestream.policy import (
    POLICIES,
    BatteryPolicy,
    FixedBattery,
    FixedPolicy,
    LaptopBattery,
    LatencyPolicy,
    SimulatedBattery,
    is_only_recorded,
    make_battery,
    make_policy,
    named_subnets,
    parse_policy,
    write_policy,
)


def test_a_text_makes_its_policy(table: OperatingTable) -> None:
    assert make_policy("fixed", table) == FixedPolicy(table)
    assert make_policy("fixed:0.5x-128", table) == FixedPolicy(table, Subnet(0.5, 128))
    assert make_policy("fixed:subnet=0.5x-128", table) == FixedPolicy(table, Subnet(0.5, 128))
    assert make_policy("latency", table) == LatencyPolicy(table)
    assert make_policy(" latency: low=0.6, high=0.9,span=5 ", table) == LatencyPolicy(table, 0.6, 0.9, 5)
    assert make_policy("battery:hours=30.5", table) == BatteryPolicy(table, 30.5)


def test_every_policy_can_be_made_without_settings(table: OperatingTable) -> None:
    assert [make_policy(kind, table).kind for kind in POLICIES] == list(POLICIES)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("deadline=20", "deadline:ms=20.0"),
        ("fixed=0.5x-128", "fixed:subnet=0.50x-128"),
        ("battery=9", "battery:hours=9.0,leave=0.02,low=0.0,hot_c=45.0,period_s=60.0,lose=0.02"),
        ("slowdown:sure=0.99 + deadline=2e+1", "slowdown:sure=0.99,calm=0.1+deadline:ms=20.0"),
        ("persistence:thin=0.1x-96,hop=2+loss", None),
        ("slowdown+battery:hours=1e+2,leave=0.2+deadline=20", None),
        ("sensing:fs_hz=25,gyro=false", "sensing:fs_hz=25.0,gyro=false,lose=0.005"),
    ],
)
def test_a_policy_is_written_with_all_settings_and_read_back(
    table: OperatingTable, text: str, written: str | None
) -> None:
    policy = make_policy(text, table)
    assert written is None or write_policy(policy) == written
    assert make_policy(write_policy(policy), table) == policy


@pytest.mark.parametrize("kind", POLICIES)
def test_every_policy_is_written_and_read_back(table: OperatingTable, kind: str) -> None:
    policy = make_policy(kind, table)
    assert make_policy(write_policy(policy), table) == policy


def test_the_named_subnetworks_are_known_without_a_table() -> None:
    assert named_subnets(parse_policy("persistence:thin=0.1x-96,wide=1x-128+fixed:0.5x-128")) == (
        Subnet(0.1, 96),
        Subnet(1.0, 128),
        Subnet(0.5, 128),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latncy", "unknown policy 'latncy' (did you mean 'latency'?); known: fixed, latency, slowdown, battery"),
        ("", "unknown policy ''; known: fixed"),
        ("battery:huors=3", "key 'huors' (did you mean 'hours'?); known: hours"),
        ("latency:table=1", "unknown policy latency: key 'table'"),
        ("latency:_rungs=1", "unknown policy latency: key '_rungs'"),
        ("battery:hours=long", "hours=long is not a number"),
        ("battery:hours=nan", "expected a positive number of hours"),
        ("battery:8", "'8' is not KEY=VALUE; keys are hours"),
        ("latency:low=0.5,low=0.6", "low is given twice"),
        ("latency:span=2.5", "span=2.5 is not a whole number"),
        ("persistence:thin=0.3x-128", "no subnetwork 0.30x-128"),
        ("fast+battery:hours=8", "unknown policy 'fast'"),
        ("slowdown+", "unknown policy ''"),
        ("slowdown+batery:hours=8", "unknown policy 'batery' (did you mean 'battery'?)"),
        ("slowdown+battery:hour=8", "policy battery: key 'hour' (did you mean 'hours'?)"),
        ("battery:hours=8+battery:hours=9", "policy battery+battery: battery is given twice"),
        ("deadline=0", "deadline ms=0.0: expected a positive number"),
        ("deadline=soon", "policy deadline: ms=soon is not a number"),
        ("utility:latency=1", "policy utility was removed: it gained nothing over others; use fixed or deadline"),
        ("hop=0", "hop hop=0: expected a number of windows from 1 to 100"),
        ("slowdown:sure=1", "sure=1.0: expected a probability"),
        ("slowdown:calm=1", "calm=1.0: expected a share"),
        ("persistence:settle=9", "settle=9: expected a number of windows from 1 to 8"),
        ("persistence:sure=2", "sure=2.0: expected a probability"),
        ("persistence:look_s=0", "look_s=0.0: expected a positive"),
        ("persistence:hop=0", "hop=0: expected a number of windows from 1 to 100"),
        ("loss:missing=0", "missing=0.0: expected a share"),
        ("loss:age_s=nan", "age_s=nan: expected a positive"),
        ("loss:hop=0", "hop=0: expected a number of windows from 1 to 100"),
        ("fixed:half", "'half' is not a subnetwork"),
        ("fixed:0.3x-128", "no subnetwork 0.30x-128"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_nearest_right_one(table: OperatingTable, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        make_policy(text, table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("battery:hours=8+deadline=20", False),
        ("mine.toml", True),
        ("battery+mine.py:low=1", True),
        ("utility", True),
        ("slowdown+utility:energy=0.7", True),
        ("utility=1", True),
    ],
)
def test_files_and_removed_policies_are_replayed_from_recorded_decisions(text: str, expected: bool) -> None:
    assert is_only_recorded(text) is expected


def test_a_text_makes_its_battery() -> None:
    assert isinstance(make_battery("laptop"), LaptopBattery)
    assert isinstance(make_battery("simulated"), SimulatedBattery)
    fixed = make_battery("0.35")
    assert isinstance(fixed, FixedBattery)
    assert fixed.frac == 0.35


def test_a_simulated_battery_can_be_sized_by_its_idle_hours() -> None:
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
def test_a_wrong_battery_is_refused_with_the_nearest_right_one(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        make_battery(text)
