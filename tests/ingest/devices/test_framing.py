"""Frames that a link splits, joins or damages are decoded whole, or counted."""

from __future__ import annotations

import struct
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import DecodeError
from kinestream.ingest.devices import find_profile
from kinestream.ingest.devices.movesense import DATA as MOVESENSE
from kinestream.ingest.devices.movesense import MovesenseDecoder
from kinestream.ingest.devices.witmotion import DATA as WIT
from kinestream.ingest.profile import Settings


def wit():
    return find_profile("witmotion").plan(Settings()).decoder()


def plain(k: int) -> bytes:
    return b"\x55\x61" + struct.pack("<9h", *range(k, k + 9))


def dated(k: int, second: int = 3) -> bytes:
    return plain(k) + struct.pack("<6BH", 26, 11, 22, 17, 30, second, 250)


def firsts(packets: list) -> list[int]:
    """The first value of each packet, as its raw number."""
    return [round(float(packet.samples[0, 0]) / (16 * 9.80665 / 32768)) for packet in packets]


@given(st.lists(st.integers(1, 45), max_size=30), st.booleans())
def test_frames_are_found_however_the_stream_is_split(cuts: list[int], with_dates: bool) -> None:
    frames = [(dated if with_dates else plain)(10 * k) for k in range(12)]
    stream, decoder, packets, at = b"".join(frames), wit(), [], 0
    for size in [*cuts, len(stream)]:
        packets += decoder.decode(WIT, stream[at : at + size])
        at += size
    # The last plain frame is complete only if no earlier frame was longer.
    assert firsts(packets)[:11] == [10 * k for k in range(11)]


def test_dates_of_newer_frames_become_milliseconds_on_one_clock() -> None:
    times = [packet.device_time for packet in wit().decode(WIT, dated(0, second=3) + dated(1, second=4))]
    since_2000 = datetime(2026, 11, 22, 17, 30, 3) - datetime(2000, 1, 1)
    first_ms = int(since_2000.total_seconds()) * 1000 + 250
    assert times == [first_ms, first_ms + 1000]


def test_an_impossible_date_is_counted_and_the_sample_is_kept() -> None:
    decoder = wit()
    (packet,) = decoder.decode(WIT, plain(5) + bytes(8))
    assert packet.device_time is None
    assert decoder.counts["impossible_dates"] == 1


def test_bytes_between_frames_are_skipped_and_counted() -> None:
    decoder = wit()
    packets = decoder.decode(WIT, b"rubbish" + plain(1) + b"\x55more" + plain(2))
    assert firsts(packets) == [1, 2]
    assert decoder.counts["skipped_bytes"] == 12


def test_newer_frames_split_after_twenty_bytes_have_their_time_from_the_second_on() -> None:
    decoder, packets = wit(), []
    for k in range(4):
        frame = dated(k, second=k)
        packets += decoder.decode(WIT, frame[:20]) + decoder.decode(WIT, frame[20:])
    assert firsts(packets) == [0, 1, 2, 3]
    assert [packet.device_time is None for packet in packets] == [True, False, False, False]


def test_register_answers_among_the_frames_are_counted_and_skipped() -> None:
    decoder = wit()
    packets = decoder.decode(WIT, plain(1) + bytes.fromhex("55710300") + bytes(16) + plain(2))
    assert firsts(packets) == [1, 2]
    assert decoder.counts["registers"] == 1


def test_a_reconnect_forgets_half_a_frame() -> None:
    plan = find_profile("witmotion").plan(Settings())
    plan.decoder().decode(WIT, plain(1)[:15])
    decoder = plan.decoder()
    assert firsts(decoder.decode(WIT, plain(2))) == [2]
    assert decoder.counts["skipped_bytes"] == 0


def imu9(n: int, time_ms: int = 5) -> tuple[bytes, np.ndarray]:
    values = np.arange(9 * n, dtype="<f4").reshape(3, n, 3)
    return struct.pack("<I", time_ms) + values.tobytes(), values


def test_a_long_movesense_update_is_joined_from_its_parts() -> None:
    update, values = imu9(8)
    decoder = MovesenseDecoder("IMU9", 104.0)
    assert decoder.decode(MOVESENSE, b"\x02\x63" + update[:156]) == []
    (packet,) = decoder.decode(MOVESENSE, b"\x03\x63" + update[156:])
    assert packet.device_time == 5
    np.testing.assert_allclose(packet.samples[:, :3], values[0])
    np.testing.assert_allclose(packet.samples[:, 3:6], np.radians(values[1]), rtol=1e-6)
    np.testing.assert_allclose(packet.samples[:, 6:], values[2])


def test_an_update_without_its_second_part_is_counted_and_the_next_is_decoded() -> None:
    update, _ = imu9(8)
    decoder = MovesenseDecoder("IMU9", 104.0)
    decoder.decode(MOVESENSE, b"\x02\x63" + update[:156])
    decoder.decode(MOVESENSE, b"\x02\x63" + update[:156])
    assert len(decoder.decode(MOVESENSE, b"\x03\x63" + update[156:])) == 1
    assert decoder.counts["unfinished"] == 1


def test_a_second_part_alone_is_refused_even_after_a_reconnect() -> None:
    update, _ = imu9(8)
    plan = find_profile("movesense").plan(Settings())
    plan.decoder().decode(MOVESENSE, b"\x02\x63" + update[:156])
    decoder = plan.decoder()
    with pytest.raises(DecodeError, match="without a first part"):
        decoder.decode(MOVESENSE, b"\x03\x63" + update[156:])


def test_parts_that_never_form_whole_samples_are_abandoned() -> None:
    decoder = MovesenseDecoder("IMU6", 52.0)
    decoder.decode(MOVESENSE, b"\x02\x63" + bytes(500))
    for _ in range(3):
        decoder.decode(MOVESENSE, b"\x03\x63" + bytes(504))
    with pytest.raises(DecodeError, match="expected whole samples within"):
        decoder.decode(MOVESENSE, b"\x03\x63" + bytes(504))


def test_the_magnetometer_of_a_movesense_decodes_as_captured() -> None:
    data = bytes.fromhex("0263aca10200de9cfe41708636c2a5026cc1")
    (packet,) = MovesenseDecoder("Magn", 13.0).decode(MOVESENSE, data)
    assert packet.device_time == 172460
    np.testing.assert_allclose(packet.samples, [[31.826595306, -45.631286621, -14.750645638]], rtol=1e-6)
