from __future__ import annotations

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
)

from kinestream.core.errors import BluetoothUnavailable, DeviceRefused
from kinestream.ingest.ble.failure import tell

REASONS = BleakBluetoothNotAvailableReason


def off(reason: BleakBluetoothNotAvailableReason) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError("", reason)


def dbus(name: str, text: str = "") -> BleakDBusError:
    return BleakDBusError(name, [text] if text else [])


@pytest.mark.parametrize(
    ("system", "said"),
    [("Linux", "bluetoothctl power on"), ("Darwin", "System Settings"), ("Windows", "Bluetooth & devices")],
)
def test_bluetooth_that_is_off_says_how_to_switch_it_on_here(system: str, said: str) -> None:
    trouble = tell(off(REASONS.POWERED_OFF), "polar", system)
    assert said in trouble.message
    assert isinstance(trouble.error(), BluetoothUnavailable)
    assert not trouble.is_final


@pytest.mark.parametrize(
    ("system", "said"),
    [("Linux", "usermod -aG bluetooth"), ("Darwin", "Privacy & Security > Bluetooth"), ("Windows", "Radios")],
)
@pytest.mark.parametrize(
    "reason", [REASONS.DENIED_BY_USER, REASONS.DENIED_BY_SYSTEM, REASONS.DENIED_BY_UNKNOWN], ids=lambda one: one.name
)
def test_a_missing_permission_says_where_to_give_it(
    system: str, said: str, reason: BleakBluetoothNotAvailableReason
) -> None:
    trouble = tell(off(reason), "polar", system)
    assert said in trouble.message
    assert trouble.is_final


@pytest.mark.parametrize(
    ("error", "said", "is_radio"),
    [
        (off(REASONS.NO_BLUETOOTH), "no Bluetooth adapter", True),
        (off(REASONS.NO_BLE_CENTRAL_ROLE), "Low Energy", True),
        (FileNotFoundError(2, "no bus"), "no D-Bus system bus", True),
        (dbus("org.bluez.Error.NotReady", "Resource Not Ready"), "Bluetooth is off", True),
        (dbus("org.freedesktop.DBus.Error.ServiceUnknown"), "systemctl start bluetooth", True),
        (dbus("org.freedesktop.DBus.Error.AccessDenied"), "may not use Bluetooth", True),
        (dbus("org.bluez.Error.InProgress"), "busy", False),
        (dbus("org.bluez.Error.AuthenticationFailed"), "paired first", False),
        (dbus("org.bluez.Error.AlreadyConnected"), "connected to another program", False),
        (dbus("org.freedesktop.DBus.Error.UnknownObject"), "out of reach", False),
        (dbus("org.bluez.Error.Failed", "le-connection-abort-by-local"), "le-connection-abort-by-local", False),
        (BleakCharacteristicNotFoundError("abcd"), "?profile=", False),
        (BleakDeviceNotFoundError("AA"), "out of reach", False),
        (TimeoutError(), "did not answer in time", False),
        (BleakError("strange"), "strange", False),
        (BleakError(), "BleakError", False),
    ],
)
def test_every_failure_is_one_line_about_the_device_or_the_radio(error: Exception, said: str, is_radio: bool) -> None:
    trouble = tell(error, "My sensor", "Linux")
    assert said in trouble.message
    assert "\n" not in trouble.message
    assert trouble.is_radio is is_radio
    assert isinstance(trouble.error(), BluetoothUnavailable if is_radio else DeviceRefused)
    if not is_radio:
        assert "My sensor" in trouble.message
