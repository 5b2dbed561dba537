"""The bundled model for a sensor: by what the sensor offers, and by where it is worn. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kinestream.core.errors import InputMismatch

from .zoo_table import ANYWHERE, PLACES, SENSORS, BundledModel, check_place, zoo

WEARER = "wearer"
"""The name of the synthetic wearer among the datasets."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model, and why it was chosen.

    >>> print(Choice("watch", "worn at the wrist"))
    model watch: worn at the wrist
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"model {self.name}: {self.reason}"


def choose_model(
    channels: Sequence[str], fs_hz: float | None, worn: str = ANYWHERE, models: Sequence[BundledModel] | None = None
) -> Choice:
    """Return the first bundled model that fits the sensor, and that learned from its place.

    Where the place is unknown, or no model that fits learned from it, only models that learned from several places
    count. The order is that of ``zoo/zoo.toml``.

    Args:
        channels: the source's channels.
        fs_hz: its rate; None: high enough for any model.
        worn: one of ``PLACES``; ``anywhere``: unknown.
        models: the models to choose from, in the order of preference; None: the bundled ones.

    Raises:
        ConfigError: the place is unknown.
        InputMismatch: no model fits the source; the message lists what each needs.

    >>> print(choose_model(("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"), 25.0, "wrist"))
    model watch: the source offers an accelerometer and a gyroscope at 25 Hz, worn at the wrist
    """
    check_place(worn)
    models = zoo() if models is None else models
    fitting = [model for model in models if model.fits(tuple(channels), math.inf if fs_hz is None else fs_hz)]
    offer = f"the source offers {describe_offer(channels, fs_hz)}"
    if not fitting:
        raise InputMismatch(f"no bundled model fits: {offer}; {_needs(models)}")
    anyplace = [model for model in fitting if model.any_place] or fitting
    if worn == ANYWHERE:
        return Choice(anyplace[0].name, f"{offer}; no place given (--worn)")
    trained = [model for model in fitting if worn in model.places]
    if trained:
        return Choice(trained[0].name, f"{offer}, worn {PLACES[worn]}")
    return Choice(anyplace[0].name, f"{offer}; no bundled model for such a sensor learned from one worn {PLACES[worn]}")


def model_for_dataset(
    dataset: str, channels: Sequence[str], fs_hz: float, models: Sequence[BundledModel] | None = None
) -> Choice | None:
    """Return the model that learned from the people of a dataset and fits its samples; None if there is none.

    Args:
        dataset: its name, or ``wearer`` for the synthetic wearer.
        channels, fs_hz, models: as for ``choose_model``.

    >>> imu = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    >>> print(model_for_dataset("hapt", imu, 50.0))
    model uci_cnn: it learned from the people of hapt
    >>> model_for_dataset("walk.csv", imu, 50.0) is None
    True
    """
    people = "the people whom the synthetic wearer imitates" if dataset == WEARER else f"the people of {dataset}"
    for model in zoo() if models is None else models:
        if dataset in model.home and model.fits(tuple(channels), fs_hz):
            return Choice(model.name, f"it learned from {people}")
    return None


def describe_offer(channels: Sequence[str], fs_hz: float | None) -> str:
    """The complete sensors among channels, and the rate if there is one, in words.

    >>> describe_offer(("acc_x", "acc_y", "acc_z"), 50.0)
    'an accelerometer at 50 Hz'
    """
    sensors = [f"{_article(sensor)} {sensor}" for sensor, axes in SENSORS.items() if set(axes) <= set(channels)]
    names = " and ".join(sensors) or ", ".join(channels) or "no channels"
    return names if fs_hz is None else f"{names} at {fs_hz:g} Hz"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _needs(models: Iterable[BundledModel]) -> str:
    """What each model needs; models with the same needs share a clause."""
    names: dict[str, list[str]] = {}
    for model in models:
        names.setdefault(model.needs, []).append(model.name)
    clauses = [f"{', '.join(same)}: {needs}" for needs, same in names.items()]
    return f"needed are {'; '.join(clauses)}; name the columns of a file with --columns, or raise the sensor's rate"
