"""The profile of one kind of device: how to recognise, configure, decode and stop it.

Pure: no radio here. Each device module defines a ``PROFILE``; the Bluetooth source carries out its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kinestream.core.errors import ConfigError

from .decoder import BATTERY_LEVEL, Decoder
from .dialogue import Dialogue, Periodic, Read, script


@dataclass(frozen=True, slots=True)
class Advertisement:
    """The data that a device broadcasts before a connection."""

    name: str | None = None
    services: frozenset[str] = frozenset()
    """128-bit UUIDs in lower case."""
    companies: frozenset[int] = frozenset()
    """Company identifiers in its manufacturer data."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The advertisements of one kind of device.

    >>> Signature(names=("Polar",)).match(Advertisement("Polar H10"))
    3
    """

    names: tuple[str, ...] = ()
    """Possible beginnings of the name."""
    services: tuple[str, ...] = ()
    companies: tuple[int, ...] = ()

    def match(self, advertisement: Advertisement) -> int:
        """Confidence of the match: 3 by name, 2 by service, 1 by manufacturer only, 0 for no match."""
        if advertisement.name is not None and advertisement.name.startswith(self.names):
            return 3
        if advertisement.services.intersection(self.services):
            return 2
        return int(bool(advertisement.companies.intersection(self.companies)))


@dataclass(frozen=True, slots=True)
class Settings:
    """User settings of a device; None leaves a setting to the profile.

    >>> Settings(rate_hz=52, gyro=False).mag
    False
    """

    rate_hz: float | None = None
    acc_range_g: float | None = None
    """Full scale of the accelerometer, plus and minus."""
    gyro_range_dps: float | None = None
    """Full scale of the gyroscope, plus and minus, in degrees per second, as vendors state it."""
    gyro: bool | None = None
    """Whether to stream angular rate; None: if the device has a gyroscope."""
    mag: bool = False
    """Whether to stream the magnetic field."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one device with given settings."""

    notify: tuple[str, ...]
    """The characteristics that carry samples; the dialogue subscribes to them."""
    decoder: Callable[[], Decoder]
    """Makes the decoder of an epoch, configured for this plan."""
    start: Callable[[Decoder], Dialogue]
    """The dialogue that configures and starts the device; it may adjust the decoder to the device's answers."""
    stop: Callable[[Decoder], Dialogue] = field(default_factory=script)
    """The dialogue that ends the stream, run on every exit, as far as the link still works."""
    periodic: tuple[Periodic, ...] = field(default_factory=lambda: (READ_BATTERY,))
    """Steps to repeat while the stream runs."""


READ_BATTERY = Periodic(60.0, Read(BATTERY_LEVEL, "read the battery level"))


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of device."""

    name: str
    """The name that users type."""
    title: str
    """Product names, for display."""
    signature: Signature
    plan: Callable[[Settings], Plan]
    """The plan for given settings; raises ``ConfigError`` for settings that no such device supports."""
    tested_on: str = "packets of the vendor's or a library's own tests"
    """The data its decoder was checked against, for users to judge."""
    configurable: bool = True
    """Whether settings change the device; if False, they only describe what it does by itself."""


def choose(setting: str, wanted: float | None, possible: Iterable[float], default: float) -> float:
    """The wanted value if it is possible; the default if none is wanted.

    Raises:
        ConfigError: the value is not possible; the message names the possible values.

    >>> choose("the rate of a sensor", 50, (25, 50, 100), default=25)
    50
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
    """Refuse settings that a device does not have; the keywords map setting names to the wanted values.

    Raises:
        ConfigError: one of them is set.
    """
    for name, wanted in unavailable.items():
        if wanted not in (None, False):
            raise ConfigError(f"{device} has no setting {name}; leave it out")
