"""Lines of text over Nordic UART: Bangle.js, Puck.js, or any board that prints numbers.

A line is CSV (3, 6 or 9 numbers: acceleration, angular rate, magnetic field) or a JSON object, in g, deg/s and uT.
Packets may split lines anywhere. An Espruino device (Bangle.js, Puck.js 2) receives a program that prints such lines;
any other board must print them by itself.

The accelerometer of a Bangle.js, a KX023, makes 12.5 samples a second however often it is polled, so the program also
sets the chip's rate, and restores it at the end. It recognises the chip by its register WHO_AM_I; another chip keeps
its rate.
Source: espruino.com/Reference, jswrap_puck.c (+-4 g, 250 deg/s), BangleApps accelsender (its message format) and
accelrec (the chip's registers), BangleApps issue 1958, the data sheet of the KX023-1025.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import ACC, AXES, GYRO, MAG

from ..profile.decoder import DEGREE, MAX_VALUE, Decoder, G, Group, Packet, scale
from ..profile.dialogue import Await, Dialogue, Subscribe, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, refuse

SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
TO_DEVICE = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
FROM_DEVICE = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

DEFAULT_HZ, MAX_HZ = 50.0, 1000.0
KX023_RATES_HZ = (12.5, 25.0, 50.0, 100.0)
"""Rates of a Bangle.js's accelerometer; the position of each is its code in the register ODCNTL."""
PUCK_RATES_HZ = (12.5, 26.0, 52.0, 104.0, 208.0)
MAX_LINE_BYTES = 1024
MAX_NOTIFICATIONS = 50
"""Notifications to examine for the contents of the lines."""
WRITE_BYTES = 20
"""Capacity of the smallest Bluetooth packet."""

SENSORS = {"acc": ACC, "gyro": GYRO, "mag": MAG}
NAMES = {
    "acc": ("acc", "accel", "accelerometer"),
    "gyro": ("gyro", "gyr", "gyroscope"),
    "mag": ("mag", "magnetometer"),
}
"""JSON keys that may hold a sensor's axes."""
LETTERS = {"acc": "a", "gyro": "g", "mag": "m"}
_UNITS = scale((G, 3), (DEGREE, 3), (1.0, 3))


class LineDecoder(Decoder):
    """Assembles lines and reads their numbers. The first valid line sets the channels of all lines.

    Other lines (a prompt, a remark) are skipped and counted. ``asked_hz`` is set once the device turns out to run
    programs.
    """

    def __init__(self, rate_hz: float) -> None:
        super().__init__((Group("motion", ACC, rate_hz),), {FROM_DEVICE: self._text})
        self.known = False
        """Whether a valid line has set the channels."""
        self._rest = b""

    def set_rate(self, rate_hz: float) -> None:
        """Set the rate that the device reports."""
        self.groups = (Group("motion", self.groups[0].channels, rate_hz),)

    def _text(self, data: bytes) -> list[Packet]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
            raise DecodeError(f"{MAX_LINE_BYTES} bytes without a newline; expected lines of numbers", data)
        return [packet for line in lines if (packet := self._line(line.strip())) is not None]

    def _line(self, line: bytes) -> Packet | None:
        if not line:
            return None
        values = _json(line) if line[:1] == b"{" else _csv(line)
        if values is not None and not self.known:
            self.known = True
            self.groups = (Group("motion", (ACC + GYRO + MAG)[: len(values)], self.groups[0].fs_hz),)
        if values is None or len(values) != len(self.groups[0].channels):
            self.counts["other_lines"] += 1
            return None
        return Packet("motion", (np.array([values], np.float32) * _UNITS[: len(values)]))


def _csv(line: bytes) -> list[float] | None:
    try:
        return _plausible([float(part) for part in line.split(b",")])
    except ValueError:
        return None


def _plausible(values: list[float]) -> list[float] | None:
    """The values if they can be 3, 6 or 9 measurements."""
    # As Python's numbers: numpy would convert a value of 60 digits to float32 first, and warn.
    plausible = len(values) in (3, 6, 9) and all(abs(value) <= float(MAX_VALUE) / 100 for value in values)
    return values if plausible else None


def _json(line: bytes) -> list[float] | None:
    try:
        document = json.loads(line)
        values: list[float] = []
        for sensor in SENSORS:
            axes = _axes(document, sensor)
            if axes is None:
                break
            values += [float(axis) for axis in axes]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return _plausible(values)


def _axes(document: dict[str, Any], sensor: str) -> list[Any] | None:
    """A sensor's values: ``{"acc": {"x": ...}}``, ``{"acc": [...]}`` or ``{"ax": ...}``; acc's also ``{"x": ...}``."""
    for name in NAMES[sensor]:
        inner = document.get(name)
        if isinstance(inner, dict):
            return [inner[axis] for axis in AXES]
        if isinstance(inner, list) and len(inner) == 3:
            return inner
    letter = LETTERS[sensor]
    if f"{letter}x" in document:
        return [document[f"{letter}{axis}"] for axis in AXES]
    return [document[axis] for axis in AXES] if sensor == "acc" and "x" in document else None


