from __future__ import annotations

import pytest

from kinestream.core.errors import ConfigError
from kinestream.ingest.ble.address import BleAddress
from kinestream.ingest.devices import find_profile
from kinestream.ingest.profile import Advertisement


def test_a_profile_name_matches_any_device_of_that_kind_and_no_other() -> None:
    (target,) = BleAddress.parse("ble://polar").targets
    assert target.accepts(Advertisement("Polar H10 1"), "AA:00:00:00:00:01", find_profile("polar"))
    assert not target.accepts(Advertisement("polar bear"), "AA:00:00:00:00:01", find_profile("thingy52"))
    assert not target.accepts(Advertisement("polar bear"), "AA:00:00:00:00:01", None)


def test_any_other_text_matches_the_beginning_of_a_name_ignoring_case() -> None:
    (target,) = BleAddress.parse("ble://My%20Sensor").targets
    assert target.text == "My Sensor"
    assert target.accepts(Advertisement("my sensor 7"), "AA:00:00:00:00:01", None)
    assert not target.accepts(Advertisement("the sensor"), "AA:00:00:00:00:01", None)
    assert not target.accepts(Advertisement(), "AA:00:00:00:00:01", None)


@pytest.mark.parametrize("address", ["c0:11:22:33:44:55", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"])
def test_an_address_matches_its_device_on_linux_and_on_macos(address: str) -> None:
    (target,) = BleAddress.parse(f"ble://{address}?profile=polar").targets
    assert target.accepts(Advertisement(), address.upper(), None)
    assert target.profile is find_profile("polar")
    assert not target.by_profile


def test_commas_separate_several_devices() -> None:
    address = BleAddress.parse("ble://polar,thingy52,Left wrist?rate=50")
    assert [target.text for target in address.targets] == ["polar", "thingy52", "Left wrist"]
    assert [target.by_profile for target in address.targets] == [True, True, False]


def test_settings_reach_the_profile() -> None:
    address = BleAddress.parse("ble://polar?rate=52&range=8&gyro=no&gyro_range=2000&mag=yes&adapter=hci1&wait=5")
    settings = address.settings
    assert (settings.rate_hz, settings.acc_range_g, settings.gyro_range_dps) == (52, 8, 2000)
    assert (settings.gyro, settings.mag, address.adapter, address.wait_s) == (False, True, "hci1", 5)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("ble://", "names no device"),
        ("ble://polar?rte=50", "did you mean 'rate'"),
        ("ble://polar?rate=fast", "rate=fast; expected a positive number"),
        ("ble://polar?rate=-1", "expected a positive number"),
        ("ble://polar?rate=inf", "expected a positive number"),
        ("ble://polar?gyro=perhaps", "expected yes or no"),
        ("ble://x?profile=polr", "did you mean 'polar'"),
        ("ble://thingy52?profile=polar", "'thingy52' and profile=polar name two different kinds of device"),
        ("ble://generic:nosuch.toml", "nosuch.toml cannot be read"),
    ],
)
def test_an_invalid_address_is_refused_with_a_valid_alternative(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BleAddress.parse(uri)
