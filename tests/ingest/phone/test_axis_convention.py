from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO
from kinestream.ingest.phone.axis_convention import Recipe, choose
from kinestream.ingest.phone.stream import PhoneStream

from .phones import UP, batch, motion

T = np.arange(300) / 100


def chosen(*told: Any, **options: Any) -> Recipe:
    recipe = choose(*told, **options)
    assert recipe is not None
    return recipe


SUM, RAW = ("accelerometer", "gravity"), ("accelerometeruncalibrated",)


@pytest.mark.parametrize(
    ("system", "only", "told", "requests_say", "why"),
    [
        ("android", (), None, None, "signs of Android, which alone sends a total"),
        ("android", ("totalacceleration",), None, "ios", "signs of Android, which alone sends a total"),
        ("ios", (), None, None, "signs of an iPhone, as the uncalibrated accelerometer is in g"),
        (
            "ios",
            SUM,
            None,
            "ios",
            "signs of an iPhone, as its requests say; if 'Standardise Units & Frames' is on, say",
        ),
        ("ios", SUM, None, None, "signs of an iPhone, as Android would send a total; if 'Standardise"),
        ("ios", RAW, None, None, "signs of an iPhone, as the uncalibrated accelerometer is in g"),
        ("standard", (), None, "ios", "signs of Android, as the uncalibrated accelerometer is in m/s^2"),
        ("standard", RAW, None, "ios", "signs of Android, as the uncalibrated accelerometer is in m/s^2"),
        ("standard", SUM, "standard", "ios", "units and signs as os=standard says"),
        ("ios", SUM, "ios", "android", "units and signs as os=ios says"),
        ("android", SUM, None, "android", "signs of Android, as its requests say"),
    ],
)
def test_every_phone_reads_the_same(system, only, told, requests_say, why) -> None:
    """Whatever sensors are switched on, the stream has what an Android accelerometer reads, in m/s^2."""
    stream = PhoneStream("p", "p#1", lambda seen: choose(seen, told, requests_say))
    chunks = stream.push(batch(T, system, only), 10.0)
    stream.close()
    assert stream.recipe is not None
    assert why in stream.recipe.assumed
    x = np.concatenate([chunk.x for chunk in chunks])
    np.testing.assert_allclose(x[:, :3], motion(T) + UP, atol=2e-5)
    assert len(x) == len(T)
    assert chunks[0].channels == ((*ACC, *GYRO) if not only else ACC)


@pytest.mark.parametrize("only", [("gyroscope",), ("gravity",), ("accelerometer", "gyroscope")])
def test_without_acceleration_and_gravity_there_is_no_recipe(only) -> None:
    assert choose(batch(T, "ios", only)) is None


def test_the_calibrated_gyroscope_is_preferred() -> None:
    seen = dict(batch(T))
    seen["gyroscopeuncalibrated"] = seen["gyroscope"]
    assert list(chosen(seen).sensors) == ["totalacceleration", "gyroscope"]
    del seen["gyroscope"]
    assert list(chosen(seen).sensors) == ["totalacceleration", "gyroscopeuncalibrated"]


def test_an_implausible_level_is_told() -> None:
    recipe = chosen(batch(T, "ios", RAW), told="android")
    assert "1.0 m/s^2 in the median, expected about 9.8" in recipe.assumed
    assert "expected about" not in chosen(batch(T, "ios", RAW)).assumed
