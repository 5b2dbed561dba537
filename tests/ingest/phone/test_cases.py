"""Phones that send otherwise than expected, over real HTTP: each arrives rightly, or the source says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from kinestream.core.evidence import Reception
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY

from .phones import T0_NS, UP, motion, turning
from .test_source import Listener, listening

SECONDS = 8.0
TOTAL, GYROSCOPE = "totalacceleration", "gyroscope"

Values = Callable[[np.ndarray], Any]
Sensor = tuple[np.ndarray, np.ndarray, Values]
"""(n,) seconds at which readings are taken, (n, 3) values, and the form in which a value is written."""


def xyz(row: np.ndarray) -> dict[str, float]:
    return dict(zip("xyz", map(float, row), strict=True))


def every(hz: float, seconds: float = SECONDS) -> np.ndarray:
    return np.arange(round(seconds * hz)) / hz


def acc(t: np.ndarray, form: Values = xyz) -> Sensor:
    return t, motion(t) + UP, form


def gyro(t: np.ndarray, form: Values = xyz) -> Sensor:
    return t, turning(t), form


def pushes(
    sensors: Mapping[str, Sensor],
    ahead_s: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
    each_s: float = 0.2,
    late: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Return the messages of a recording, a push every ``each_s`` seconds.

    Args:
        ahead_s: by how much the times of a sensor are ahead of those at which its readings are taken.
        late: sensors whose readings the phone delivers a second's worth at once.
    """
    rows: list[tuple[float, dict[str, Any]]] = []
    for name, (t, x, form) in sensors.items():
        stamped = t + (ahead_s or {}).get(name, np.zeros_like)(t)
        sent_at = np.ceil(t + 1e-9) if name in late else t
        rows += [
            (at, {"name": name, "time": T0_NS + round(stamp * 1e9), "values": form(row)})
            for at, stamp, row in zip(sent_at, stamped, x, strict=True)
        ]
    rows.sort(key=lambda row: row[0])
    sent: list[dict[str, Any]] = []
    for number in range(round(SECONDS / each_s)):
        payload = [reading for at, reading in rows if number * each_s <= at < (number + 1) * each_s]
        sent.append({"messageId": number, "sessionId": "s", "deviceId": "dev-1", "payload": payload})
    return sent


async def send(phone: Listener, sent: list[dict[str, Any]], each_s: float = 0.2) -> list[Reception]:
    """Push the messages as time passes, and return the receptions."""
    for message in sent:
        phone.clock.now_s = max(phone.clock.now_s, 500.0 + (message["messageId"] + 1) * each_s)
        assert await phone.post(json.dumps(message).encode()) == 200
    await phone.quiet()
    return phone.source.receptions()


def taken_s(phone: Listener, stream: str | None = None) -> np.ndarray:
    """(n,) seconds at which the samples were taken, by the phone's clock."""
    chunks = [chunk for chunk in phone.chunks if stream in (None, chunk.stream)]
    return np.concatenate([chunk.t_device for chunk in chunks if chunk.t_device is not None]) - T0_NS / 1e9


def assert_motion(phone: Listener, atol: float = 0.02, stream: str | None = None) -> None:
    """Every sample has the acceleration and the angular rate of its time."""
    t, (_, x) = taken_s(phone, stream), phone.joined(stream)
    np.testing.assert_allclose(x[:, :3], motion(t) + UP, atol=atol)
    np.testing.assert_allclose(x[:, 3:], turning(t), atol=atol)


