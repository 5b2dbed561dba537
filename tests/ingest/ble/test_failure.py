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
from kinestream.ingest.ble.failure import explain

REASONS = BleakBluetoothNotAvailableReason


def unavailable(reason: BleakBluetoothNotAvailableReason) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError("", reason)


def dbus(name: str, text: str = "") -> BleakDBusError:
    return BleakDBusError(name, [text] if text else [])


@pytest.mark.parametrize(
    ("system", "message"),
    [("Linux", "bluetoothctl power on"), ("Darwin", "System Settings"), ("Windows", "Bluetooth & devices")],
)
def test_when_bluetooth_is_off_the_message_says_how_to_switch_it_on(system: str, message: str) -> None:
    failure = explain(unavailable(REASONS.POWERED_OFF), "polar", system)
    assert message in failure.message
    assert isinstance(failure.error(), BluetoothUnavailable)
    assert not failure.is_final


@pytest.mark.parametrize(
    ("system", "message"),
    [("Linux", "usermod -aG bluetooth"), ("Darwin", "Privacy & Security > Bluetooth"), ("Windows", "Radios")],
)
@pytest.mark.parametrize(
    "reason",
    [REASONS.DENIED_BY_USER, REASONS.DENIED_BY_SYSTEM, REASONS.DENIED_BY_UNKNOWN],
    ids=lambda reason: reason.name,
)
def test_a_missing_permission_says_where_to_grant_it(
    system: str, message: str, reason: BleakBluetoothNotAvailableReason
) -> None:
    failure = explain(unavailable(reason), "polar", system)
    assert message in failure.message
    assert failure.is_final


@pytest.mark.parametrize(
    ("error", "message", "is_radio"),
    [
        (unavailable(REASONS.NO_BLUETOOTH), "no Bluetooth adapter", True),
        (unavailable(REASONS.NO_BLE_CENTRAL_ROLE), "Low Energy", True),
        (FileNotFoundError(2, "no bus"), "no D-Bus system bus", True),
        (dbus("org.bluez.Error.NotReady", "Resource Not Ready"), "Bluetooth is off", True),
        (dbus("org.freedesktop.DBus.Error.ServiceUnknown"), "systemctl start bluetooth", True),
        (dbus("org.freedesktop.DBus.Error.AccessDenied"), "may not use Bluetooth", True),
        (dbus("org.bluez.Error.InProgress"), "busy", False),
        (dbus("org.bluez.Error.AuthenticationFailed"), "paired first", False),
        (dbus("org.bluez.Error.AlreadyConnected"), "connected to another program", False),
        (dbus("org.freedesktop.DBus.Error.UnknownObject"), "out of range", False),
        (dbus("org.bluez.Error.Failed", "le-connection-abort-by-local"), "le-connection-abort-by-local", False),
        (BleakCharacteristicNotFoundError("abcd"), "?profile=", False),
        (BleakDeviceNotFoundError("AA"), "out of range", False),
        (TimeoutError(), "did not answer in time", False),
        (BleakError("strange"), "strange", False),
        (BleakError(), "BleakError", False),
    ],
)
def test_every_failure_is_one_line_that_names_the_device_or_the_radio(
    error: Exception, message: str, is_radio: bool
) -> None:
    failure = explain(error, "My sensor", "Linux")
    assert message in failure.message
    assert "\n" not in failure.message
    assert failure.is_radio is is_radio
    assert isinstance(failure.error(), BluetoothUnavailable if is_radio else DeviceRefused)
    if not is_radio:
        assert "My sensor" in failure.message
