"""MbientLab MetaMotion R, RL, C and S: accelerometer, gyroscope and magnetometer as separate streams.

The dialogue first asks which chips the board has, because registers and codes depend on them. Packed registers carry
three samples per notification and are used if the firmware has them.
Source: MetaWear-SDK-Cpp (f67699e), its headers and tests.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import BATTERY, DEGREE, NO_SAMPLES, Decoder, G, Group, Packet, expect_size, floats, rows, scale
from ..profile.dialogue import Dialogue, Periodic, Step, Subscribe, Write
from ..profile.profile import Plan, Profile, Settings, Signature, choose

SERVICE = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFY = "326a9006-85cb-9195-d9dd-464cfbbae75a"

ACC_MODULE, GYRO_MODULE, MAG_MODULE, FUSION_MODULE, SETTINGS_MODULE = 0x03, 0x13, 0x15, 0x19, 0x11
POWER, ENABLE, CONFIG = 1, 2, 3
INFO = 0x80
"""Register 0 of any module, with the read bit."""
READ_BATTERY = bytes([SETTINGS_MODULE, 0x8C])

RATES_HZ = {25.0: 6, 50.0: 7, 100.0: 8, 200.0: 9}
"""Rates that the accelerometers and gyroscopes of both chips share."""
GYRO_CODES = {2000: 0, 1000: 1, 500: 2, 250: 3, 125: 4}
MAG_HZ = 10.0
"""Rate of the regular preset."""


class _Chip(NamedTuple):
    name: str
    rate_bits: int
    """Filter bits next to the rate code."""
    range_codes: dict[int, int]
    """Codes of the accelerometer's ranges, by g."""
    single: int
    packed: int
    """Registers that carry one and three samples."""


ACC_CHIPS = {
    1: _Chip("BMI160", 0x20, {2: 3, 4: 5, 8: 8, 16: 12}, single=0x04, packed=0x1C),
    4: _Chip("BMI270", 0xA0, {2: 0, 4: 1, 8: 2, 16: 3}, single=0x04, packed=0x05),
}
GYRO_CHIPS = {
    0: _Chip("BMI160", 0x20, {}, single=0x05, packed=0x07),
    1: _Chip("BMI270", 0x20, {}, single=0x04, packed=0x05),
}
MAG_SINGLE = 0x05
_VECTORS = {
    ACC_MODULE: ("acc", {0x04, 0x05, 0x1C}),
    GYRO_MODULE: ("gyro", {0x04, 0x05, 0x07}),
    MAG_MODULE: ("mag", {0x05, 0x09}),
}

QUATERNION = ("quat_w", "quat_x", "quat_y", "quat_z")
_FUSION = {4: ("acc", scale((G / 1000, 3))), 5: ("gyro", scale((DEGREE, 3)))}
_ONES = np.ones(4, np.float32)


class MetaMotionDecoder(Decoder):
    """All notifications come from one characteristic: [module][register] and the value.

    It also decodes corrected vectors and the quaternion of the sensor fusion, which another program may have left on.
    """

    def __init__(self, groups: tuple[Group, ...], acc_range_g: float, gyro_range_dps: float) -> None:
        super().__init__(groups, {NOTIFY: self._notification})
        self.other_groups = (Group("orientation", QUATERNION, 100.0),)
        self._units = {
            ACC_MODULE: scale((G * acc_range_g / 32768, 3)),
            # 16.4 counts per deg/s at 2000, as in the SDK: not quite 32768 / 2000.
            GYRO_MODULE: scale((DEGREE * gyro_range_dps / 2000 / 16.4, 3)),
            MAG_MODULE: scale((1 / 16, 3)),
        }

    def _notification(self, data: bytes) -> list[Packet]:
        if len(data) < 2:
            raise DecodeError("a notification; expected a module and a register", data)
        module, register = data[0], data[1]
        if module in _VECTORS:
            name, registers = _VECTORS[module]
            if register in registers:
                n = 1 if len(data) == 8 else 3
                expect_size(data, 2 + 6 * n)
                return [Packet(name, rows(data, "<i2", self._units[module], n, offset=2))]
        if module == FUSION_MODULE and register in _FUSION:
            expect_size(data, 15)
            name, units = _FUSION[register]
            return [Packet(name, floats(data, "<f4", units, offset=2))]
        if module == FUSION_MODULE and register == 7:
            expect_size(data, 18)
            return [Packet("orientation", floats(data, "<f4", _ONES, offset=2))]
        if data[:2] == READ_BATTERY:
            expect_size(data, 5)
            if data[2] > 100:
                raise DecodeError(f"a charge of {data[2]} %; expected 0 to 100", data)
            return [Packet(BATTERY, NO_SAMPLES, battery_frac=data[2] / 100)]
        if register & 0x80:  # the answer to a read, already handled by the dialogue
            self.counts["registers"] += 1
            return []
        raise DecodeError(f"module {module:#04x} register {register:#04x}; expected a streaming register", data)


