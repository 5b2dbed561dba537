"""Addresses of LSL streams, and which of the streams in the network an address means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError, InputMismatch

from ..zmq.wire import MAX_FS_HZ, MIN_FS_HZ
from .columns import SENSORS, Description

_KEYS = ("type", "source_id", "host", "channels", "rate", "once", *SENSORS)


@dataclass(frozen=True, slots=True)
class LslAddress:
    """A validated address.

    >>> address = LslAddress.parse("lsl://Muse?type=ACC,GYRO&acc=g")
    >>> address.name, address.types, address.units
    ('Muse', ('ACC', 'GYRO'), {'acc': 'g'})
    """

    uri: str
    name: str
    """The stream's name; empty for any."""
    types: tuple[str, ...]
    """The types to read, one stream each; empty for any."""
    source_id: str
    host: str
    channels: tuple[str, ...] | None
    """The channel of each column, ``-`` for none."""
    units: Mapping[str, str]
    """Units by sensor."""
    rate_hz: float | None
    once: bool

    @classmethod
    def parse(cls, uri: str) -> LslAddress:
        """Parse an address from the command line.

        Raises:
            ConfigError: the address is malformed or has an unknown option.
        """
        try:
            parts = urlsplit(uri)
        except ValueError:  # a bracket, which URLs keep for IPv6
            parts = None
        if parts is None or parts.fragment:
            raise ConfigError(f"'{uri}': write special characters of a name in hex: # as %23, [ as %5B, ] as %5D")
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        name = unquote(parts.netloc)
        expected = f"expected lsl://NAME, with {', '.join(_KEYS)}"
        for key in query:
            if key not in _KEYS:
                raise ConfigError(f"'{uri}': {unknown('key', key, _KEYS, 0.6)}; {expected}")
        types = tuple(text.strip() for text in query.get("type", "").split(",") if text.strip())
        if parts.path.strip("/") or not (name or types or query.get("source_id")):
            raise ConfigError(f"'{uri}': no name; {expected}")
        if len({text.lower() for text in types}) != len(types):
            raise ConfigError(f"'{uri}': type={query['type']}; expected each type once")
        if len(types) > 1 and ("channels" in query or query.get("source_id")):
            raise ConfigError(f"'{uri}': channels= and source_id= belong to one stream; expected one type with them")
        rate_hz = None
        if "rate" in query:
            try:
                rate_hz = float(query["rate"])
            except ValueError:
                rate_hz = math.nan
            if not MIN_FS_HZ <= rate_hz <= MAX_FS_HZ:
                raise ConfigError(
                    f"'{uri}': rate={query['rate']}; expected {MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz, e.g. rate=50"
                )
        channels = tuple(query["channels"].split(",")) if "channels" in query else None
        units = {sensor: query[sensor] for sensor in SENSORS if query.get(sensor)}
        source_id, host = query.get("source_id", ""), query.get("host", "")
        return cls(uri, name, types, source_id, host, channels, units, rate_hz, query.get("once") == "1")

    def matching(self, streams: Sequence[Description], kind: str) -> list[Description]:
        """Return the streams that the address means.

        Args:
            kind: the type; empty for any.
        """
        return [
            stream
            for stream in streams
            if (not self.name or stream.name == self.name)
            and (not kind or stream.kind.lower() == kind.lower())
            and (not self.source_id or stream.source_id == self.source_id)
            and (not self.host or stream.host == self.host)
        ]

    def choose(self, streams: Sequence[Description], kind: str) -> Description | None:
        """Return the only stream that the address means; None if there is none yet.

        Raises:
            InputMismatch: the address means several; the message lists them.
        """
        matching = self.matching(streams, kind)
        if len(matching) < 2:
            return matching[0] if matching else None
        raise InputMismatch(
            f"{self.uri} means {len(matching)} streams: {'; '.join(stream.line() for stream in matching)}: "
            f"{_how_to_choose(matching)}"
        )

    def wanted(self, kind: str) -> str:
        """Return what the address means, in words.

        >>> LslAddress.parse("lsl://Muse?type=ACC").wanted("ACC")
        "an LSL stream with the name 'Muse', the type 'ACC'"
        """
        parts = {"name": self.name, "type": kind, "source_id": self.source_id, "host": self.host}
        return "an LSL stream with " + ", ".join(f"the {key} '{value}'" for key, value in parts.items() if value)


def _how_to_choose(streams: Sequence[Description]) -> str:
    """Return the option that tells these streams apart."""
    kinds = {stream.kind for stream in streams}
    if len(kinds) == len(streams) and "" not in kinds:
        motion = [kind for kind in kinds if kind.lower().startswith(("acc", "gyr"))]
        join = f", or join them with ?type={','.join(sorted(motion))}" if len(motion) == 2 else ""
        return f"choose one with ?type=TYPE{join}"
    if len({stream.source_id for stream in streams} - {""}) == len(streams):
        return "choose one with ?source_id=ID"
    if len({stream.name for stream in streams}) == len(streams):
        return "choose one by its name, lsl://NAME"
    if len({stream.host for stream in streams} - {""}) == len(streams):
        return "choose one with ?host=HOST"
    return "choose one with ?type=, ?source_id= or ?host=, or give each outlet a source_id of its own"
