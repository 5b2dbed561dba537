"""The bundled models as the choice of a model needs them: each file's input, and the table beside the files.

``zoo/zoo.toml`` holds what a model file does not say: where the sensor was worn, what the model is good for, and how
right it is on datasets it never saw.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError, InputMismatch, ModelError
from kinestream.core.input_spec import MIN_RATE_SHARE, InputSpec
from kinestream.core.signals import ACC, GYRO, MAG

from .bundled_models import list_models
from .model_file import read_input

ANYWHERE, WAIST = "anywhere", "waist"
PLACES = {
    "wrist": "at the wrist",
    WAIST: "at the waist",
    "pocket": "in a pocket",
    "hip": "at the hip",
    "chest": "on the chest",
    "bag": "in a bag",
}
"""Where a sensor can be worn, and how a sentence says it."""
SENSORS = {"accelerometer": ACC, "gyroscope": GYRO, "magnetometer": MAG}


@dataclass(frozen=True, slots=True)
class BundledModel:
    """One bundled model, without its weights."""

    name: str
    input: InputSpec
    good_for: str = ""
    """One line for people."""
    places: tuple[str, ...] = ()
    """Where the people it learned from wore the sensor."""
    any_place: bool = False
    """Whether it may be used where the place is unknown."""
    home: tuple[str, ...] = ()
    """Datasets of people it learned from, whose replays it is used for by default."""
    elsewhere: tuple[tuple[str, float], ...] = ()
    """Its accuracy, 0 to 1, on datasets of people it never saw, by the dataset's name."""

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors from which every column that it reads can be made.

        >>> zoo_entry("uci_cnn").sensors
        ('accelerometer', 'gyroscope')
        """
        needed = self.input.needed_from((*ACC, *GYRO, *MAG))
        return tuple(sensor for sensor, axes in SENSORS.items() if not set(axes).isdisjoint(needed))

    @property
    def min_rate_hz(self) -> float:
        """The lowest rate of a sensor that it reads.

        >>> zoo_entry("phone_acc").min_rate_hz
        16.0
        """
        return MIN_RATE_SHARE * self.input.fs_hz

    @property
    def needs(self) -> str:
        """What a sensor must offer, in words.

        >>> zoo_entry("uci_cnn").needs
        'accelerometer and gyroscope at 40 Hz or more'
        """
        return f"{' and '.join(self.sensors)} at {self.min_rate_hz:g} Hz or more"

    def fits(self, channels: tuple[str, ...], fs_hz: float) -> bool:
        """Whether a source with these channels and this rate can feed it.

        >>> zoo_entry("uci_cnn").fits(ACC, 50.0), zoo_entry("phone_acc").fits(ACC, 50.0)
        (False, True)
        """
        try:
            self.input.needed_from(channels)
            self.input.check_rate(fs_hz)
        except InputMismatch:
            return False
        return True


@cache
def zoo() -> tuple[BundledModel, ...]:
    """Every bundled model with a file, in the order of preference.

    Raises:
        ModelError: a file has no row in the table, or a row is wrong.

    >>> sorted(model.name for model in zoo()) == sorted(list_models())
    True
    """
    files = list_models()
    path = Path(__file__).parent / "zoo" / "zoo.toml"
    rows = read_table(path)
    for name in files:
        if name not in rows:
            raise ModelError(f"{path} has no row [{name}]; add one: what the model is good for, and its places")
    return tuple(
        BundledModel(name=name, input=read_input(files[name]), **row) for name, row in rows.items() if name in files
    )


def zoo_entry(name: str) -> BundledModel:
    """The bundled model of that name.

    Raises:
        ModelError: there is none.

    >>> zoo_entry("watch").places
    ('wrist',)
    """
    for known in zoo():
        if known.name == name:
            return known
    raise ModelError(unknown("bundled model", name, [known.name for known in zoo()]))


def read_table(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a table: the arguments of ``BundledModel`` by the model's name.

    Raises:
        ModelError: the file cannot be read, or a row is wrong.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _row(row) for name, row in rows.items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError, ConfigError) as error:
        raise ModelError(f"{path}: {error}; expected a table of models, each with good_for and places") from error


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    known = ("good_for", "places", "any_place", "home", "elsewhere")
    for key in row:
        if key not in known:
            raise ConfigError(unknown("key", key, known))
    for place in row["places"]:
        check_place(place)
    return {
        "good_for": row["good_for"],
        "places": tuple(row["places"]),
        "any_place": row.get("any_place", False),
        "home": tuple(row.get("home", ())),
        "elsewhere": tuple(row.get("elsewhere", {}).items()),
    }


def check_place(place: str) -> None:
    """Check the name of a place.

    Raises:
        ConfigError: it is not one of ``PLACES`` or ``anywhere``.

    >>> check_place("wrist")
    """
    if place not in (*PLACES, ANYWHERE):
        raise ConfigError(unknown("place", place, (*PLACES, ANYWHERE)))
