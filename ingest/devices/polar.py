"""Polar H10, Verity Sense and OH1: acceleration, angular rate and magnetic field as PMD streams.

The dialogue asks for the device's supported settings and chooses the wanted rate and ranges; SDK mode offers further
rates. A stream left on drains the battery, so the source stops each stream on every exit and restarts a stream that a
crash left on. The order of the commands is that of polar-ble-sdk's BlePMDClient.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from kinestream.core.errors import ConfigError, DecodeError, DeviceRefused
from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import DEGREE, Clock, Decoder, G, Group, Packet, floats
from ..profile.dialogue import Await, Dialogue, Read, Step, Subscribe, Write
from ..profile.profile import Plan, Profile, Settings, Signature, choose
from . import polar_pmd as pmd

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

CLOCK = Clock(tick_s=1e-9, stamps="last")
RATES_HZ = (25, 26, 50, 52, 100, 104, 200, 208, 416)
DEFAULT_RATE_HZ = 52
MAX_PARTS = 16
"""Maximum parts of one answer, in case a device announces more parts without end."""

_ONES = np.ones(3, np.float32)
MICROTESLA_PER_GAUSS = 100.0


class _Sensor(NamedTuple):
    name: str
    title: str
    channels: tuple[str, ...]
    unit: float
    """SI units per unit of the stream, after its factor."""
    feature: int
    """The sensor's bit in the first byte of the features."""


SENSORS = {
    pmd.ACC: _Sensor("acc", "accelerometer", ACC, G, 0x04),
    pmd.GYRO: _Sensor("gyro", "gyroscope", GYRO, DEGREE, 0x20),
    pmd.MAG: _Sensor("mag", "magnetometer", MAG, MICROTESLA_PER_GAUSS, 0x40),
}
SDK_MODE_FEATURE = 0x02
"""Bit in the second byte of the features."""

ASSUMED_FACTORS = {pmd.ACC: 0.000244, pmd.GYRO: 1.0, pmd.MAG: 1.0}
"""Factors of compressed frames of kind 0 until the device reports one: +-8 g in 16 bits; the rest as in the vendor's
SDK."""


class PolarDecoder(Decoder):
    """Decodes every frame kind of the three sensors, and the control point, whose answers hold the factors."""

    def __init__(self, groups: tuple[Group, ...]) -> None:
        super().__init__(groups, {DATA: self._frame, CONTROL: self._control})
        self._factors: dict[int, float] = {}
        self.sdk_mode = False
        """Whether the start dialogue entered SDK mode."""

    def _control(self, data: bytes) -> list[Packet]:
        if data[:1] == bytes([pmd.STOPPED]):
            self.counts["stopped_by_device"] += 1
            return []
        response = pmd.Response.parse(data)
        if response.operation == pmd.START and response.status == pmd.SUCCESS:
            factor = pmd.factor_of(pmd.parse_settings(response.parameters))
            if factor is not None:
                self._factors[response.measurement] = factor
        return []

    def _frame(self, data: bytes) -> list[Packet]:
        frame = pmd.Frame.parse(data)
        sensor = SENSORS.get(frame.measurement)
        if sensor is None:
            known = ", ".join(map(str, SENSORS))
            raise DecodeError(f"a frame of measurement {frame.measurement}; expected one of {known}", data)
        values, factor = self._values(frame)
        samples = values.astype(np.float32, copy=False) * np.float32(factor * sensor.unit)
        return [Packet(sensor.name, samples, frame.time_ns)]

    def _values(self, frame: pmd.Frame) -> tuple[np.ndarray, float]:
        """(n, 3) numbers and the factor that converts them to g, deg/s or gauss."""
        content, reported = frame.content, self._factors.get(frame.measurement)
        match frame.measurement, frame.compressed, frame.kind:
            case pmd.ACC, False, (0 | 1 | 2) as kind:
                return pmd.raw_samples(content, kind + 1), 1e-3
            case pmd.ACC, True, 1:
                return pmd.delta_samples(content, 3, 16), 1e-3 * (reported or 1.0)
            case pmd.GYRO, True, 1:
                # The deltas are differences of the floats' bits, as 32-bit numbers that wrap.
                bits = (pmd.delta_samples(content, 3, 32) & 0xFFFFFFFF).astype("<u4")
                return floats(bits.tobytes(), "<f4", _ONES, len(bits)), reported or 1.0
            case pmd.MAG, True, 1:  # the fourth column is the calibration state
                return pmd.delta_samples(content, 4, 16)[:, :3], 1e-3 * (reported or 1.0)
            case measurement, True, 0:
                self.counts["factor_assumed"] += reported is None
                return pmd.delta_samples(content, 3, 16), reported or ASSUMED_FACTORS[measurement]
            case _:
                kind = f"{'compressed' if frame.compressed else 'raw'} frame of kind {frame.kind}"
                raise DecodeError(
                    f"a {kind} of measurement {frame.measurement}; expected a kind of its sensor", content
                )