def plan(settings: Settings) -> Plan:
    """Accelerometer always, gyroscope if present, magnetometer (at 10 Hz) on request."""
    rate_hz = choose("the rate of a MetaMotion", settings.rate_hz, RATES_HZ, default=50.0)
    range_g = choose("the acceleration range of a MetaMotion", settings.acc_range_g, (2, 4, 8, 16), default=8)
    dps = choose("the gyroscope range of a MetaMotion", settings.gyro_range_dps, GYRO_CODES, default=2000)
    groups = [Group("acc", ACC, rate_hz)]
    groups += [Group("gyro", GYRO, rate_hz)] if settings.gyro is not False else []
    groups += [Group("mag", MAG, MAG_HZ)] if settings.mag else []
    return Plan(
        notify=(NOTIFY,),
        decoder=lambda: MetaMotionDecoder(tuple(groups), range_g, dps),
        start=lambda decoder: _start(decoder, settings, RATES_HZ[rate_hz], int(range_g), int(dps)),
        stop=_stop,
        periodic=(Periodic(60.0, Write(COMMAND, READ_BATTERY, "read the battery level")),),
    )


def _start(decoder: Decoder, settings: Settings, rate: int, range_g: int, dps: int) -> Dialogue:
    yield Subscribe(NOTIFY)
    acc, acc_packed = yield from _chip(ACC_MODULE, ACC_CHIPS, "accelerometer")
    if acc is None:
        raise ConfigError("this board has no known accelerometer; use a MetaMotion with a BMI160 or a BMI270")
    # Stop each sensor first: after a crash it may still run, and a running sensor takes no settings.
    yield _write(ACC_MODULE, POWER, 0, to="stop a sensor")
    streams = [(ACC_MODULE, acc.packed if acc_packed else acc.single)]
    yield _write(ACC_MODULE, CONFIG, acc.rate_bits | rate, acc.range_codes[range_g], to="set up the accelerometer")
    groups = [decoder.groups[0]]
    if settings.gyro is not False:
        gyro, gyro_packed = yield from _chip(GYRO_MODULE, GYRO_CHIPS, "gyroscope")
        if gyro is not None:
            streams.append((GYRO_MODULE, gyro.packed if gyro_packed else gyro.single))
            yield _write(GYRO_MODULE, POWER, 0, to="stop a sensor")
            yield _write(GYRO_MODULE, CONFIG, gyro.rate_bits | rate, GYRO_CODES[dps], to="set up the gyroscope")
            groups.append(decoder.groups[1])
        elif settings.gyro:
            raise ConfigError("this board has no gyroscope; leave the setting gyro out")
    if settings.mag:
        present = yield from _info(MAG_MODULE, "magnetometer")
        if not present:
            raise ConfigError("this board has no magnetometer; leave the setting mag out")
        streams.append((MAG_MODULE, MAG_SINGLE))
        yield _write(MAG_MODULE, POWER, 0, to="stop a sensor")
        yield _write(MAG_MODULE, 4, 4, 14, to="set the magnetometer's repetitions")
        yield _write(MAG_MODULE, 3, 0, to="set the magnetometer's rate")
        groups.append(decoder.groups[-1])
    for module, register in streams:
        yield _write(module, register, 1, to="subscribe to a sensor")
        yield _write(module, ENABLE, 1, 0, to="switch its samples on")
        yield _write(module, POWER, 1, to="start a sensor")
    decoder.groups = tuple(groups)


def _stop(decoder: Decoder) -> Dialogue:
    modules = {"acc": ACC_MODULE, "gyro": GYRO_MODULE, "mag": MAG_MODULE}
    for group in decoder.groups:
        yield _write(modules[group.name], POWER, 0, to="stop a sensor")
        yield _write(modules[group.name], ENABLE, 0, 1, to="switch its samples off")


def _chip(module: int, chips: dict[int, _Chip], sensor: str) -> Generator[Step, bytes, tuple[_Chip | None, bool]]:
    """The known chip of a module, else None, and whether it packs samples."""
    info = yield from _info(module, sensor)
    chip = chips.get(info[0]) if info else None
    return chip, chip is not None and (chip.name == "BMI270" or info[1] >= 1)


def _info(module: int, sensor: str) -> Generator[Step, bytes, bytes]:
    """Implementation and revision of a module; empty if the board lacks it."""
    command = bytes([module, INFO])
    answer = yield Write(COMMAND, command, f"ask for the {sensor}", reply_on=NOTIFY, reply_prefix=command)
    if len(answer) == 3:
        raise DecodeError("a module's description; expected two bytes, or four and more", answer)
    return answer[2:]


def _write(*data: int, to: str) -> Write:
    return Write(COMMAND, bytes(data), to)


PROFILE = Profile(
    name="metamotion",
    title="MbientLab MetaMotion R, RL, C, S",
    signature=Signature(("MetaWear", "MetaMotion"), (SERVICE,), (0x067E,)),
    plan=plan,
)
