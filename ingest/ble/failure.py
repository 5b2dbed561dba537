"""What went wrong with the radio, in one line that says what to do, for the system it happened on.

bleak's errors are told apart by their type, their reason or their D-Bus name, never by the wording of a message.
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
    "Darwin": "allow your terminal under System Settings > Privacy & Security > Bluetooth, then start it again",
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
class Trouble:
    """One failure, told apart."""

    message: str
    """What was found, and what to do, in one line."""
    is_radio: bool = False
    """This machine's Bluetooth is the cause, not the device."""
    is_final: bool = False
    """Trying again as things are will not help."""

    def error(self) -> BluetoothUnavailable | DeviceRefused:
        return BluetoothUnavailable(self.message) if self.is_radio else DeviceRefused(self.message)


def tell(error: BaseException, device: str, system: str | None = None) -> Trouble:
    """The failure of an action with ``device``.

    Args:
        error: what bleak, D-Bus or the device's profile raised.
        device: its name, for the message.
        system: ``platform.system()`` of the machine; by default this one.
    """
    system = system or platform.system()
    if isinstance(error, BleakBluetoothNotAvailableError):
        return _unavailable(error, system)
    if isinstance(error, BleakDBusError):
        return _dbus(error, device, system)
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return Trouble(f"no D-Bus system bus answers, so there is no Bluetooth service here; {_START_SERVICE}", True)
    if isinstance(error, BleakCharacteristicNotFoundError):
        return Trouble(
            f"{device} has no characteristic {error.char_specifier}: it is another kind of device than its profile "
            "says, or older; name the profile with ?profile=... (kinestream scan shows what is recognised)",
            is_final=True,
        )
    if isinstance(error, BleakDeviceNotFoundError):
        return Trouble(f"{device} is out of reach or switched off; bring it near")
    if isinstance(error, TimeoutError):
        return Trouble(
            f"{device} did not answer in time: out of reach, or connected to a phone or another program; "
            "disconnect it there"
        )
    if isinstance(error, DecodeError):
        return Trouble(f"{device} answered what its profile does not expect: {error}")
    if isinstance(error, KinestreamError):
        return Trouble(str(error))
    return Trouble(f"{device}: {str(error) or type(error).__name__}")


def _unavailable(error: BleakBluetoothNotAvailableError, system: str) -> Trouble:
    if error.reason is _REASONS.POWERED_OFF:
        return Trouble(f"Bluetooth is off; {_SWITCH_ON.get(system, 'switch it on')}", True)
    if error.reason in _DENIED:
        return Trouble(f"this program may not use Bluetooth; {_ALLOW.get(system, 'allow it')}", True, True)
    if error.reason is _REASONS.NO_BLE_CENTRAL_ROLE:
        return Trouble(
            "the Bluetooth adapter knows no Bluetooth Low Energy; use one of version 4.0 or later", True, True
        )
    return Trouble(f"this machine has no Bluetooth adapter; {_PLUG_IN.get(system, 'plug one in')}", True, True)


def _dbus(error: BleakDBusError, device: str, system: str) -> Trouble:
    name = error.dbus_error.rpartition(".")[2]
    text = error.dbus_error_details or name
    if name == "NotReady":
        return Trouble(f"Bluetooth is off; {_SWITCH_ON.get(system, 'switch it on')}", True)
    if name in ("AccessDenied", "NotAuthorized", "NotPermitted") and error.dbus_error.startswith("org.freedesktop"):
        return Trouble(f"this program may not use Bluetooth; {_ALLOW.get(system, 'allow it')}", True, True)
    if name in ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected"):
        return Trouble(f"the Bluetooth service does not answer; {_START_SERVICE}", True)
    if name == "InProgress":
        return Trouble(f"Bluetooth is busy with {device} already; trying again")
    if name in ("AuthenticationFailed", "AuthenticationRejected", "NotAuthorized", "AuthenticationCanceled"):
        return Trouble(f"{device} wants to be paired first ({text}): bluetoothctl pair ADDRESS", is_final=True)
    if name == "AlreadyConnected":
        return Trouble(f"{device} is connected to another program; disconnect it there: bluetoothctl disconnect")
    if name in ("UnknownObject", "DoesNotExist"):
        return Trouble(f"{device} is out of reach or switched off; bring it near")
    return Trouble(f"{device}: {text}")
