"""The dialogue with a Polar and the decoding of its frames."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DecodeError, DeviceRefused
from kinestream.ingest.devices import find_profile
from kinestream.ingest.devices.polar import CONTROL, DATA
from kinestream.ingest.devices.polar_pmd import delta_samples, pack_settings, parse_settings
from kinestream.ingest.profile import Read, Settings, Subscribe

from .device import Answer, ScriptedDevice

POLAR = find_profile("polar")


def settings_bytes(**values: list[int]) -> bytes:
    ids = {"rate": (0, 2), "resolution": (1, 2), "range": (2, 2), "channels": (4, 1)}
    return b"".join(
        bytes([ids[name][0], len(options)]) + b"".join(v.to_bytes(ids[name][1], "little") for v in options)
        for name, options in values.items()
    )


def answer(op: int, kind: int, parameters: bytes = b"", status: int = 0) -> bytes:
    return bytes([0xF0, op, kind, status, 0]) + parameters


def h10() -> ScriptedDevice:
    acc = settings_bytes(rate=[25, 50, 100, 200], resolution=[16], range=[2, 4, 8])
    return ScriptedDevice(
        reads={CONTROL: bytes.fromhex("0f0500")},
        answers={b"\x01\x02": answer(1, 2, acc), b"\x02\x02": answer(2, 2), b"\x03\x02": answer(3, 2)},
    )


def verity() -> ScriptedDevice:
    factor = {2: struct.pack("<f", 0.000244), 5: struct.pack("<f", 0.061), 6: struct.pack("<f", 0.0015)}
    usual = {
        2: settings_bytes(rate=[52], resolution=[16], range=[8], channels=[3]),
        5: settings_bytes(rate=[52], resolution=[16], range=[2000], channels=[3]),
        6: settings_bytes(rate=[10, 20, 50, 100], resolution=[16], range=[50], channels=[3]),
    }
    full = usual | {
        2: settings_bytes(rate=[26, 52, 104, 208, 416], resolution=[16], range=[2, 4, 8, 16], channels=[3]),
        5: settings_bytes(rate=[26, 52, 104, 208, 416], resolution=[16], range=[250, 500, 1000, 2000], channels=[3]),
    }
    answers: dict[bytes, Answer] = {b"\x02\x09": answer(2, 9), b"\x03\x09": answer(3, 9)}
    for kind in (2, 5, 6):
        answers[bytes([1, kind])] = answer(1, kind, usual[kind])
        answers[bytes([4, kind])] = answer(4, kind, full[kind])
        answers[bytes([2, kind])] = answer(2, kind, b"\x05\x01" + factor[kind])
        answers[bytes([3, kind])] = answer(3, kind)
    return ScriptedDevice(reads={CONTROL: bytes.fromhex("0f6e02")}, answers=answers)


def start(device: ScriptedDevice, settings: Settings | None = None):
    plan = POLAR.plan(settings or Settings())
    decoder = plan.decoder()
    device.run(plan.start(decoder))
    return plan, decoder


def test_an_h10_streams_acceleration_at_50_hz_and_has_no_gyroscope() -> None:
    device = h10()
    plan, decoder = start(device)
    assert device.written == [("fb005c81", "0102"), ("fb005c81", "0202000132000101100002010800")]
    assert [(group.name, group.fs_hz) for group in decoder.groups] == [("acc", 50.0)]
    assert decoder.groups[0].clock.stamps == "last"
    device.steps.clear()
    device.run(plan.stop(decoder))
    assert device.written == [("fb005c81", "0302")]


def test_a_verity_sense_gets_the_start_bytes_of_the_vendor_s_app() -> None:
    device = verity()
    _, decoder = start(device)
    assert ("fb005c81", "0202000134000101100002010800040103") in device.written
    assert [(group.name, group.fs_hz) for group in decoder.groups] == [("acc", 52.0), ("gyro", 52.0)]


def test_the_factor_of_the_start_answer_scales_the_frames() -> None:
    _, decoder = start(verity())
    content = struct.pack("<3h", 1000, -1000, 0)
    (packet,) = decoder.decode(DATA, b"\x05" + struct.pack("<Q", 7) + b"\x80" + content)
    np.testing.assert_allclose(packet.samples[0], np.radians([61.0, -61.0, 0.0]), rtol=1e-6)
    assert decoder.counts["factor_assumed"] == 0


def test_a_missing_factor_is_assumed_and_counted() -> None:
    decoder = POLAR.plan(Settings()).decoder()
    decoder.decode(DATA, b"\x02" + bytes(8) + b"\x80" + bytes(6))
    assert decoder.counts["factor_assumed"] == 1


def test_a_reconnect_forgets_the_factor() -> None:
    plan, _ = start(verity())
    decoder = plan.decoder()
    decoder.decode(DATA, b"\x02" + bytes(8) + b"\x80" + bytes(6))
    assert decoder.counts["factor_assumed"] == 1


def test_a_special_rate_uses_sdk_mode_which_is_left_at_the_end() -> None:
    device = verity()
    plan, decoder = start(device, Settings(rate_hz=208, acc_range_g=16, mag=True))
    written = [data for _, data in device.written]
    assert written.index("0209") < written.index("02020001d0000101100002011000040103")
    assert [(group.name, group.fs_hz) for group in decoder.groups] == [("acc", 208.0), ("gyro", 208.0), ("mag", 100.0)]
    device.steps.clear()
    device.run(plan.stop(decoder))
    assert [data for _, data in device.written] == ["0302", "0305", "0306", "0309"]


def test_a_stream_left_on_by_a_crash_is_stopped_and_restarted() -> None:
    device = h10()
    answers = [answer(2, 2, status=6), answer(2, 2)]
    device.answers[b"\x02\x02"] = lambda _: answers.pop(0)
    start(device)
    assert [data[:4] for _, data in device.written] == ["0102", "0202", "0302", "0202"]


def test_an_answer_in_several_parts_is_joined() -> None:
    device = h10()
    whole = settings_bytes(rate=[25, 50, 100, 200], resolution=[16], range=[2, 4, 8])
    device.answers[b"\x01\x02"] = [
        bytes([0xF0, 1, 2, 0, 1]) + whole[:7],
        bytes([0xF0, 1, 2, 0, 0]) + whole[7:],
    ]
    _, decoder = start(device, Settings(rate_hz=200))
    assert decoder.groups[0].fs_hz == 200


def test_subscriptions_precede_commands() -> None:
    device = h10()
    start(device)
    assert device.steps[0] == Subscribe(CONTROL)
    assert isinstance(device.steps[1], Read)
    first_start = next(k for k, step in enumerate(device.steps) if getattr(step, "data", b"")[:1] == b"\x02")
    assert device.steps.index(Subscribe(DATA)) < first_start


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(rate_hz=60), "cannot be 60; choose one of 25, 26, 50, 52, 100, 104, 200, 208, 416"),
        (Settings(rate_hz=52), "cannot be 52; choose one of 25, 50, 100, 200"),
        (Settings(acc_range_g=16), "cannot be 16; choose one of 2, 4, 8"),
        (Settings(gyro=True), "no gyroscope"),
        (Settings(mag=True), "no magnetometer"),
    ],
)
def test_unsupported_settings_of_an_h10_are_refused_with_the_supported_ones(settings: Settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        start(h10(), settings)


def test_an_error_of_the_device_is_reported_in_words() -> None:
    device = h10()
    device.answers[b"\x02\x02"] = answer(2, 2, status=13)
    with pytest.raises(DeviceRefused, match="the command to start the accelerometer with 'device in charger'"):
        start(device)


def test_a_device_that_ends_its_stream_is_counted() -> None:
    decoder = POLAR.plan(Settings()).decoder()
    assert decoder.decode(CONTROL, bytes.fromhex("0102")) == []
    assert decoder.counts["stopped_by_device"] == 1


def test_settings_are_parsed_and_packed_as_specified() -> None:
    gyro = bytes.fromhex("00013400010110000204f500f401e803d007040103")
    assert parse_settings(gyro) == {0: (52,), 1: (16,), 2: (245, 500, 1000, 2000), 4: (3,)}
    assert parse_settings(bytes.fromhex("020108000001c80001011000")) == {2: (8,), 0: (200,), 1: (16,)}
    assert pack_settings({4: 3, 0: 52, 2: 8, 1: 16}).hex() == "000134000101100002010800040103"
    with pytest.raises(DecodeError, match="cut off or unknown"):
        parse_settings(bytes.fromhex("ffffff"))


def test_deltas_equal_those_of_a_bit_by_bit_reference() -> None:
    rng = np.random.default_rng(3)
    for width in (1, 3, 7, 8, 11, 16, 24, 32):
        content = bytearray(rng.bytes(6))
        first = np.frombuffer(bytes(content), "<i2").tolist()
        expected = [first]
        for count in (1, 2, 7):
            block = rng.bytes((width * count * 3 + 7) // 8)
            content += bytes([width, count]) + block
            number = int.from_bytes(block, "little")
            for k in range(count):
                deltas = [number >> width * (3 * k + axis) & (1 << width) - 1 for axis in range(3)]
                signed = [d - (1 << width) if d >> width - 1 else d for d in deltas]
                expected.append([a + b for a, b in zip(expected[-1], signed, strict=True)])
        assert delta_samples(bytes(content), 3, 16).tolist() == expected


@pytest.mark.parametrize(("size", "kind"), [(1, 0), (2, 1), (3, 2)])
def test_raw_acceleration_comes_in_one_two_or_three_bytes_a_value(size: int, kind: int) -> None:
    values = [-1, 0, 1, -(1 << 8 * size - 1), (1 << 8 * size - 1) - 1, 100]
    content = b"".join(value.to_bytes(size, "little", signed=True) for value in values)
    (packet,) = POLAR.plan(Settings()).decoder().decode(DATA, b"\x02" + bytes(8) + bytes([kind]) + content)
    np.testing.assert_allclose(packet.samples.ravel(), np.array(values) * 9.80665e-3, rtol=1e-6)
