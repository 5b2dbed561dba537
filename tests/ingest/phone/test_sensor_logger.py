"""Decoding of Sensor Logger's messages."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import DecodeError
from kinestream.ingest.phone.sensor_logger import MAX_BODY_BYTES, MAX_READINGS, Message, decode

from .phones import T0_NS, bodies, messages

READING = {"name": "gravity", "time": T0_NS, "values": {"x": 0.1, "y": -0.2, "z": 9.8}}


def message(**changes: Any) -> bytes:
    return json.dumps({"messageId": 3, "sessionId": "s", "deviceId": "d", "payload": [READING], **changes}).encode()


def read(data: bytes) -> Message:
    decoded = decode(data)
    assert decoded is not None
    return decoded


def test_a_message_is_decoded_by_sensor() -> None:
    (body,) = bodies(messages(0.2, fs_hz=50, system="ios"))
    decoded = read(body)
    assert (decoded.device, decoded.session, decoded.number, decoded.counts) == ("3f2a91c0-77aa", "walk-1", 0, {})
    assert set(decoded.batch) == {"accelerometer", "gravity", "gyroscope", "accelerometeruncalibrated"}
    t_ns, x = decoded.batch["gravity"]
    np.testing.assert_array_equal(t_ns, T0_NS + np.arange(10) * 20_000_000)
    np.testing.assert_allclose(x, np.tile([0, 0, -9.80665], (10, 1)), rtol=1e-6)


@pytest.mark.parametrize("time", [str(T0_NS), float(T0_NS)])
def test_a_time_may_be_written_in_quotes_or_as_a_float(time: str | float) -> None:
    assert read(message(payload=[{**READING, "time": time}])).batch["gravity"].t_ns.tolist() == [T0_NS]


@pytest.mark.parametrize(
    "reading",
    [
        None,
        7,
        {},
        {"name": 5},
        {**READING, "time": None},
        {**READING, "time": True},
        {**READING, "time": -5},
        {**READING, "time": 17},
        {**READING, "time": 10**30},
        {**READING, "values": [1, 2]},
        {**READING, "values": [1, 2, "3,5"]},
        {**READING, "values": {"x": {"y": 1}, "y": [2], "z": 3}},
        {**READING, "values": {"a": {"b": {"x": 1, "y": 2, "z": 3}}}},
        {**READING, "values": {"x": 1, "y": 2}},
        {**READING, "values": {"x": 1, "y": 2, "z": None}},
        {**READING, "values": {"x": 1, "y": 2, "z": "3 m"}},
        {**READING, "values": {"x": 1, "y": 2, "z": "nan"}},
        {**READING, "values": {"x": 1, "y": 2, "z": "1e7"}},
        {**READING, "name": "wristmotion"},
        {**READING, "values": {"x": 1, "y": 2, "z": True}},
        {**READING, "values": {"x": 1, "y": 2, "z": 1e7}},
    ],
)
def test_a_malformed_reading_is_skipped_and_counted(reading: Any) -> None:
    decoded = read(message(payload=[reading, READING]))
    assert decoded.counts == {"malformed_readings": 1}
    assert len(decoded.batch["gravity"].t_ns) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"messageId": NaN}',
        b"[" * 100_000,
        b'{"payload":' * 50_000,
        b'{"messageId": ' + b"9" * 10_000 + b"}",
        message(messageId=-1),
        message(messageId=2**60),
        message(messageId=1.5),
        message(messageId=True),
        message(messageId=None),
        message(sessionId=""),
        message(sessionId="a\nb"),
        message(sessionId=7),
        message(deviceId="d" * 200),
        message(payload={"name": "gravity"}),
        message(payload=[0] * (MAX_READINGS + 1)),
        b" " * (MAX_BODY_BYTES + 1),
        message(payload=[{**READING, "values": {"x": 1, "y": 2, "z": 3}}]).replace(b"3}}", b"Infinity}}"),
    ],
)
def test_an_invalid_body_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


@pytest.mark.parametrize("data", [b"{}", b'{"test": true}', message(payload=[], messageId=None)])
def test_the_app_s_test_push_is_neither_a_message_nor_an_error(data: bytes) -> None:
    assert decode(data) is None


def test_a_number_beyond_the_range_of_floats_is_skipped() -> None:
    assert read(message(payload=[READING]).replace(b"9.8", b"1e999")).counts == {"malformed_readings": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "messageId": JSON,
            "sessionId": JSON,
            "deviceId": JSON,
            "payload": JSON
            | st.lists(st.fixed_dictionaries({"name": st.just("gravity"), "time": JSON, "values": JSON})),
        },
    )
)
def test_any_json_is_decoded_or_refused(body: dict[str, Any]) -> None:
    try:
        decoded = decode(json.dumps(body).encode())
    except DecodeError:
        return
    for readings in decoded.batch.values() if decoded else ():
        assert readings.x.shape == (len(readings.t_ns), 3)
        assert np.isfinite(readings.x).all()


def test_mutated_messages_are_decoded_or_refused() -> None:
    dice = random.Random(0)
    (sound,) = bodies(messages(0.05))
    refused = 0
    for _ in range(3000):
        data = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(data))
            match dice.randrange(3):
                case 0:
                    data[at] = dice.randrange(256)
                case 1:
                    del data[at : at + dice.randint(1, 40)]
                case _:
                    data[at:at] = dice.choice([b"[", b"}", b"null", b"1e400", b'"', b"-", b"\x00", b"9" * 400])
        try:
            decode(bytes(data))
        except DecodeError:
            refused += 1
    assert 300 < refused < 3000
