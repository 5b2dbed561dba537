"""OpenEarable 2: the board describes its sensors and the layout of their samples.

Source: OpenEarable/open_earable_flutter (v2_sensor_scheme_reader.dart, v2_sensor_value_parser.dart,
v2_sensor_handler.dart), firmware open-earable-2 (DefaultSensors.h, IMU.cpp: the time is in microseconds).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import AXES, CHANNEL_UNITS

from ..profile.decoder import DEGREE, Clock, Decoder, G, Group, Packet, floats, rows, scale
from ..profile.dialogue import Dialogue, Read, Subscribe, Write
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

_BASE = "-34aa-11eb-adc1-0242ac120002"
SERVICE = f"34c2e3bb{_BASE}"
DATA = f"34c2e3bc{_BASE}"
CONFIG = f"34c2e3be{_BASE}"
_SCHEMES = "-7e1b-44f2-adc9-e8c06c9ced43"
SENSOR_LIST = f"caa25cb9{_SCHEMES}"
REQUEST_SCHEME = f"caa25cba{_SCHEMES}"
SCHEME = f"caa25cbb{_SCHEMES}"

CLOCK = Clock(tick_s=1e-6)
RATES_HZ = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
"""Rates of the firmware's motion sensor; the list of the board itself takes precedence."""
HEAD_BYTES, STEP_BYTES = 10, 2
"""Head: sensor number, a spare byte, u64 time. Step: the time between samples, after several samples."""
HAS_FREQUENCIES = 0x10

NUMBERS = ("<i1", "<u1", "<i2", "<u2", "<i4", "<u4", "<f4", "<f8")
"""numpy types by their code in a scheme."""
SENSORS = {"ACC": "acc", "GYRO": "gyro", "MAG": "mag"}
UNITS = {
    "acc": {"m/s^2": 1.0, "m/s²": 1.0, "g": G, "mg": G / 1000},
    "gyro": {"rad/s": 1.0, "dps": DEGREE, "deg/s": DEGREE, "°/s": DEGREE},
    "mag": {"uT": 1.0, "µT": 1.0, "mT": 1000.0},
}
_TIME = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Layout:
    """A sensor as its scheme describes it."""

    sensor: int
    kind: str
    """The numpy type of all its numbers."""
    width: int
    """Numbers per sample."""
    channels: tuple[str, ...]
    columns: tuple[int, ...]
    """Positions of the channels among the numbers."""
    factors: NDArray[np.float32]
    """Factor of every number to SI units; 1 for numbers without a channel."""
    rates_hz: tuple[float, ...]
    """The supported rates, at the index that selects each."""

    @property
    def sample_bytes(self) -> int:
        """Size of one sample."""
        return self.width * np.dtype(self.kind).itemsize


_ALL = tuple(name for name in CHANNEL_UNITS if name.partition("_")[0] in UNITS)
FIRMWARE = Layout(0, "<f4", 9, _ALL, tuple(range(9)), scale((1.0, 3), (DEGREE, 3), (1.0, 3)), RATES_HZ)
"""The motion sensor of the released firmware, assumed until a board describes its own."""


