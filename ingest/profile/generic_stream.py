"""The packet layout of a home-made sensor: one ``[[stream]]`` of its TOML file."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kinestream.core.axes import AxisMap
from kinestream.core.errors import DecodeError
from kinestream.core.signals import AXES

from .decoder import DEGREE, MAX_PACKET_BYTES, Clock, G, Group, Packet
from .toml_table import Table

UNITS = {
    "acc": {"m/s^2": 1.0, "g": G, "mg": G / 1000},
    "gyro": {"rad/s": 1.0, "dps": DEGREE, "mdps": DEGREE / 1000},
    "mag": {"uT": 1.0, "gauss": 100.0, "mgauss": 0.1},
}
CHANNELS = tuple(f"{sensor}_{axis}" for sensor in UNITS for axis in AXES)
SKIPPED = "_"
TIME, COUNTER = "time", "counter"

_MODULUS = {"B": 2**8, "H": 2**16, "I": 2**32, "Q": 2**64}
"""The value at which a number of each struct letter wraps to 0."""
_NUMBERS = "bBhHiIqQefd"


@dataclass(frozen=True)
class StreamLayout:
    """The packet layout of one characteristic."""

    characteristic: str
    group: Group
    header: struct.Struct
    time_at: int | None
    counter_at: int | None
    sample: struct.Struct
    columns: list[int]
    """Position of each channel in a sample."""
    factors: np.ndarray

    def decode(self, data: bytes) -> list[Packet]:
        """Decode one packet: a header, then samples to the end.

        Raises:
            DecodeError: its size does not fit the layout, or a value is not finite or beyond 1e6.
        """
        n, rest = divmod(len(data) - self.header.size, self.sample.size)
        if rest or n < 1:
            sizes = f"{self.header.size} and a multiple of {self.sample.size}"
            raise DecodeError(f"a packet of {len(data)} bytes; expected {sizes}", data)
        header = self.header.unpack_from(data)
        values = np.array(list(self.sample.iter_unpack(data[self.header.size :])), np.float64)
        with np.errstate(over="ignore"):
            samples = values[:, self.columns] * self.factors
        if not np.abs(samples).max() <= 1e6:  # also True for NaN
            raise DecodeError("a value that is not finite or beyond 1e6; expected plausible sensor values", data)
        time = None if self.time_at is None else header[self.time_at]
        counter = None if self.counter_at is None else header[self.counter_at]
        return [Packet(self.group.name, samples.astype(np.float32), time, counter)]


def read_stream(table: Table, number: int, axes: AxisMap) -> StreamLayout:
    """The layout that a ``[[stream]]`` table describes.

    Args:
        table: the parsed ``[[stream]]``.
        number: its position in the file, from 1; names a stream without a name.
        axes: the device's axis that serves as each of x, y and z.
    Raises:
        ConfigError: a key or value is invalid.
    """
    group_name = table.text("name", default="motion" if number == 1 else f"motion{number}")
    characteristic = table.uuid(table.text("characteristic"))
    rate_hz = table.number("rate_hz", least=0.01, most=10_000)
    header, header_holds = _layout(table, "header", (TIME, COUNTER, SKIPPED), default="<")
    sample, sample_holds = _layout(table, "sample", (*CHANNELS, *(f"-{c}" for c in CHANNELS), SKIPPED))
    channel_entries = [entry for entry in sample_holds if entry != SKIPPED]
    channels = tuple(entry.removeprefix("-") for entry in channel_entries)
    if not channels or len(set(channels)) != len(channels):
        raise table.error(f"sample_holds is {sample_holds}; expected each channel once, and at least one")
    factors: dict[str, float] = {}
    for entry in channel_entries:
        sensor = entry.removeprefix("-").partition("_")[0]
        scale = table.table(sensor, default={})
        unit = scale.text("unit", default=next(iter(UNITS[sensor])), choices=tuple(UNITS[sensor]))
        counts = scale.number("counts", default=1.0, least=1e-9, most=1e12)
        scale.close()
        factors[entry.removeprefix("-")] = (-1 if entry.startswith("-") else 1) * UNITS[sensor][unit] / counts
    if header.size + sample.size > MAX_PACKET_BYTES:
        raise table.error(
            f"describes packets of {header.size + sample.size} bytes; a notification holds at most {MAX_PACKET_BYTES}"
        )
    clock = _clock(table, header.format, header_holds)
    columns = {entry.removeprefix("-"): k for k, entry in enumerate(sample_holds) if entry != SKIPPED}
    sources = {channel: _source(table, channel, columns, axes) for channel in channels}
    on_change = table.boolean("on_change", default=False)
    table.close()
    return StreamLayout(
        characteristic=characteristic,
        group=Group(group_name, channels, rate_hz, clock, on_change),
        header=header,
        time_at=_index_of(header_holds, TIME),
        counter_at=_index_of(header_holds, COUNTER),
        sample=sample,
        columns=[columns[source] for source, _ in sources.values()],
        factors=np.array([sign * factors[source] for source, sign in sources.values()]),
    )


def _source(table: Table, channel: str, columns: Mapping[str, int], axes: AxisMap) -> tuple[str, int]:
    """The channel of the packet that serves as ``channel``, and its sign."""
    sensor, _, axis = channel.partition("_")
    at = AXES.index(axis)
    source = f"{sensor}_{AXES[axes.axes[at]]}"
    if source not in columns:
        raise table.error(f"holds {channel} but not {source}, which the axes '{axes}' put in its place")
    return source, axes.signs[at]


def _layout(
    table: Table, key: str, known: tuple[str, ...], default: str | None = None
) -> tuple[struct.Struct, list[str]]:
    """A struct layout and the entry that each of its numbers holds."""
    text = table.text(key, default=default)
    letters = text[1:].replace(" ", "")
    try:
        if text[:1] not in ("<", ">") or set(letters) - set(_NUMBERS + "x0123456789"):
            raise struct.error
        layout = struct.Struct(text[0] + letters)
        if layout.size > MAX_PACKET_BYTES:
            raise struct.error
    except struct.error:
        raise table.error(
            f"{key} is '{text}'; expected < or > for the byte order and letters of Python's struct, e.g. '<I6h': "
            f"{' '.join(_NUMBERS)} for numbers, x for a byte to skip, at most {MAX_PACKET_BYTES} bytes"
        ) from None
    numbers = len(layout.unpack(bytes(layout.size)))
    holds = table.texts(f"{key}_holds", default=[] if default is not None else None)
    if len(holds) != numbers or not set(holds) <= set(known):
        raise table.error(
            f"{key}_holds is {holds}; expected {numbers} entries, one for each number of '{text}', "
            f"out of {', '.join(known)}"
        )
    return layout, holds


def _clock(table: Table, layout: str, holds: list[str]) -> Clock:
    """Read the meaning of the header's time and counter; they wrap where their bytes do."""
    timing = table.table("clock", default={})
    numbering = table.table("counter", default={})
    time_letter, counter_letter = (_letter(layout, holds, entry) for entry in (TIME, COUNTER))
    for key, letter, keys in (("clock", time_letter, timing), ("counter", counter_letter, numbering)):
        if letter is None and keys.given:
            raise table.error(f"has [{key}] but header_holds names no '{TIME if key == 'clock' else COUNTER}'")
        if letter is not None and letter not in _MODULUS:
            raise table.error(f"reads its {key} as '{letter}'; expected an unsigned number: {', '.join(_MODULUS)}")
    stamps = timing.text("stamps", default="first", choices=("first", "last"))
    counts = numbering.text("counts", default="packets", choices=("packets", "samples"))
    tick_s = timing.number("tick_s", least=1e-12, most=10) if time_letter else None
    timing.close()
    numbering.close()
    return Clock(
        tick_s=tick_s,
        time_modulus=_MODULUS.get(time_letter or ""),
        stamps="last" if stamps == "last" else "first",
        counter_modulus=_MODULUS.get(counter_letter or ""),
        counts="samples" if counts == "samples" else "packets",
    )


def _index_of(holds: list[str], entry: str) -> int | None:
    return holds.index(entry) if entry in holds else None


def _letter(layout: str, holds: list[str], entry: str) -> str | None:
    """The struct letter of a number in the header; None if the header does not hold it."""
    if entry not in holds:
        return None
    repeated = re.findall(r"(\d*)([a-zA-Z])", layout)
    letters = "".join(letter * int(times or 1) for times, letter in repeated if letter != "x")
    return letters[holds.index(entry)]