def constant(seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: np.full(len(t), seconds)


@pytest.mark.parametrize(
    ("ahead_s", "amount"),
    [
        (-18000.0, "5.0 h behind"),
        (18000.0, "5.0 h ahead of"),
        (2.3, "2.30 s ahead of"),
        (-2.3, "2.30 s behind"),
        (0.35, "0.35 s ahead of"),
        (-0.35, "0.35 s behind"),
    ],
)
@pytest.mark.parametrize("each_s", [0.2, 1.0])
async def test_a_gyroscope_with_another_clock_is_shifted(ahead_s: float, amount: str, each_s: float) -> None:
    async with listening() as phone:
        sensors = {TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100))}
        (reception,) = await send(phone, pushes(sensors, {GYROSCOPE: constant(ahead_s)}, each_s), each_s)
        (remark,) = reception.remarks
        assert f"the times of gyroscope are {amount} totalacceleration's in the same messages" in remark
        assert len(taken_s(phone)) >= 795
        assert {chunk.session for chunk in phone.chunks} == {"phone-dev1#1"}
        assert_motion(phone)
        assert reception.newest_s[TOTAL] == pytest.approx(reception.newest_s[GYROSCOPE], abs=0.02)
        assert reception.unpaired <= 5


@pytest.mark.parametrize("ahead_s", [0.01, -0.05, 0.1])
async def test_sensors_a_little_apart_are_left_as_they_are(ahead_s: float) -> None:
    async with listening() as phone:
        sensors = {TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100))}
        (reception,) = await send(phone, pushes(sensors, {GYROSCOPE: constant(ahead_s)}))
        assert reception.remarks == ()
        t = taken_s(phone)
        np.testing.assert_allclose(phone.joined()[1][:, 3:], turning(t - ahead_s), atol=0.01)


async def test_a_gyroscope_that_arrives_late_in_batches_is_not_shifted() -> None:
    async with listening() as phone:
        sensors = {TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100))}
        (reception,) = await send(phone, pushes(sensors, late=[GYROSCOPE]))
        assert reception.remarks == ()
        assert_motion(phone)


async def test_a_gyroscope_whose_clock_jumps_is_shifted_from_a_new_epoch_on() -> None:
    async with listening() as phone:
        sensors = {TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100))}
        jump = {GYROSCOPE: lambda t: np.where(t < 4, 0.0, 3600.0)}
        (reception,) = await send(phone, pushes(sensors, jump))
        assert "1.0 h ahead" in reception.remarks[0]
        assert [chunk.session for chunk in phone.chunks][-1] == "phone-dev1#1.1"
        assert_motion(phone)
        assert reception.samples + reception.unpaired == 800
        assert 0 < reception.unpaired <= 220


async def test_the_reception_shows_a_gyroscope_that_stopped() -> None:
    async with listening() as phone:
        sensors = {TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100, 4.0))}
        (reception,) = await send(phone, pushes(sensors))
        assert reception.newest_s[TOTAL] - reception.newest_s[GYROSCOPE] == pytest.approx(4, abs=0.1)
        assert reception.unpaired > 200