class Reader:
    """Reads the fields of a scheme; raises ``DecodeError`` where one is cut off."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, n: int) -> bytes:
        part = self._data[self._at : self._at + n]
        if len(part) < n:
            raise DecodeError(
                f"a sensor scheme that ends at byte {len(self._data)}; expected {n} bytes more", self._data
            )
        self._at += n
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def text(self) -> str:
        return self.take(self.byte()).decode("utf-8", "replace")


def read_scheme(data: bytes) -> Layout | None:
    """The layout that a scheme describes; None if the sensor does not measure acceleration or cannot stream.

    Raises:
        DecodeError: the scheme is cut short, or has unknown number types or units.
    """
    reader = Reader(data)
    sensor = reader.byte()
    reader.text()  # its name
    kinds: list[int] = []
    columns_by_channel: dict[str, tuple[int, float]] = {}
    width = reader.byte()
    for column in range(width):
        kinds.append(reader.byte())
        family, component, unit = reader.text(), reader.text(), reader.text()
        name = next((name for begin, name in SENSORS.items() if family.upper().startswith(begin)), None)
        axis = component[-1:].lower()
        if name is not None and axis in AXES:
            if unit not in UNITS[name]:
                raise DecodeError(f"a sensor in '{unit}'; expected one of {', '.join(UNITS[name])}", data)
            columns_by_channel[f"{name}_{axis}"] = column, UNITS[name][unit]
    options = reader.byte()
    rates: tuple[float, ...] = ()
    if options & HAS_FREQUENCIES:
        count, _, fastest = reader.byte(), reader.byte(), reader.byte()
        rates = struct.unpack(f"<{count}f", reader.take(4 * count))[: fastest + 1]
    channels = tuple(name for name in _ALL if name in columns_by_channel)
    if not {"acc_x", "acc_y", "acc_z"} <= set(channels) or not options & 1 or not rates:
        return None
    if len(set(kinds)) != 1 or kinds[0] >= len(NUMBERS) or not all(0 < rate < 1e5 for rate in rates):
        raise DecodeError(f"a sensor of number types {kinds} and rates {rates}; expected one type from 0 to 7", data)
    factors = np.ones(width, np.float32)
    for column, factor in columns_by_channel.values():
        factors[column] = factor
    columns = tuple(columns_by_channel[name][0] for name in channels)
    return Layout(sensor, NUMBERS[kinds[0]], width, channels, columns, factors, rates)


class OpenEarableDecoder(Decoder):
    """Decodes the motion sensor's packets; skips and counts those of other sensors."""

    def __init__(self, settings: Settings, rate_hz: float) -> None:
        super().__init__((), {DATA: self._decode})
        self._settings = settings
        self.set_layout(FIRMWARE, rate_hz)

    def set_layout(self, layout: Layout, rate_hz: float) -> None:
        """Expect packets of this layout at this rate."""
        unwanted = ("gyro",) * (self._settings.gyro is False) + ("mag",) * (not self._settings.mag)
        selected = [k for k, name in enumerate(layout.channels) if not name.startswith(unwanted)]
        self.layout, self.rate_hz = layout, rate_hz
        self._columns = [layout.columns[k] for k in selected]
        self._all = self._columns == list(range(layout.width))
        self.groups = (Group("motion", tuple(layout.channels[k] for k in selected), rate_hz, CLOCK),)

    def _decode(self, data: bytes) -> list[Packet]:
        layout = self.layout
        if len(data) < HEAD_BYTES:
            raise DecodeError(
                f"a packet of {len(data)} bytes; expected {HEAD_BYTES + layout.sample_bytes} or more", data
            )
        if data[0] != layout.sensor:
            self.counts["other_sensors"] += 1
            return []
        size = len(data) - HEAD_BYTES
        n, rest = (1, 0) if size == layout.sample_bytes else divmod(size - STEP_BYTES, layout.sample_bytes)
        if n < 1 or rest:
            raise DecodeError(f"{size} bytes of samples; expected {layout.sample_bytes} for each", data)
        read = floats if layout.kind == "<f4" else rows
        values = read(data, layout.kind, layout.factors, n, HEAD_BYTES)
        if layout.kind == "<f8" and not (np.abs(values) < 1e6).all():
            raise DecodeError("a value that is not finite or beyond 1e6; expected plausible sensor values", data)
        if not self._all:
            values = values[:, self._columns]
        return [Packet("motion", values.astype(np.float32, copy=False), _TIME.unpack_from(data, 2)[0])]


def plan(settings: Settings) -> Plan:
    """Acceleration and angular rate, the magnetic field on request; the board sets the ranges."""
    refuse("OpenEarable", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    rate_hz = choose("the rate of OpenEarable", settings.rate_hz, RATES_HZ, default=50.0)
    return Plan(
        notify=(DATA,),
        decoder=lambda: OpenEarableDecoder(settings, rate_hz),
        start=_start,
        stop=_stop,
    )


def _start(decoder: Decoder) -> Dialogue:
    assert isinstance(decoder, OpenEarableDecoder)
    sensor_list = yield Read(SENSOR_LIST, "read the list of its sensors")
    if not sensor_list or len(sensor_list) < 1 + sensor_list[0]:
        raise DecodeError("a list of sensors that is cut short; expected their count, then each number", sensor_list)
    yield Subscribe(SCHEME)
    best: Layout | None = None
    for sensor in sensor_list[1 : 1 + sensor_list[0]]:
        answer = yield Write(
            REQUEST_SCHEME,
            bytes([sensor]),
            "request the layout of a sensor's samples",
            reply_on=SCHEME,
            reply_prefix=bytes([sensor]),
        )
        layout = read_scheme(answer)
        if layout is not None and (best is None or len(layout.channels) > len(best.channels)):
            best = layout
    if best is None:
        raise ConfigError("this OpenEarable has no accelerometer that can stream; update its firmware")
    rate_hz = choose("the rate of this OpenEarable", decoder.rate_hz, best.rates_hz, decoder.rate_hz)
    decoder.set_layout(best, choose("the rate", rate_hz, best.rates_hz, best.rates_hz[0]))
    yield Subscribe(DATA)
    yield Write(CONFIG, bytes([best.sensor, best.rates_hz.index(decoder.rate_hz), 1]), "start the motion sensor")


def _stop(decoder: Decoder) -> Dialogue:
    assert isinstance(decoder, OpenEarableDecoder)
    layout = decoder.layout
    index = layout.rates_hz.index(decoder.rate_hz)
    yield Write(CONFIG, bytes([layout.sensor, index, 0]), "stop the motion sensor")


PROFILE = Profile(
    name="openearable",
    title="OpenEarable 2",
    signature=Signature(("OpenEarable",), (SERVICE,)),
    plan=plan,
    tested_on="packets built from the vendor's library and firmware",
)
