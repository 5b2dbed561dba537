"""From what a person types to a source of samples."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from kinestream.core.errors import ConfigError, MissingExtra
from kinestream.core.source import Source


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the command line adds to an address."""

    data_dir: Path | None = None
    """Where recorded datasets lie."""
    subjects: tuple[str, ...] = ()
    """Only recordings of these people; empty: everybody."""
    columns: str | None = None
    """How the columns of a CSV or Parquet file are to be read, where their names do not say it."""
    speed: float | None = None
    """Multiple of real time, infinity for as fast as possible; None: as the address says, else 1."""
    loop: bool = False
    together: bool = False
    """Play the recordings side by side, each a stream of its own."""
    insecure: bool = False
    """Sockets may leave this machine without keys."""


def open_source(address: str, options: SourceOptions | None = None) -> Source:
    """The source behind an address.

    ``wearer://?seed=1``, ``ble://DEVICE``, ``phone://``, ``zmq+tcp://HOST:PORT``, ``relay://HOST:PORT``,
    ``replay://hapt?speed=10``, the name of a dataset, or the path of a CSV or Parquet file or of a session recording.

    Raises:
        ConfigError: no such kind of address, or an option it does not know or cannot heed.
        DataMissing: the recordings are not where they were looked for.
    """
    options = options or SourceOptions()
    scheme, separator, _ = address.partition("://")
    if not separator:
        return _replay(address, options)
    opener = _SCHEMES.get(scheme)
    if opener is None:
        raise ConfigError(
            f"'{scheme}://' is no kind of source; known: {', '.join(f'{name}://' for name in _SCHEMES)}, "
            "the name of a dataset (kinestream data list), a CSV or Parquet file, or a recording's folder"
        )
    return opener(address, options)


def _replay(name: str, options: SourceOptions) -> Source:
    from kinestream.replay_data import ColumnMap, Player, open_dataset

    if Path(name).is_dir():
        from kinestream.replay_data.recordings import RecordingPlayer, is_recording

        if is_recording(name):
            _refuse(name, options, "data_dir", "subjects", "columns", "loop", "together")
            return RecordingPlayer(name, speed=1.0 if options.speed is None else options.speed)
    columns = ColumnMap.parse(options.columns) if options.columns else None
    dataset = open_dataset(name, options.data_dir, columns)
    if options.subjects:
        dataset = dataset.select(options.subjects)
    speed = 1.0 if options.speed is None else options.speed
    return Player(dataset, speed=speed, loop=options.loop, together=options.together, name=name)


def _replay_address(address: str, options: SourceOptions) -> Source:
    parts = urlsplit(address)
    query = parse_qs(parts.query, keep_blank_values=True)
    unknown = set(query) - {"speed", "subject", "loop", "together"}
    if unknown:
        raise ConfigError(f"{address}: unknown {', '.join(sorted(unknown))}; known: speed, subject, loop, together")
    speed = options.speed
    if speed is None and "speed" in query:
        speed = parse_speed(query["speed"][-1])
    told = replace(
        options,
        subjects=options.subjects or tuple(query.get("subject", ())),
        speed=speed,
        loop=options.loop or _yes(query, "loop"),
        together=options.together or _yes(query, "together"),
    )
    return _replay(f"{parts.netloc}{parts.path}", told)


def _yes(query: dict[str, list[str]], key: str) -> bool:
    return query.get(key, ["0"])[-1] not in ("0", "no", "false")


def _wearer(address: str, options: SourceOptions) -> Source:
    from kinestream.replay_data import Wearer

    _refuse(address, options, "data_dir", "subjects", "columns", "loop", "together")
    return Wearer.from_uri(address, speed=options.speed)


def _zmq(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest import ZmqSource

    _refuse(address, options, "data_dir", "subjects", "columns", "loop", "together", "speed")
    return ZmqSource(address, insecure=options.insecure)


def _relay(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest import RelaySource

    _refuse(address, options, "data_dir", "subjects", "columns", "loop", "together", "speed")
    return RelaySource(address, insecure=options.insecure)


def _lsl(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest.lsl import LslSource

    _refuse(address, options, "data_dir", "subjects", "columns", "loop", "together", "speed")
    return LslSource(address)


_FLAGS = {
    "data_dir": "--data",
    "subjects": "--subject",
    "columns": "--columns",
    "speed": "--speed",
    "loop": "--loop",
    "together": "--together",
}


def _refuse(address: str, options: SourceOptions, *names: str) -> None:
    """Raise ``ConfigError`` where an option was given that this kind of source would pass over in silence."""
    given = [_FLAGS[name] for name in names if getattr(options, name) not in (None, (), False)]
    if given:
        raise ConfigError(f"{address} takes no {', '.join(given)}; leave it out")


def _ble(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest.ble.source import BleSource

    _refuse(address, options, "data_dir", "subjects", "columns", "loop", "together", "speed")
    return BleSource(address)


def _phone(address: str, options: SourceOptions) -> Source:
    from kinestream.ingest.phone.address import PhoneAddress

    _refuse(address, options, "data_dir", "subjects", "columns", "loop", "together", "speed")
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
    print(source.invitation(code=sys.stderr.isatty()), file=sys.stderr, flush=True)
    return source


_SCHEMES: dict[str, Callable[[str, SourceOptions], Source]] = {
    "wearer": _wearer,
    "zmq+tcp": _zmq,
    "relay": _relay,
    "lsl": _lsl,
    "ble": _ble,
    "phone": _phone,
    "replay": _replay_address,
}


def parse_speed(text: str) -> float:
    """``max`` or a multiple of real time.

    Raises:
        ConfigError: neither.
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