@pytest.mark.parametrize(("hz", "words"), [(1.0, "gyroscope sends 1.0 readings a second"), (3.0, "sends 3.0 readings")])
async def test_a_gyroscope_too_slow_to_be_paired_is_left_out_and_named(
    hz: float, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as phone:
        (reception,) = await send(phone, pushes({TOTAL: acc(every(100)), GYROSCOPE: gyro(every(hz))}))
        assert words in reception.remarks[0]
        assert words in caplog.messages[0], "at once, because a model that needs it ends the run"
        assert "sampling frequency to 50 Hz" in reception.remarks[0]
        assert {chunk.channels for chunk in phone.chunks} == {ACC}
        assert reception.samples == 800


async def test_a_slow_gyroscope_is_paired_and_named() -> None:
    async with listening() as phone:
        (reception,) = await send(phone, pushes({TOTAL: acc(every(100)), GYROSCOPE: gyro(every(10))}))
        assert "gyroscope sends 10.0 readings a second beside 100 of totalacceleration" in reception.remarks[0]
        assert "straight lines" in reception.remarks[0]
        assert reception.sensor_hz == pytest.approx({TOTAL: 100, GYROSCOPE: 10}, rel=0.01)
        assert {chunk.channels for chunk in phone.chunks} == {(*ACC, *GYRO)}


async def test_a_gyroscope_that_begins_later_is_named() -> None:
    async with listening() as phone:
        t = every(100)
        (reception,) = await send(phone, pushes({TOTAL: acc(t), GYROSCOPE: gyro(t[t > 5])}))
        assert "gyroscope began after the first seconds and is not used" in reception.remarks[0]


@pytest.mark.parametrize(("acc_hz", "gyro_hz"), [(77.45, 471.2), (207.5, 207.5), (52.6, 26.3)])
async def test_any_pair_of_rates_is_paired(acc_hz: float, gyro_hz: float) -> None:
    async with listening() as phone:
        (reception,) = await send(phone, pushes({TOTAL: acc(every(acc_hz)), GYROSCOPE: gyro(every(gyro_hz))}))
        assert_motion(phone)
        assert reception.samples >= SECONDS * acc_hz - 5
        assert reception.remarks == ()
        assert phone.source.counts().get("lost", 0) == 0


async def test_jitter_moves_no_sample() -> None:
    dice = np.random.default_rng(1)
    t = np.cumsum(np.where(dice.random(2000) < 0.02, 0.016, 0.0048))
    t = t[t < SECONDS]
    async with listening() as phone:
        (reception,) = await send(phone, pushes({TOTAL: acc(t), GYROSCOPE: gyro(t)}))
        assert_motion(phone)
        assert reception.samples == len(t)
        assert reception.unpaired == 0


async def test_a_rate_that_drops_is_measured_and_nothing_is_called_lost() -> None:
    t = np.concatenate([np.arange(0, 3, 1 / 207.5), np.arange(3, SECONDS, 1 / 15.6)])
    async with listening() as phone:
        (reception,) = await send(phone, pushes({TOTAL: acc(t), GYROSCOPE: gyro(t)}))
        assert_motion(phone)
        assert reception.samples == len(t)
        assert phone.source.counts() == {}
        assert "0 samples lost" in phone.source.notices()[0]
        assert reception.sensor_hz[TOTAL] == pytest.approx(15.6, rel=0.1)


async def test_a_phone_without_gyroscope_gives_acceleration() -> None:
    async with listening() as phone:
        (reception,) = await send(phone, pushes({TOTAL: acc(every(100))}))
        assert (reception.samples, reception.newest_s, reception.remarks) == (800, {}, ())
        assert "no gyroscope" in phone.source.notices()[0]


@pytest.mark.parametrize(
    "form",
    [
        lambda row: {axis: f"{value:.5f}" for axis, value in xyz(row).items()},
        lambda row: [float(value) for value in row],
        lambda row: [f"{value:.5f}" for value in row],
        lambda row: {"vector": xyz(row)},
        lambda row: {axis: {"value": value} for axis, value in xyz(row).items()},
    ],
)
async def test_numbers_in_quotes_lists_and_nested_values_are_read(form: Values) -> None:
    async with listening() as phone:
        sensors = {"TotalAcceleration": acc(every(100), form), "Gyroscope": gyro(every(100), form)}
        (reception,) = await send(phone, pushes(sensors))
        assert_motion(phone)
        assert (reception.samples, reception.malformed) == (800, 0)


async def test_values_that_cannot_be_read_are_named() -> None:
    async with listening() as phone:

        def comma(row: np.ndarray) -> dict[str, str]:
            return {axis: f"{value:.2f}".replace(".", ",") for axis, value in xyz(row).items()}

        (reception,) = await send(phone, pushes({TOTAL: acc(every(50), comma)}))
        assert (reception.packets, reception.samples, reception.malformed) == (40, 0, 40)
        assert reception.malformed_reason.startswith('the values of totalacceleration are {"x": "')
        assert reception.malformed_reason.endswith("expected numbers x, y and z")
        assert reception.malformed_example.startswith(b'{"name": "totalacceleration"')


async def test_sensors_that_are_not_read_are_named() -> None:
    async with listening() as phone:
        sensors = {"Headphone": acc(every(25)), "Location": gyro(every(1))}
        (reception,) = await send(phone, pushes(sensors))
        assert reception.unwanted == {"Headphone": 40, "Location": 8}
        assert (reception.name, reception.packets, reception.samples) == ("phone://", 40, 0)
        assert "totalacceleration" in reception.expected


async def test_sensors_without_acceleration_are_named() -> None:
    async with listening() as phone:
        (reception,) = await send(phone, pushes({GYROSCOPE: gyro(every(50)), "gravity": acc(every(50))}))
        assert set(reception.unwanted) == {GYROSCOPE, "gravity"}
        assert "no acceleration from gravity, gyroscope: switch on Accelerometer" in reception.remarks[0]


def watch(system: str) -> tuple[np.ndarray, np.ndarray, Values]:
    """Return an Apple Watch's motion, with an iPhone's signs in g, or standardised."""
    t = every(50)
    to_g = -STANDARD_GRAVITY if system == "ios" else 1.0

    def form(row: np.ndarray) -> dict[str, float]:
        vectors = {"acceleration": row[:3] / to_g, "gravity": UP / to_g, "rotationRate": row[3:]}
        return {f"{name}{axis}": float(v) for name, x in vectors.items() for axis, v in zip("XYZ", x, strict=True)}

    return t, np.concatenate([motion(t), turning(t)], axis=1), form


@pytest.mark.parametrize("name", ["wristmotion", "wrist motion", "WristMotion"])
@pytest.mark.parametrize("system", ["ios", "standard"])
async def test_the_motion_of_an_apple_watch_is_read(name: str, system: str) -> None:
    async with listening() as phone:
        (reception,) = await send(phone, pushes({name: watch(system)}))
        assert (reception.name, reception.samples, reception.remarks) == ("phone-dev1-watch", 400, ())
        assert_motion(phone)
        assert "acceleration from a watch's motion, signs of" in phone.source.notices()[0]


async def test_a_watch_and_its_phone_are_two_streams() -> None:
    async with listening() as phone:
        sensors = {"wristmotion": watch("ios"), TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100))}
        own, wrist = await send(phone, pushes(sensors))
        assert (own.name, own.samples) == ("phone-dev1", 800)
        assert (wrist.name, wrist.samples) == ("phone-dev1-watch", 400)
        assert_motion(phone, stream="phone-dev1")
        assert_motion(phone, stream="phone-dev1-watch")
        assert [link.name for link in phone.source.status()] == ["phone-dev1", "phone-dev1-watch"]


