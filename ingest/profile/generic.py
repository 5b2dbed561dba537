"""Profiles from TOML files, for home-made sensors; docs/generic_profile.md lists every key.

``find_profile("generic:FILE.toml")`` returns such a profile, so a home-made device needs no Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kinestream.core.axes import AxisMap, parse_axes
from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import parse_toml

from .decoder import Decoder, Group
from .dialogue import Step, Subscribe, Wait, Write, script
from .generic_stream import StreamLayout, read_stream
from .profile import Plan, Profile, Settings, Signature, choose, refuse
from .toml_table import Table

MAX_FILE_BYTES = 65_536


def load(path: Path) -> Profile:
    """The profile that a file describes.

    Raises:
        ConfigError: the file is missing, too large or not valid TOML, or a key or value is invalid; the message names
            it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name the TOML file of your sensor") from None
    if len(text) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes; name the TOML file of your sensor")
    try:
        return parse(parse_toml(str(path), text.decode()), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; fix the file") from None


def parse(document: Mapping[str, Any], where: str = "profile") -> Profile:
    """The profile of a parsed TOML document.

    Args:
        document: the tables of docs/generic_profile.md.
        where: names the document in messages.
    Raises:
        ConfigError: a key or value is invalid.

    >>> imu = {"characteristic": "2a5b", "rate_hz": 50, "sample": "<3f", "sample_holds": ["acc_x", "acc_y", "acc_z"]}
    >>> parse({"name": "mine", "stream": [imu]}).name
    'mine'
    """
    table = Table(document, where)
    name = table.text("name", default="generic")
    title = table.text("title", default=name)
    advertised = table.table("advertisement", default={})
    signature = Signature(
        names=tuple(advertised.texts("names", default=[])),
        services=tuple(advertised.uuid(text) for text in advertised.texts("services", default=[])),
    )
    advertised.close()
    rates = _rates(table)
    start, stop = (tuple(map(_step, table.tables(key))) for key in ("start", "stop"))
    axes = _axes(table)
    streams = tuple(read_stream(entry, k, axes) for k, entry in enumerate(table.tables("stream"), 1))
    table.close()
    if not streams:
        raise table.error("has no [[stream]]; describe at least one characteristic that sends samples")
    for kind, values in (
        ("characteristic", [stream.characteristic for stream in streams]),
        ("name", [stream.group.name for stream in streams]),
        ("channel", [channel for stream in streams for channel in stream.group.channels]),
    ):
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise table.error(f"uses the {kind} {', '.join(repeated)} in two streams; use each only once")
    plan = partial(_plan, title, streams, rates, start, stop)
    tested_on = "nothing: your own description"
    return Profile(name, title, signature, plan, tested_on, configurable=rates is not None)


@dataclass(frozen=True)
class _Rates:
    """The selectable rates of a device and the commands that select them."""

    characteristic: str
    commands: dict[float, bytes]
    default: float


def _axes(table: Table) -> AxisMap:
    """Read ``axes``: the device's axis that serves as each of x, y and z."""
    try:
        return parse_axes(table.text("axes", default=str(AxisMap())))
    except ConfigError as error:
        raise table.error(f"has {error}") from None


def _step(table: Table) -> Step:
    """Read one ``[[start]]`` or ``[[stop]]``: bytes to write, or seconds to wait."""
    if "wait_s" in table.given:
        step: Step = Wait(table.number("wait_s", least=0.001, most=10))
    else:
        characteristic = table.uuid(table.text("write"))
        acknowledged = table.boolean("response", default=True)
        with_response = acknowledged if "response" in table.given else None
        step = Write(characteristic, table.hex("hex"), "run a step of its profile", with_response)
    table.close()
    return step


def _rates(table: Table) -> _Rates | None:
    """Read ``[rate]``: the command bytes of each rate."""
    if "rate" not in table.given:
        return None
    rate = table.table("rate")
    choices = rate.table("choices")
    commands: dict[float, bytes] = {}
    for key in list(choices.given):
        try:
            hz = float(key)
        except ValueError:
            hz = math.nan
        if not 0 < hz <= 10_000:
            raise choices.error(f"has the key '{key}'; expected rates in Hz")
        commands[hz] = choices.hex(key)
    if not commands:
        raise choices.error("is empty; name each rate with the bytes to write")
    rates = _Rates(
        rate.uuid(rate.text("write")), commands, rate.number("default", default=max(commands), least=0, most=10_000)
    )
    if rates.default not in commands:
        raise rate.error(f"default is {rates.default:g}; expected one of its choices")
    rate.close()
    return rates


def _plan(
    title: str,
    streams: tuple[StreamLayout, ...],
    rates: _Rates | None,
    start: tuple[Step, ...],
    stop: tuple[Step, ...],
    settings: Settings,
) -> Plan:
    refuse(title, acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    commands: tuple[Step, ...] = ()
    groups = tuple(stream.group for stream in streams)
    if rates is not None:
        rate_hz = choose(f"the rate of {title}", settings.rate_hz, rates.commands, rates.default)
        commands = (Write(rates.characteristic, rates.commands[rate_hz], "set the rate"),)
        groups = tuple(Group(g.name, g.channels, rate_hz, g.clock, g.on_change) for g in groups)
    else:
        choose(f"the rate of {title}", settings.rate_hz, {g.fs_hz for g in groups}, groups[0].fs_hz)
    subscriptions = tuple(Subscribe(stream.characteristic) for stream in streams)
    return Plan(
        notify=tuple(stream.characteristic for stream in streams),
        decoder=lambda: Decoder(groups, {stream.characteristic: stream.decode for stream in streams}),
        start=script(*commands, *subscriptions, *start),
        stop=script(*stop),
    )
