"""Profiles are profile by name and by what a device advertises, and all keep the same promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.signals import CHANNEL_UNITS
from kinestream.ingest.devices import find_profile, profiles, recognise
from kinestream.ingest.profile import Advertisement, Profile, Settings


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_a_profile_declares_its_characteristics_and_groups(profile: Profile) -> None:
    assert find_profile(profile.name) is profile
    assert profile.title
    assert profile.tested_on
    plan = profile.plan(Settings())
    decoder = plan.decoder()
    assert plan.notify
    assert set(plan.notify) <= set(decoder.characteristics)
    assert all(char == char.lower() and len(char) == 36 for char in decoder.characteristics)
    names = [group.name for group in decoder.groups]
    assert len(set(names)) == len(names) > 0
    for group in decoder.groups:
        assert set(group.channels) <= set(CHANNEL_UNITS)
        assert group.fs_hz > 0
    assert any("acc_x" in group.channels for group in decoder.groups)


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_two_decoders_of_one_plan_share_no_state(profile: Profile) -> None:
    plan = profile.plan(Settings())
    first, second = plan.decoder(), plan.decoder()
    first.counts["seen"] += 1
    first.groups = ()
    assert second.groups
    assert not second.counts


@pytest.mark.parametrize(
    ("advertisement", "name"),
    [
        (Advertisement("Polar H10 A1B2C3D4"), "polar"),
        (Advertisement("Polar Sense 12345678"), "polar"),
        (Advertisement(None, companies=frozenset({0x006B})), "polar"),
        (Advertisement("Movesense 174630000192"), "movesense"),
        (Advertisement("left wrist", frozenset({"326a9000-85cb-9195-d9dd-464cfbbae75a"})), "metamotion"),
        (Advertisement("Movella DOT"), "dot"),
        (Advertisement("Xsens DOT"), "dot"),
        (Advertisement("WT901BLE68"), "witmotion"),
        (Advertisement("Thingy"), "thingy52"),
        (Advertisement("CC2650 SensorTag"), "sensortag"),
        (Advertisement("BBC micro:bit [zuvez]"), "microbit"),
        (Advertisement("InfiniTime"), "infinitime"),
        (Advertisement("Muse-1A2B"), "muse"),
        (Advertisement("CIRCUITPY1234"), "adafruit"),
        (Advertisement("CLUE", frozenset({"adaf0200-c332-42a8-93bd-25e905756cb8"})), "adafruit"),
        (Advertisement("board", frozenset({"00000000-0001-11e1-9ab4-0002a5d5c51b"})), "bluest"),
        (Advertisement("OpenEarable-0A1B"), "openearable"),
        (Advertisement("eSense-0917"), "esense"),
        (Advertisement("Bangle.js c1d2"), "nus"),
        (Advertisement("my board", frozenset({"6e400001-b5a3-f393-e0a9-e50e24dcca9e"})), "nus"),
        (Advertisement("Polar H10 in name only", frozenset({"326a9000-85cb-9195-d9dd-464cfbbae75a"})), "polar"),
    ],
)
def test_a_device_is_recognised_by_its_advertisement(advertisement: Advertisement, name: str) -> None:
    profile = recognise(advertisement)
    assert profile is not None
    assert profile.name == name


@pytest.mark.parametrize(
    "advertisement",
    [Advertisement(), Advertisement("Bose QC"), Advertisement("", frozenset({"0000180d-0000-1000-8000-00805f9b34fb"}))],
)
def test_anything_else_is_not_recognised(advertisement: Advertisement) -> None:
    assert recognise(advertisement) is None


def test_the_error_for_a_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'movsense' is not a known device \\(did you mean 'movesense'\\?\\)"):
        find_profile("movsense")
    with pytest.raises(ConfigError, match="known: polar, movesense"):
        find_profile("toaster")
    assert find_profile(" Polar ").name == "polar"


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_the_error_for_an_impossible_rate_lists_the_possible_ones(profile: Profile) -> None:
    with pytest.raises(ConfigError, match=r"cannot be 3e\+06; choose|has no setting rate"):
        profile.plan(Settings(rate_hz=3e6))


def test_profiles_need_no_radio() -> None:
    code = (
        "import sys, kinestream.ingest.devices as devices; devices.profiles();"
        "print([name for name in ('bleak', 'zmq', 'scipy', 'asyncio') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