def plan(settings: Settings) -> Plan:
    """Accelerometer always, gyroscope if present, magnetometer on request.

    The magnetometer has its own rates; the plan uses the nearest to the wanted rate.
    """
    rate_hz = choose("the rate of a Polar", settings.rate_hz, RATES_HZ, DEFAULT_RATE_HZ)
    choose("the acceleration range of a Polar", settings.acc_range_g, (2, 4, 8, 16), 8)
    choose("the gyroscope range of a Polar", settings.gyro_range_dps, (245, 250, 500, 1000, 2000), 2000)
    wanted = [pmd.ACC]
    wanted += [pmd.GYRO] if settings.gyro is not False else []
    wanted += [pmd.MAG] if settings.mag else []
    groups = tuple(Group(SENSORS[kind].name, SENSORS[kind].channels, rate_hz, CLOCK) for kind in wanted)
    return Plan(
        notify=(DATA,),
        decoder=lambda: PolarDecoder(groups),
        start=lambda decoder: _start(decoder, settings),
        stop=_stop,
    )


def _start(decoder: Decoder, settings: Settings) -> Dialogue:
    assert isinstance(decoder, PolarDecoder)
    yield Subscribe(CONTROL)
    features = yield Read(CONTROL, "read the features of the device")
    if len(features) < 3 or features[0] != 0x0F:
        raise DecodeError("the features of a Polar; expected 0f and two bytes or more", features)
    kinds = [kind for kind, sensor in SENSORS.items() if features[1] & sensor.feature and _wanted(kind, settings)]
    if pmd.ACC not in kinds:
        raise ConfigError("this Polar streams no acceleration; use an H10, a Verity Sense or an OH1")
    if settings.gyro and pmd.GYRO not in kinds:
        raise ConfigError("this Polar has no gyroscope; leave the setting gyro out")
    if settings.mag and pmd.MAG not in kinds:
        raise ConfigError("this Polar has no magnetometer; leave the setting mag out")
    chosen: dict[int, dict[int, int]] = {}
    try:
        for kind in kinds:
            chosen[kind] = _choose(kind, (yield from _settings(kind, pmd.GET_SETTINGS)), settings)
    except ConfigError:
        if not features[2] & SDK_MODE_FEATURE:
            raise
        for kind in kinds:
            chosen[kind] = _choose(kind, (yield from _settings(kind, pmd.GET_SDK_SETTINGS)), settings)
        yield from _command(bytes([pmd.START, pmd.SDK_MODE]), "enter SDK mode", allow=pmd.ALREADY_IN_STATE)
        decoder.sdk_mode = True
    yield Subscribe(DATA)
    for kind in kinds:
        command = bytes([pmd.START, kind]) + pmd.pack_settings(chosen[kind])
        answer = yield from _command(command, f"start the {SENSORS[kind].title}", allow=pmd.ALREADY_IN_STATE)
        if answer.status == pmd.ALREADY_IN_STATE:  # a crash left it on, with settings unknown
            yield from _command(bytes([pmd.STOP, kind]), f"stop the {SENSORS[kind].title}")
            answer = yield from _command(command, f"start the {SENSORS[kind].title}")
        decoder.decode(CONTROL, bytes([pmd.RESPONSE, pmd.START, kind, pmd.SUCCESS, 0]) + answer.parameters)
    decoder.groups = tuple(
        Group(SENSORS[kind].name, SENSORS[kind].channels, float(chosen[kind][pmd.RATE]), CLOCK) for kind in kinds
    )


