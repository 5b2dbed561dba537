"""WitMotion BWT901BLE, WT901BLE, WT9011DCL: a notification may hold several frames or a part of one.

Source: WITMOTION/WitBluetooth_BWT901BLE5_0 (device_model.py), the WT901BLE data sheet.
"""

from __future__ import annotations

import struct
from datetime import datetime

from kinestream.core.signals import ACC, GYRO

from ..profile.decoder import BATTERY, DEGREE, NO_SAMPLES, Decoder, G, Group, Packet, rows, scale
from ..profile.dialogue import Periodic, Subscribe, Wait, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

# The vendor's own base: 9a where the Bluetooth SIG's has 9b.
SERVICE = "0000ffe5-0000-1000-8000-00805f9a34fb"
DATA = "0000ffe4-0000-1000-8000-00805f9a34fb"
COMMAND = "0000ffe9-0000-1000-8000-00805f9a34fb"

MOTION, REGISTERS = b"\x55\x61", b"\x55\x71"
PLAIN_BYTES, DATED_BYTES = 20, 28
"""Newer firmware appends date and time to the nine values."""

UNLOCK = bytes.fromhex("ffaa6988b5")
RATE_CODES = {0.2: 1, 0.5: 2, 1.0: 3, 2.0: 4, 5.0: 5, 10.0: 6, 20.0: 7, 50.0: 8, 100.0: 9, 200.0: 10}
VOLTAGE_REGISTER = 0x64
CHARGE = (
    (396, 1.0),
    (393, 0.9),
    (387, 0.75),
    (382, 0.6),
    (379, 0.5),
    (377, 0.4),
    (373, 0.3),
    (370, 0.2),
    (368, 0.15),
    (350, 0.1),
    (340, 0.05),
)
"""Charge from this many hundredths of a volt upwards, as in the vendor's own program."""

EPOCH = datetime(2000, 1, 1)
_DATE = struct.Struct("<6BH")
_UNITS = scale((16 * G / 32768, 3), (2000 * DEGREE / 32768, 3))


class WitDecoder(Decoder):
    """Finds the frames in a stream of bytes; skips and counts bytes between them.

    The date of a frame becomes a device time in milliseconds since 2000, but the group declares no clock: most
    firmware sends no date, and the calendar may change during a stream.
    """

    def __init__(self, rate_hz: float) -> None:
        super().__init__((Group("motion", ACC + GYRO, rate_hz),), {DATA: self._bytes})
        self._size = PLAIN_BYTES
        """Size of a motion frame, as last seen."""
        self._rest = b""
        self._skipped = 0
        """Bytes skipped since the last frame."""

    def _bytes(self, data: bytes) -> list[Packet]:
        if len(data) == DATED_BYTES and data.startswith(MOTION) and not _is_header(data, PLAIN_BYTES):
            self._size = DATED_BYTES
        buffer, at = self._rest + data, 0
        packets: list[Packet] = []
        while True:
            start = _next_header(buffer, at)
            self._skipped += start - at
            self.counts["skipped_bytes"] += start - at
            size = self._frame_size(buffer, start)
            if len(buffer) < start + size:
                break
            at = start + size
            packets += self._frame(buffer[start:at])
            self._skipped = 0
        self._rest = buffer[start:]
        return packets

    def _frame_size(self, buffer: bytes, start: int) -> int:
        """Size of the frame that begins at ``start``; the bytes after it distinguish the two kinds of firmware."""
        if buffer.startswith(REGISTERS, start):
            return PLAIN_BYTES
        if _is_header(buffer, start + PLAIN_BYTES):
            self._size = PLAIN_BYTES
        elif _is_header(buffer, start + DATED_BYTES) or (
            self._skipped == DATED_BYTES - PLAIN_BYTES and _is_header(buffer, start)
        ):
            self._size = DATED_BYTES
        return self._size

    def _frame(self, frame: bytes) -> list[Packet]:
        if frame.startswith(MOTION):
            return [Packet("motion", rows(frame, "<i2", _UNITS, offset=2), self._time_ms(frame))]
        if frame[2] != VOLTAGE_REGISTER:
            self.counts["registers"] += 1
            return []
        volts = int.from_bytes(frame[4:6], "little")
        frac = next((share for from_volts, share in CHARGE if volts >= from_volts), 0.0)
        return [Packet(BATTERY, NO_SAMPLES, battery_frac=frac)]

    def _time_ms(self, frame: bytes) -> int | None:
        """The calendar time of a dated frame, in milliseconds since 2000."""
        if len(frame) < DATED_BYTES:
            return None
        year, month, day, hour, minute, second, ms = _DATE.unpack_from(frame, PLAIN_BYTES)
        try:
            since = datetime(2000 + year, month, day, hour, minute, second) - EPOCH
        except ValueError:
            self.counts["impossible_dates"] += 1
            return None
        return (since.days * 86_400 + since.seconds) * 1000 + ms


def _is_header(buffer: bytes, at: int) -> bool:
    return buffer[at : at + 2] in (MOTION, REGISTERS)


def _next_header(buffer: bytes, at: int) -> int:
    """Position of the next header, or of a last byte that may begin one, or the end of the buffer."""
    while (at := buffer.find(0x55, at)) >= 0:
        if at + 1 == len(buffer) or _is_header(buffer, at):
            return at
        at += 1
    return len(buffer)


def plan(settings: Settings) -> Plan:
    """Acceleration and angular rate together, +-16 g and +-2000 deg/s. The rate lasts until the device is off."""
    refuse("the WitMotion", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps, mag=settings.mag)
    rate_hz = choose("the rate of a WitMotion", settings.rate_hz, RATE_CODES, default=50.0)
    read_voltage = Write(COMMAND, bytes([0xFF, 0xAA, 0x27, VOLTAGE_REGISTER, 0]), "read the battery's voltage")
    return Plan(
        notify=(DATA,),
        decoder=lambda: WitDecoder(rate_hz),
        start=script(
            Subscribe(DATA),
            Write(COMMAND, UNLOCK, "unlock the settings"),
            Wait(0.1),
            Write(COMMAND, bytes([0xFF, 0xAA, 0x03, RATE_CODES[rate_hz], 0]), "set the rate"),
        ),
        periodic=(Periodic(60.0, read_voltage),),
    )


PROFILE = Profile(
    name="witmotion",
    title="WitMotion BWT901BLE, WT901BLE, WT9011DCL",
    signature=Signature(("WT901", "BWT901", "WT9011", "WTSDCL"), (SERVICE,)),
    plan=plan,
    tested_on="packets captured from devices",
)