_CHIP_RATE = "Bangle.accelWr(0x18,%s&127);Bangle.accelWr(0x1B,%s);Bangle.accelWr(0x18,%s)"
"""The chip takes a rate (ODCNTL, 0x1B) only while its top bit of CNTL1 (0x18) is off."""
STOP = (
    "if(global.ksf){if(global.Bangle){Bangle.removeListener('accel',ksf);Bangle.setPollInterval(80);"
    f"if(ksf.c){{{_CHIP_RATE % ('ksf.c', 'ksf.o', 'ksf.c')}}}if(ksf.p)Bangle.setOptions({{powerSave:true}})}}"
    "else{Puck.removeListener('accel',ksf);Puck.accelOff()}delete global.ksf}"
)
"""Ends the program; restores the chip's settings ``c`` and ``o`` and the poll's power saving ``p``, which it noted."""
ANSWER = b'{"rate":'


def start_code(rate_hz: float) -> str:
    """JavaScript that reports its exact rate, then prints CSV lines at about ``rate_hz``.

    >>> "Bangle.setPollInterval(20)" in start_code(50)
    True
    """
    period_ms = min(max(round(1000 / rate_hz), 10), 4000)
    # The slowest rate that has a new sample at every poll. The filter passes half of it, instead of a ninth.
    code = next((k for k, hz in enumerate(KX023_RATES_HZ) if hz > 0.99 * 1000 / period_ms), len(KX023_RATES_HZ) - 1)
    chip_rate = _CHIP_RATE % ("ksf.c", f"{code | 0x40}", "ksf.c")
    puck_hz = min(PUCK_RATES_HZ, key=lambda hz: abs(math.log(hz / rate_hz)))
    report = "Bluetooth.println(JSON.stringify({rate:%g}))"
    return (
        f"{STOP};if(global.Bangle){{ksf=a=>Bluetooth.println([a.x,a.y,a.z].join());"
        "ksf.p=Bangle.getOptions&&Bangle.getOptions().powerSave;if(Bangle.accelRd&&Bangle.accelRd(0x0F)==0x15)"
        f"{{ksf.c=Bangle.accelRd(0x18);ksf.o=Bangle.accelRd(0x1B);{chip_rate}}}"
        f"Bangle.setPollInterval({period_ms});Bangle.on('accel',ksf);{report % (1000 / period_ms)}}}"
        "else if(global.Puck&&Puck.accelOn){ksf=d=>{var a=d.acc,g=d.gyro,k=122e-6,q=875e-5;"
        "Bluetooth.println([a.x*k,a.y*k,a.z*k,g.x*q,g.y*q,g.z*q].map(v=>v.toFixed(4)).join())};"
        f"Puck.accelOn({puck_hz:g});Puck.on('accel',ksf);{report % puck_hz}}}"
    )


def _program_writes(code: str) -> list[Write]:
    """Writes that enter the code as a line without echo, in pieces that fit into any Bluetooth packet."""
    line = b"\x10" + code.encode() + b"\n"
    pieces = [line[at : at + WRITE_BYTES] for at in range(0, len(line), WRITE_BYTES)]
    return [Write(TO_DEVICE, piece, "send a program to Espruino") for piece in pieces]


def plan(settings: Settings) -> Plan:
    """``rate_hz`` sets the rate of an Espruino device; for any other board it describes the board's own rate."""
    refuse("a board over Nordic UART", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    refuse("a board over Nordic UART", gyro=settings.gyro, mag=settings.mag)
    rate_hz = DEFAULT_HZ if settings.rate_hz is None else settings.rate_hz
    if not 0 < rate_hz <= MAX_HZ:
        raise ConfigError(f"the rate of a board cannot be {rate_hz:g}; choose a positive rate up to {MAX_HZ:g} Hz")
    return Plan(
        notify=(FROM_DEVICE,),
        decoder=lambda: LineDecoder(rate_hz),
        start=lambda decoder: _start(decoder, rate_hz),
        stop=script(*_program_writes(STOP)),
    )


def _start(decoder: Decoder, rate_hz: float) -> Dialogue:
    assert isinstance(decoder, LineDecoder)
    yield Subscribe(FROM_DEVICE)
    *pieces, last = _program_writes(start_code(rate_hz))
    # Not `yield from`: it would send the answers into the list.
    for piece in pieces:  # noqa: UP028
        yield piece
    # Only an Espruino device answers; any other board keeps its own rate.
    answer = yield replace(last, reply_on=FROM_DEVICE, reply_prefix=ANSWER, timeout_s=2.0, reply_optional=True)
    if answer:
        decoder.asked_hz = rate_hz
        decoder.set_rate(_reported_rate(answer))
    for _ in range(MAX_NOTIFICATIONS):
        decoder.decode(FROM_DEVICE, (yield Await(FROM_DEVICE, b"", "send a line of numbers")))
        if decoder.known:
            return
    raise DecodeError(f"no line of 3, 6 or 9 numbers in {MAX_NOTIFICATIONS} notifications; expected CSV or JSON")


def _reported_rate(answer: bytes) -> float:
    text = answer.removeprefix(ANSWER).split(b"}")[0]
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = math.nan
    if not 0 < rate_hz <= MAX_HZ:
        raise DecodeError(f"an invalid rate; expected a number up to {MAX_HZ:g} in Hz", answer)
    return rate_hz


PROFILE = Profile(
    name="nus",
    title="Bangle.js, Puck.js, lines of text over Nordic UART",
    signature=Signature(("Bangle.js", "Puck.js"), (SERVICE,)),
    plan=plan,
    tested_on="lines as the makers' documentation shows them",
    configurable=False,
)