def _stop(decoder: Decoder) -> Dialogue:
    assert isinstance(decoder, PolarDecoder)
    on = {group.name for group in decoder.groups}
    for kind, sensor in SENSORS.items():
        if sensor.name in on:
            yield Write(CONTROL, bytes([pmd.STOP, kind]), f"stop the {sensor.title}")
    if decoder.sdk_mode:
        yield Write(CONTROL, bytes([pmd.STOP, pmd.SDK_MODE]), "leave SDK mode")


def _wanted(kind: int, settings: Settings) -> bool:
    return kind == pmd.ACC or (kind == pmd.GYRO and settings.gyro is not False) or (kind == pmd.MAG and settings.mag)


def _settings(kind: int, operation: int) -> Generator[Step, bytes, dict[int, tuple[int, ...]]]:
    answer = yield from _command(bytes([operation, kind]), f"read the settings of the {SENSORS[kind].title}")
    return pmd.parse_settings(answer.parameters)


def _choose(kind: int, possible: dict[int, tuple[int, ...]], settings: Settings) -> dict[int, int]:
    """Choose one value for each setting that the device offers."""
    title = SENSORS[kind].title
    rates = possible.get(pmd.RATE, ())
    if not rates:
        raise DecodeError(f"settings of the {title} without a sampling rate")
    usual = min(rates, key=lambda rate: abs(rate - (settings.rate_hz or DEFAULT_RATE_HZ)))
    chosen = {setting: max(values) for setting, values in possible.items() if values and setting != pmd.FACTOR}
    chosen[pmd.RATE] = usual
    if kind != pmd.MAG:
        chosen[pmd.RATE] = int(choose(f"the rate of this Polar's {title}", settings.rate_hz, rates, usual))
    wanted = {pmd.ACC: settings.acc_range_g, pmd.GYRO: settings.gyro_range_dps}.get(kind)
    ranges = possible.get(pmd.RANGE, ())
    if ranges:
        usual = 8 if kind == pmd.ACC and 8 in ranges else max(ranges)
        chosen[pmd.RANGE] = int(choose(f"the range of this Polar's {title}", wanted, ranges, usual))
    return chosen


def _command(data: bytes, to: str, allow: int = pmd.SUCCESS) -> Generator[Step, bytes, pmd.Response]:
    """Send a command and return its answer, with all its parts.

    Raises:
        DeviceRefused: the answer is an error other than ``allow``.
    """
    prefix = bytes([pmd.RESPONSE, *data[:2]])
    answer = pmd.Response.parse((yield Write(CONTROL, data, to, reply_on=CONTROL, reply_prefix=prefix)))
    if answer.status not in (pmd.SUCCESS, allow):
        raise DeviceRefused(f"the Polar answered the command to {to} with '{answer.status_text}'; switch it off and on")
    parameters, last = answer.parameters, answer
    for _ in range(MAX_PARTS):
        if not last.more:
            break
        last = pmd.Response.parse((yield Await(CONTROL, prefix, to)))
        parameters += last.parameters
    return pmd.Response(answer.operation, answer.measurement, answer.status, False, parameters)


PROFILE = Profile(
    name="polar",
    title="Polar H10, Verity Sense, OH1",
    signature=Signature(("Polar H10", "Polar Sense", "Polar OH1"), (SERVICE,), (0x006B,)),
    plan=plan,
    tested_on="packets captured from devices, and the vendor's own tests",
)
