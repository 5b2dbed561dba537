"""What kinestream knows of one kind of device: how to recognise it, set it up, read it and stop it.

Pure: no radio here. A module per device has a ``PROFILE``; the Bluetooth source carries its plan out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kinestream.core.errors import ConfigError

from .decoder import BATTERY_LEVEL, Decoder
from .dialogue import Dialogue, Periodic, Read, script


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a device says of itself before anyone connects."""

    name: str | None = None
    services: frozenset[str] = frozenset()
    """128-bit UUIDs in lower case."""
    companies: frozenset[int] = frozenset()
    """Company identifiers of its manufacturer data."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How the advertisements of a kind of device look."""

    names: tuple[str, ...] = ()
    """Beginnings of the name."""
    services: tuple[str, ...] = ()
    companies: tuple[int, ...] = ()

    def match(self, advertisement: Advertisement) -> int:
        """How sure: 3 by name, 2 by service, 1 by the maker alone, 0 not at all."""
        if advertisement.name is not None and advertisement.name.startswith(self.names):
            return 3
        if advertisement.services.intersection(self.services):
            return 2
        return int(bool(advertisement.companies.intersection(self.companies)))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person may ask of a device; None leaves it to the profile."""

    rate_hz: float | None = None
    acc_range_g: float | None = None
    """Full scale of the accelerometer, plus and minus."""
    gyro_range_dps: float | None = None
    """Full scale of the gyroscope, plus and minus, in degrees per second as vendors state it."""
    gyro: bool | None = None
    """Whether to stream angular rate; None: if the device has it."""
    mag: bool = False
    """Whether to stream the magnetic field."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one device with given settings."""

    notify: tuple[str, ...]
    """The characteristics on which samples come; the dialogue subscribes to them."""
    decoder: Callable[[], Decoder]
    """Makes the decoder of a connection, set for what this plan expects."""
    start: Callable[[Decoder], Dialogue]
    """The dialogue that sets the device up and starts it; it may tell the decoder what was agreed."""
    stop: Callable[[Decoder], Dialogue] = field(default_factory=script)
    """The dialogue that ends the stream, on every way out: as far as the link still carries it."""
    periodic: tuple[Periodic, ...] = field(default_factory=lambda: (READ_BATTERY,))


READ_BATTERY = Periodic(60.0, Read(BATTERY_LEVEL, "read the battery level"))


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of device."""

    name: str
    """As a person types it."""
    title: str
    """The products, for people."""
    signature: Signature
    plan: Callable[[Settings], Plan]
    """The plan for some settings; raises ``ConfigError`` for what no such device can do."""
    tested_on: str = "packets of the vendor's or a library's own tests"
    """What its decoder was checked against, for people to judge by."""
    obeys: bool = True
    """Whether settings change what it does; else they only say what it does by itself."""


def choose(setting: str, wanted: float | None, possible: Iterable[float], default: float) -> float:
    """The wanted value, if it is possible; the default if none is wanted.

    Raises:
        ConfigError: it is not; the message names the possible values.
    """
    if wanted is None:
        return default
    values = sorted(possible)
    for value in values:
        if abs(value - wanted) <= 1e-6 * value:
            return value
    names = [f"{value:g}" for value in values]
    listed = f"one of {', '.join(names)}" if len(names) <= 12 else f"a whole number from {names[0]} to {names[-1]}"
    raise ConfigError(f"{setting} cannot be {wanted:g}; choose {listed}")


def refuse(device: str, **unavailable: object) -> None:
    """Refuse settings that a device does not have; keywords are the settings' names with the wanted values.

    Raises:
        ConfigError: one of them was asked for.
    """
    for name, wanted in unavailable.items():
        if wanted not in (None, False):
            raise ConfigError(f"{device} has no setting {name}; leave it out")
