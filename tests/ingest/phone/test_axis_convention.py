"""Conversion of every phone's sensors to the same units and signs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO
from kinestream.ingest.phone.axis_convention import Conversion, choose_conversion
from kinestream.ingest.phone.stream import PhoneStream

from .phones import UP, batch, motion

T = np.arange(300) / 100


def chosen(*arguments: Any, **options: Any) -> Conversion:
    conversion = choose_conversion(*arguments, **options)
    assert conversion is not None
    return conversion


SUM, RAW = ("accelerometer", "gravity"), ("accelerometeruncalibrated",)


@pytest.mark.parametrize(
    ("system", "only", "setting", "requests_say", "reason"),
    [
        ("android", (), None, None, "signs of Android, because only Android sends a total acceleration"),
        (
            "android",
            ("totalacceleration",),
            None,
            "ios",
            "signs of Android, because only Android sends a total acceleration",
        ),
        ("ios", (), None, None, "signs of an iPhone, because the uncalibrated accelerometer is in g"),
        (
            "ios",
            SUM,
            None,
            "ios",
            "signs of an iPhone, according to the app's requests; if 'Standardise Units & Frames' is on, set",
        ),
        (
            "ios",
            SUM,
            None,
            None,
            "signs of an iPhone, because Android would send a total acceleration; if 'Standardise",
        ),
        ("ios", RAW, None, None, "signs of an iPhone, because the uncalibrated accelerometer is in g"),
        ("standard", (), None, "ios", "signs of Android, because the uncalibrated accelerometer is in m/s^2"),
        ("standard", RAW, None, "ios", "signs of Android, because the uncalibrated accelerometer is in m/s^2"),
        ("standard", SUM, "standard", "ios", "units and signs set by os=standard"),
        ("ios", SUM, "ios", "android", "units and signs set by os=ios"),
        ("android", SUM, None, "android", "signs of Android, according to the app's requests"),
    ],
)
def test_every_phone_gives_the_same_stream(system, only, setting, requests_say, reason) -> None:
    """With any sensors switched on, the stream has the values of an Android accelerometer, in m/s^2."""
    stream = PhoneStream("p", "p#1", lambda readings: choose_conversion(readings, setting, requests_say))
    chunks = stream.push(batch(T, system, only), 10.0)
    stream.close()
    assert stream.conversion is not None
    assert reason in stream.conversion.assumed
    x = np.concatenate([chunk.x for chunk in chunks])
    np.testing.assert_allclose(x[:, :3], motion(T) + UP, atol=2e-5)
    assert len(x) == len(T)
    assert chunks[0].channels == ((*ACC, *GYRO) if not only else ACC)


@pytest.mark.parametrize("only", [("gyroscope",), ("gravity",), ("accelerometer", "gyroscope")])
def test_without_acceleration_and_gravity_there_is_no_conversion(only) -> None:
    assert choose_conversion(batch(T, "ios", only)) is None


def test_the_calibrated_gyroscope_is_preferred() -> None:
    readings = dict(batch(T))
    readings["gyroscopeuncalibrated"] = readings["gyroscope"]
    assert list(chosen(readings).sensors) == ["totalacceleration", "gyroscope"]
    del readings["gyroscope"]
    assert list(chosen(readings).sensors) == ["totalacceleration", "gyroscopeuncalibrated"]


def test_an_implausible_level_is_reported() -> None:
    conversion = chosen(batch(T, "ios", RAW), setting="android")
    assert "its median is 1.0 m/s^2, expected about 9.8" in conversion.assumed
    assert "expected about" not in chosen(batch(T, "ios", RAW)).assumed
