"""The sensing policy: a slower sensor, alone and as a part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable, SensingRow
from kinestream.core.signals import Sensing
from kinestream.policy import make_policy

from ..situations import situation


@pytest.fixture
def steerable(table: OperatingTable) -> OperatingTable:
    """Half the rate costs half a point and saves 1 mW; no gyroscope costs 30 points and saves 5 mW."""
    best = table.front[-1].subnet
    ways = ((Sensing(50.0), 0.97, 6.0), (Sensing(25.0), 0.965, 5.0), (Sensing(50.0, gyro=False), 0.67, 1.0))
    return replace(table, sensing=tuple(SensingRow(way, {best: share}, mw) for way, share, mw in ways))


@pytest.mark.parametrize(
    ("text", "sensing", "because"),
    [
        ("sensing:lose=0.01", Sensing(25.0), "costs 0.5 points, saves 1 mW"),
        ("sensing:lose=0.4", Sensing(50.0, gyro=False), "costs 30.0 points, saves 5 mW"),
        ("sensing:lose=0", None, "no thriftier mode"),
        ("sensing:fs_hz=20,gyro=false", Sensing(20.0, gyro=False), "as set"),
        ("sensing:gyro=false", Sensing(50.0, gyro=False), "as set"),
    ],
)
def test_the_sensor_runs_as_set_or_in_the_thriftiest_accurate_mode(
    steerable: OperatingTable, text: str, sensing: Sensing | None, because: str
) -> None:
    decision = make_policy(text, steerable).decide(situation())
    assert decision.sensing == sensing
    assert because in decision.reason


def test_the_thriftiest_mode_of_all_parts_holds(steerable: OperatingTable) -> None:
    policy = make_policy("persistence:settle=1,fs_hz=25+sensing:fs_hz=40,gyro=false", steerable)
    assert policy.decide(situation()).sensing == Sensing(40.0, gyro=False)


def test_without_a_gyroscope_a_lower_rate_saves_by_the_table(table: OperatingTable) -> None:
    ways = ((Sensing(20.0, gyro=False), 6.0), (Sensing(10.0, gyro=False), 5.0))
    plain = replace(table, sensing=tuple(SensingRow(way, {}, mw) for way, mw in ways))
    for wish, saved_mw in ((Sensing(10.0), 1.0), (Sensing(10.0, gyro=False), 1.0), (Sensing(7.0), 0.0), (None, 0.0)):
        assert plain.saved_mw(wish) == saved_mw
    assert table.saved_mw(Sensing(10.0)) == 0.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sensing:fs_hz=0", "expected a positive rate"),
        ("sensing:fs_hz=nan", "expected a positive rate"),
        ("sensing:lose=2", "expected a share from 0 to 1"),
        ("sensing:gyro=perhaps", "is not true or false"),
    ],
)
def test_a_wrong_sensing_setting_is_refused(table: OperatingTable, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_policy(text, table)
