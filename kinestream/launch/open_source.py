"""Open the source of samples behind an address."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from urllib.parse import parse_qs

from kinestream.core.errors import ConfigError, MissingExtra
from kinestream.core.source import Source
from kinestream.core.uri import split_uri


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Options that the command line adds to an address; each names its flag."""

    data_dir: Path | None = field(default=None, metadata={"flag": "--data"})
    """Folder of the recorded datasets."""
    subjects: tuple[str, ...] = field(default=(), metadata={"flag": "--subject"})
    """Only recordings of these people; empty: everyone."""
    columns: str | None = field(default=None, metadata={"flag": "--columns"})
    """How to read the columns of a CSV or Parquet file whose names do not say it."""
    speed: float | None = field(default=None, metadata={"flag": "--speed"})
    """Multiple of real time, infinity for as fast as possible; None: the address's speed, else 1."""
    loop: bool = field(default=False, metadata={"flag": "--loop"})
    together: bool = field(default=False, metadata={"flag": "--together"})
    """Play the recordings side by side, each as a separate stream."""
    insecure: bool = False
    """Sockets may leave this machine without keys. Sources without sockets ignore it."""
    on_invitation: Callable[[str], None] | None = field(default=None, compare=False)
    """Called with the lines that tell a person how to connect a phone; None: not shown."""
    qr_code: bool = field(default=False, compare=False)
    """The invitation contains a QR code, which needs a terminal to be drawn on."""


def open_source(address: str, options: SourceOptions | None = None) -> Source:
    """Return the source behind an address.

    ``wearer://?seed=1``, ``ble://DEVICE``, ``phone://``, ``zmq+tcp://HOST:PORT``, ``relay://HOST:PORT``,
    ``replay://hapt?speed=10``, the name of a dataset, the path of a CSV or Parquet file, or a recording's folder.

    Raises:
        ConfigError: the kind of address is unknown, or the source does not accept an option.
        DataMissing: the recordings are not in the folder that was searched.

    >>> open_source("wearer://?seed=1", SourceOptions(speed=2.0)).speed
    2.0
    """
    options = options or SourceOptions()
    scheme, separator, _ = address.partition("://")
    if not separator:
        return _replay(address, options)
    kind = KINDS.get(scheme)
    if kind is None:
        raise ConfigError(
            f"'{scheme}://' is not a kind of source; expected {', '.join(f'{name}://' for name in KINDS)}, "
            "the name of a dataset (kinestream data list), a CSV or Parquet file, or a recording's folder"
        )
    return kind(address, options)


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of source: how to open it, and which options it accepts."""

    open: Callable[[str, SourceOptions], Source]
    accepts: frozenset[str] = frozenset()
    """Names of ``SourceOptions`` fields with a flag."""

    def __call__(self, address: str, options: SourceOptions) -> Source:
        """Open the source.

        Raises:
            ConfigError: an option was given that this kind of source would silently ignore.
        """
        refused = [
            option.metadata["flag"]
            for option in fields(SourceOptions)
            if "flag" in option.metadata
            and option.name not in self.accepts
            and getattr(options, option.name) != option.default
        ]
        if refused:
            raise ConfigError(f"{address} does not accept {', '.join(refused)}; leave it out")
        return self.open(address, options)


def _replay(name: str, options: SourceOptions) -> Source:
    from kinestream.replay_data import ColumnMap, Player, open_dataset

    if os.path.isdir(name):  # pathlib raises for a name that is too long
        from kinestream.replay_data.recordings import is_recording

        if is_recording(name):
            return _RECORDING(name, options)
    columns = ColumnMap.parse(options.columns) if options.columns else None
    dataset = open_dataset(name, options.data_dir, columns)
    if options.subjects:
        dataset = dataset.select(options.subjects)
    speed = 1.0 if options.speed is None else options.speed
    return Player(dataset, speed=speed, loop=options.loop, together=options.together, name=name)


def _replay_address(address: str, options: SourceOptions) -> Source:
    parts = split_uri(address)
    query = parse_qs(parts.query, keep_blank_values=True)
    unknown = set(query) - {"speed", "subject", "loop", "together"}
    if unknown:
        raise ConfigError(f"{address}: unknown {', '.join(sorted(unknown))}; known: speed, subject, loop, together")
    speed = options.speed
    if speed is None and "speed" in query:
        speed = parse_speed(query["speed"][-1])
    merged = replace(
        options,
        subjects=options.subjects or tuple(query.get("subject", ())),
        speed=speed,
        loop=options.loop or _is_on(query, "loop"),
        together=options.together or _is_on(query, "together"),
    )
    return _replay(f"{parts.netloc}{parts.path}", merged)


def _is_on(query: dict[str, list[str]], key: str) -> bool:
    return query.get(key, ["0"])[-1] not in ("0", "no", "false")


def _recording(folder: str, options: SourceOptions) -> Source:
    from kinestream.replay_data.recordings import RecordingPlayer

    return RecordingPlayer(folder, speed=1.0 if options.speed is None else options.speed)


def _wearer(address: str, options: SourceOptions) -> Source:
    from kinestream.replay_data import Wearer

    return Wearer.from_uri(address, speed=options.speed)


def _zmq(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest import ZmqSource

    return ZmqSource(address, insecure=options.insecure)


def _relay(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest import RelaySource

    return RelaySource(address, insecure=options.insecure)


def _lsl(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest.lsl import LslSource

    return LslSource(address)


def _ble(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest.ble.source import BleSource

    return BleSource(address)


def _phone(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest.phone.address import PhoneAddress

    parsed = PhoneAddress.parse(address)
    try:
        if parsed.app == "phyphox":
            from kinestream.ingest.phone.phyphox_source import PhyphoxSource

            return PhyphoxSource(parsed)
        from kinestream.ingest.phone.source import SensorLoggerSource
    except ImportError as error:
        if error.name not in ("aiohttp", "segno", "yarl"):
            raise
        raise MissingExtra("phone", "phone://") from None
    source = SensorLoggerSource(parsed)
    if options.on_invitation:
        options.on_invitation(source.invitation(code=options.qr_code))
    return source


_RECORDING = SourceKind(_recording, frozenset({"speed"}))
KINDS: dict[str, SourceKind] = {
    "wearer": SourceKind(_wearer, frozenset({"speed"})),
    "zmq+tcp": SourceKind(_zmq),
    "relay": SourceKind(_relay),
    "lsl": SourceKind(_lsl),
    "ble": SourceKind(_ble),
    "phone": SourceKind(_phone),
    "replay": SourceKind(_replay_address, frozenset({"data_dir", "subjects", "columns", "speed", "loop", "together"})),
}
"""The kinds of source, by the scheme of their addresses."""


def parse_speed(text: str) -> float:
    """Return the speed in ``max`` or a multiple of real time.

    Raises:
        ConfigError: the text is neither.

    >>> parse_speed("10"), parse_speed("x0.5"), parse_speed("max")
    (10.0, 0.5, inf)
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text.removeprefix("x").removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise ConfigError(f"speed '{text}': expected a multiple of real time such as 1, 10 or 0.5, or 'max'")
    return speed