async def test_before_any_phone_the_reception_is_the_source_s() -> None:
    async with listening() as phone:
        (reception,) = phone.source.receptions()
        assert (reception.name, reception.packets) == ("phone://", 0)
        assert await phone.post(b"{not json") == 400
        (reception,) = phone.source.receptions()
        assert (reception.packets, reception.malformed) == (1, 1)
        assert reception.malformed_example == b"{not json"
        assert "not valid JSON" in reception.malformed_reason
        async with phone.http.post(phone.source.urls[0][:-3], data=b"{}") as response:
            assert response.status == 401
        (reception,) = phone.source.receptions()
        assert (reception.packets, reception.malformed) == (2, 2)
        assert reception.malformed_reason == "wrong token; enter the whole address that kinestream shows"


async def test_a_recording_after_another_adds_to_the_reception() -> None:
    async with listening() as phone:
        sent = pushes({TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100))})
        await send(phone, sent)
        for message in sent:
            message["sessionId"] = "second"
            for reading in message["payload"]:
                reading["time"] += 20 * 10**9
        (reception,) = await send(phone, sent)
        assert (reception.packets, reception.samples) == (80, 1600)


async def test_nothing_is_called_unwanted_while_the_first_seconds_are_collected() -> None:
    async with listening() as phone:
        sensors = {TOTAL: acc(every(100)), GYROSCOPE: gyro(every(100)), "location": gyro(every(1))}
        (reception,) = await send(phone, pushes(sensors)[:5])
        assert (reception.packets, reception.samples, reception.unwanted) == (5, 0, {})
