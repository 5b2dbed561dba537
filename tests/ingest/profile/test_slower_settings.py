from __future__ import annotations

import pytest

from kinestream.core.signals import GYRO, Sensing
from kinestream.ingest.devices import profiles
from kinestream.ingest.profile import Settings, slower_settings

PROFILES = {profile.name: profile for profile in profiles()}


def rates(name: str, settings: Settings) -> set[float]:
    return {group.fs_hz for group in PROFILES[name].plan(settings).decoder().groups}


@pytest.mark.parametrize(
    ("name", "requested_hz", "chosen_hz"),
    [
        ("polar", 25.0, 25.0),
        ("polar", 12.5, 25.0),
        ("movesense", 25.0, 26.0),
        ("movesense", 12.5, 13.0),
        ("metamotion", 25.0, 25.0),
        ("dot", 25.0, 30.0),
        ("thingy52", 25.0, 25.0),
        ("esense", 12.5, 13.0),
    ],
)
def test_a_device_gets_its_lowest_rate_at_or_above_the_requested_one(
    name: str, requested_hz: float, chosen_hz: float
) -> None:
    settings = slower_settings(PROFILES[name], Settings(acc_range_g=None), Sensing(requested_hz))
    assert settings is not None
    assert rates(name, settings) == {chosen_hz}


@pytest.mark.parametrize("name", ["muse", "infinitime", "bluest", "nus"])
def test_a_device_with_a_fixed_rate_is_left_alone(name: str) -> None:
    assert slower_settings(PROFILES[name], Settings(), Sensing(10.0)) is None


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_no_device_gets_a_rate_below_the_request_or_above_its_own(name: str) -> None:
    profile, usual_hz = PROFILES[name], min(rates(name, Settings()))
    assert slower_settings(profile, Settings(), Sensing(usual_hz)) is None
    assert slower_settings(profile, Settings(), Sensing(1000.0)) is None
    for requested_hz in (5.0, 12.5, 20.0, 25.0, 30.0):
        settings = slower_settings(profile, Settings(), Sensing(requested_hz))
        if settings:
            assert all(requested_hz <= rate < usual_hz for rate in rates(name, settings))


@pytest.mark.parametrize("name", ["polar", "metamotion", "movesense", "muse", "esense"])
def test_a_gyroscope_is_switched_off_if_the_device_can(name: str) -> None:
    settings = slower_settings(PROFILES[name], Settings(), Sensing(1000.0, gyro=False))
    assert settings is not None
    assert settings == Settings(gyro=False)
    channels = {c for group in PROFILES[name].plan(settings).decoder().groups for c in group.channels}
    assert not channels & set(GYRO)
    assert slower_settings(PROFILES[name], settings, Sensing(1000.0, gyro=False)) is None


def test_user_settings_stay() -> None:
    settings = slower_settings(PROFILES["polar"], Settings(rate_hz=104, acc_range_g=4), Sensing(50.0))
    assert settings == Settings(rate_hz=50.0, acc_range_g=4)
