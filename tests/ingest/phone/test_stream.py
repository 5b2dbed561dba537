"""Chunks from the readings of phone phone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.signals import SampleChunk
from kinestream.ingest.phone.axis_convention import choose_conversion
from kinestream.ingest.phone.readings import Batch, Readings
from kinestream.ingest.phone.stream import SETTLE_S, PhoneStream

from .phones import T0_NS, batch, motion, turning

LATENCY_S = 0.02
HOST_S = 500.0
"""Start of the recording, on the host's clock."""


def stream(**options: Any) -> PhoneStream:
    return PhoneStream("phone-a", "phone-a#1", choose_conversion, **options)


def feed(into: PhoneStream, t: np.ndarray, each_s: float = 0.2, **options: Any) -> list[SampleChunk]:
    """Push the readings at (n,) seconds in messages that arrive a little after their newest reading."""
    chunks: list[SampleChunk] = []
    for number in np.unique((t / each_s).astype(int)):
        part = t[(t / each_s).astype(int) == number]
        chunks += into.push(batch(part, **options), HOST_S + part[-1] + LATENCY_S)
    return chunks


def joined(chunks: list[SampleChunk]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t, x = np.concatenate([c.t for c in chunks]), np.concatenate([c.x for c in chunks])
    return t, x, np.concatenate([c.seq + np.arange(len(c)) for c in chunks])


@pytest.mark.parametrize("each_s", [0.05, 0.2, 1.0, 4.0])
def test_samples_get_the_host_s_times_and_consecutive_numbers(each_s: float) -> None:
    t = np.arange(1000) / 100
    phone = stream()
    chunks = feed(phone, t, each_s)
    host_t, x, seq = joined(chunks)
    np.testing.assert_array_equal(seq, np.arange(1000))
    np.testing.assert_allclose(host_t, HOST_S + LATENCY_S + t, atol=1e-3)
    assert (np.diff(host_t) > 0).all()
    np.testing.assert_allclose(
        np.concatenate([c.t_device for c in chunks if c.t_device is not None]), T0_NS / 1e9 + t, atol=1e-6
    )
    np.testing.assert_allclose(x[:, 3:], turning(t), atol=1e-5)
    assert {(c.stream, c.session, c.fs_hz) for c in chunks} == {("phone-a", "phone-a#1", 100.0)}
    phone.close()
    assert phone.counts() == {}


@pytest.mark.parametrize(("true_hz", "nominal_hz"), [(50, 50), (99.82, 100), (52.63, 53), (208.9, 209), (12.5, 12)])
def test_the_nominal_rate_is_measured_and_rounded(true_hz: float, nominal_hz: float) -> None:
    phone = stream()
    chunks = feed(phone, np.arange(round(6 * true_hz)) / true_hz)
    assert {chunk.fs_hz for chunk in chunks} == {nominal_hz}
    assert phone.rate_hz == pytest.approx(true_hz, rel=1e-3)


def test_sensors_of_other_rates_are_interpolated_at_the_accelerometer_s_times() -> None:
    t, gyro_t = np.arange(600) / 100, np.arange(2400) / 400 + 0.0007
    phone = stream()
    chunks: list[SampleChunk] = []
    for start in np.arange(0, 6, 0.25):
        mixed: Batch = {
            **batch(t[(t >= start) & (t < start + 0.25)], only=["totalacceleration"]),
            **batch(gyro_t[(gyro_t >= start) & (gyro_t < start + 0.25)], only=["gyroscope"]),
        }
        chunks += phone.push(mixed, HOST_S + start + 0.25)
    _, x, seq = joined(chunks)
    assert phone.counts() == {"unpaired": 1}  # the gyroscope starts a little later
    np.testing.assert_array_equal(seq, np.arange(599))
    np.testing.assert_allclose(x[:, :2], motion(t)[1:, :2], atol=1e-5)
    np.testing.assert_allclose(x[:, 3:], turning(t)[1:], atol=1e-4)


def test_a_lost_message_leaves_a_jump_of_its_length_in_the_numbers() -> None:
    t = np.arange(1000) / 100
    phone = stream()
    chunks = feed(phone, t[:500])
    chunks += phone.push(batch(t[537:600]), HOST_S + 6.0, whole=False)
    chunks += feed(phone, t[600:])
    _, x, seq = joined(chunks)
    np.testing.assert_array_equal(seq, np.r_[:500, 537:1000])
    np.testing.assert_allclose(x[:, 0], motion(t)[seq, 0], atol=1e-5)
    assert phone.lost == 37


def test_repeated_readings_are_dropped_and_counted() -> None:
    t = np.arange(600) / 100
    phone = stream()
    chunks = feed(phone, t[:400])
    chunks += phone.push(batch(t[380:420], only=["totalacceleration", "gyroscope"]), HOST_S + 4.2)
    twice = {name: Readings(np.repeat(r.t_ns, 2), np.repeat(r.x, 2, axis=0)) for name, r in batch(t[420:430]).items()}
    chunks += phone.push({name: twice[name] for name in ("totalacceleration", "gyroscope")}, HOST_S + 4.3)
    chunks += feed(phone, t[430:])
    _, x, seq = joined(chunks)
    np.testing.assert_array_equal(seq, np.arange(600))
    np.testing.assert_allclose(x[:, 0], motion(t)[:, 0], atol=1e-5)
    assert phone.counts() == {"repeated_samples": 2 * 20 + 2 * 10}


def test_readings_out_of_order_within_a_message_are_sorted() -> None:
    t = np.arange(500) / 100
    phone, dice = stream(), np.random.default_rng(0)
    chunks: list[SampleChunk] = []
    for part in np.array_split(t, 20):
        chunks += phone.push(batch(dice.permutation(part)), HOST_S + part[-1])
    _, x, _ = joined(chunks)
    np.testing.assert_allclose(x[:, 0], motion(t)[:, 0], atol=1e-5)


@pytest.mark.parametrize("step_s", [-7200.0, -3.0, 2.0, 7200.0])
def test_setting_the_phone_s_clock_starts_a_new_epoch(step_s: float) -> None:
    t = np.arange(2000) / 100
    phone = stream()
    before = feed(phone, t[:1000])
    after: list[SampleChunk] = []
    for part in np.array_split(t[1000:], 50):
        after += phone.push(batch(part + step_s), HOST_S + part[-1] + LATENCY_S)
    assert {chunk.session for chunk in before} == {"phone-a#1"}
    assert {chunk.session for chunk in after} == {"phone-a#1.1"}
    assert phone.counts() == {"clock_jumps": 1}
    host_t, _, seq = joined(after)
    np.testing.assert_array_equal(seq, np.arange(1000))
    np.testing.assert_allclose(host_t, HOST_S + LATENCY_S + t[1000:], atol=0.01)


def test_a_pause_of_a_prompt_phone_starts_a_new_epoch() -> None:
    """phyphox's time excludes pauses."""
    t = np.arange(2000) / 100
    phone = stream(prompt=True)
    chunks = feed(phone, t[:1000])
    for part in np.array_split(t[1000:], 100):
        chunks += phone.push(batch(part), HOST_S + 60 + part[-1] + LATENCY_S)
    assert [chunk.session for chunk in chunks][-1] == "phone-a#1.1"
    host_t, _, _ = joined([chunk for chunk in chunks if chunk.session == "phone-a#1.1"])
    np.testing.assert_allclose(host_t, HOST_S + 60 + LATENCY_S + t[1000:], atol=0.01)


def test_a_slow_network_does_not_move_the_samples() -> None:
    """With occasional delays of half a second, and five seconds once, the lower envelope stays."""
    t = np.arange(6000) / 100
    phone, dice = stream(), np.random.default_rng(1)
    chunks: list[SampleChunk] = []
    for part in np.array_split(t, 300):
        late_s = dice.exponential(0.1) + (5.0 if 30 < part[-1] < 33 else 0.0)
        chunks += phone.push(batch(part), HOST_S + part[-1] + LATENCY_S + late_s)
    host_t, _, _ = joined(chunks)
    assert {chunk.session for chunk in chunks} == {"phone-a#1"}
    off_s = host_t - t
    assert np.percentile(np.abs(off_s - np.median(off_s)), 95) < 0.02


def test_samples_of_the_first_seconds_keep_their_own_arrival() -> None:
    chunks = feed(stream(), np.arange(600) / 100)
    ages_s = [chunk.received_s - chunk.t[-1] for chunk in chunks]
    assert max(ages_s) < 0.05


def test_a_recording_that_is_too_short_is_counted() -> None:
    phone = stream()
    assert feed(phone, np.arange(round(SETTLE_S * 100) - 20) / 100, only=["totalacceleration"]) == []
    phone.close()
    assert phone.counts() == {"unused_readings": 230}


def test_the_sensors_of_a_phone_without_acceleration_are_reported() -> None:
    phone = stream()
    assert feed(phone, np.arange(500) / 100, only=["gyroscope", "gravity"], system="ios") == []
    assert phone.conversion is None
    assert phone.unusable_sensors == ("gravity", "gyroscope")
    phone.close()
    assert phone.counts() == {"unused_readings": 1000}


def test_samples_after_the_gyroscope_stopped_are_dropped_and_counted() -> None:
    t = np.arange(1000) / 100
    phone = stream()
    chunks = feed(phone, t[:500])
    chunks += feed(phone, t[500:], only=["totalacceleration"])
    phone.close()
    assert sum(map(len, chunks)) == 500
    assert phone.counts() == {"unpaired": 500}


@settings(deadline=None)
@given(st.data())
def test_for_any_readings_times_increase_and_no_sample_is_lost_or_repeated(data: st.DataObject) -> None:
    """For any time stamps, every reading of the leading sensor is either in a chunk or counted."""
    phone = stream()
    chunks: list[SampleChunk] = []
    sent = 0
    received_s = HOST_S
    for _ in range(data.draw(st.integers(1, 12))):
        jump = data.draw(st.sampled_from([0, 0, 0, 10**8, -(10**8), 10**10, -(10**10), 2 * 10**17]))
        gaps = data.draw(st.lists(st.integers(-(10**4), 5 * 10**4), min_size=1, max_size=60))
        passed_us = int((received_s - HOST_S) * 1e6)  # no sensor has readings less than a microsecond apart
        t_ns = max(T0_NS + jump, 0) + 1000 * (passed_us + np.cumsum(np.array(gaps, np.int64)))
        sent += len(t_ns)
        received_s += data.draw(st.floats(0.0, 1.5))
        x = np.tile(np.array([0, 0, 9.8], np.float32), (len(t_ns), 1))
        chunks += phone.push({"totalacceleration": Readings(t_ns, x)}, received_s, whole=data.draw(st.booleans()))
    phone.close()
    counts = phone.counts()
    assert sum(map(len, chunks)) + counts["repeated_samples"] + counts["unused_readings"] == sent
    for epoch in {chunk.session for chunk in chunks}:
        t, x, seq = joined([chunk for chunk in chunks if chunk.session == epoch])
        assert (np.diff(seq) > 0).all()
        assert (np.diff(t) > 0).all()
        assert np.isfinite(t).all()
