"""Radio failures as one line that says what happened and what to do on this operating system.

bleak's errors are distinguished by type, reason or D-Bus name, never by the wording of a message.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
)

from kinestream.core.errors import BluetoothUnavailable, DecodeError, DeviceRefused, KinestreamError

_SWITCH_ON = {
    "Linux": "switch it on: bluetoothctl power on (and rfkill unblock bluetooth)",
    "Darwin": "switch it on in the menu bar or under System Settings > Bluetooth",
    "Windows": "switch it on under Settings > Bluetooth & devices",
}
_ALLOW = {
    "Linux": "add yourself to the group bluetooth (sudo usermod -aG bluetooth $USER), then log in again",
    "Darwin": "allow your terminal under System Settings > Privacy & Security > Bluetooth, then restart it",
    "Windows": "allow desktop apps under Settings > Privacy & security > Radios",
}
_PLUG_IN = {
    "Linux": "plug one in; if there is one, see: systemctl status bluetooth, rfkill list",
    "Darwin": "plug one in, or see System Information > Bluetooth",
    "Windows": "plug one in, or see Device Manager > Bluetooth",
}
_START_SERVICE = "start it: sudo systemctl start bluetooth (Debian, Ubuntu: apt install bluez first)"
_REASONS = BleakBluetoothNotAvailableReason
_DENIED = (_REASONS.DENIED_BY_USER, _REASONS.DENIED_BY_SYSTEM, _REASONS.DENIED_BY_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, classified."""

    message: str
    """The cause and the remedy, in one line."""
    is_radio: bool = False
    """This machine's Bluetooth is the cause, not the device."""
    is_final: bool = False
    """Retrying cannot help until the user changes something."""

    def error(self) -> BluetoothUnavailable | DeviceRefused:
        """The exception to raise for this failure."""
        return BluetoothUnavailable(self.message) if self.is_radio else DeviceRefused(self.message)


def explain(error: BaseException, device: str, system: str | None = None) -> Failure:
    """Classify the failure of an action on ``device``.

    Args:
        error: the exception from bleak, D-Bus or the device's profile.
        device: its name, for the message.
        system: ``platform.system()`` of the machine; by default this one.

    >>> explain(TimeoutError(), "Thingy").message.split(":")[0]
    'Thingy did not answer in time'
    """
    system = system or platform.system()
    if isinstance(error, BleakBluetoothNotAvailableError):
        return _unavailable(error, system)
    if isinstance(error, BleakDBusError):
        return _dbus(error, device, system)
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return Failure(f"no D-Bus system bus answers, so no Bluetooth service runs here; {_START_SERVICE}", True)
    if isinstance(error, BleakCharacteristicNotFoundError):
        return Failure(
            f"{device} has no characteristic {error.char_specifier}: its firmware is older, or it is a different kind "
            "of device than its profile describes; name the profile with ?profile=... (kinestream scan shows "
            "recognised devices)",
            is_final=True,
        )
    if isinstance(error, BleakDeviceNotFoundError):
        return Failure(f"{device} is out of range or switched off; switch it on and bring it closer")
    if isinstance(error, TimeoutError):
        return Failure(
            f"{device} did not answer in time: it is out of range, or connected to a phone or another program; "
            "disconnect it there"
        )
    if isinstance(error, DecodeError):
        return Failure(f"{device} sent an answer that its profile does not expect: {error}")
    if isinstance(error, KinestreamError):
        return Failure(str(error))
    return Failure(f"{device}: {str(error) or type(error).__name__}")


def _unavailable(error: BleakBluetoothNotAvailableError, system: str) -> Failure:
    if error.reason is _REASONS.POWERED_OFF:
        return Failure(f"Bluetooth is off; {_SWITCH_ON.get(system, 'switch it on')}", True)
    if error.reason in _DENIED:
        return Failure(f"this program may not use Bluetooth; {_ALLOW.get(system, 'allow it')}", True, True)
    if error.reason is _REASONS.NO_BLE_CENTRAL_ROLE:
        return Failure(
            "the Bluetooth adapter does not support Bluetooth Low Energy; use one of version 4.0 or later", True, True
        )
    return Failure(f"this machine has no Bluetooth adapter; {_PLUG_IN.get(system, 'plug one in')}", True, True)


def _dbus(error: BleakDBusError, device: str, system: str) -> Failure:
    name = error.dbus_error.rpartition(".")[2]
    text = error.dbus_error_details or name
    if name == "NotReady":
        return Failure(f"Bluetooth is off; {_SWITCH_ON.get(system, 'switch it on')}", True)
    if name in ("AccessDenied", "NotAuthorized", "NotPermitted") and error.dbus_error.startswith("org.freedesktop"):
        return Failure(f"this program may not use Bluetooth; {_ALLOW.get(system, 'allow it')}", True, True)
    if name in ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected"):
        return Failure(f"the Bluetooth service does not answer; {_START_SERVICE}", True)
    if name == "InProgress":
        return Failure(f"Bluetooth is already busy with {device}; retrying")
    if name in ("AuthenticationFailed", "AuthenticationRejected", "NotAuthorized", "AuthenticationCanceled"):
        return Failure(f"{device} must be paired first ({text}): bluetoothctl pair ADDRESS", is_final=True)
    if name == "AlreadyConnected":
        return Failure(f"{device} is connected to another program; disconnect it there: bluetoothctl disconnect")
    if name in ("UnknownObject", "DoesNotExist"):
        return Failure(f"{device} is out of range or switched off; switch it on and bring it closer")
    return Failure(f"{device}: {text}")
