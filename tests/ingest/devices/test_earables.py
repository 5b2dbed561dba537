"""Dialogues and self-descriptions of headband, earbuds, watch and ST boards."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.ingest.devices import bluest, esense, find_profile, infinitime, muse, openearable
from kinestream.ingest.profile import Settings, Subscribe, Write
from kinestream.ingest.timing.host_clock import host_clock

from .device import ScriptedDevice, run_start, stop_writes


def test_a_muse_is_halted_configured_started_and_kept_alive() -> None:
    device = ScriptedDevice()
    plan, decoder = run_start("muse", device)
    assert [bytes.fromhex(data) for _, data in device.written] == [b"\x02h\n", b"\x04p21\n", b"\x02s\n", b"\x02d\n"]
    assert [group.name for group in decoder.groups] == ["acc", "gyro"]
    assert stop_writes(plan, decoder) == [("273e0001", b"\x02h\n".hex())]
    (poll,) = plan.periodic
    assert isinstance(poll.step, Write)
    assert poll.step.data == b"\x02k\n"
    assert decoder.decode(muse.CONTROL, b'\x13{"rc":0}') == []
    with pytest.raises(DecodeError, match="a charge of"):
        decoder.decode(muse.TELEMETRY, b"\0\0\xff\xff" + bytes(6))


def test_a_muse_without_gyroscope_does_not_subscribe_to_it() -> None:
    device = ScriptedDevice()
    _, decoder = run_start("muse", device, Settings(gyro=False))
    assert Subscribe(muse.GYROSCOPE) not in device.steps
    assert [group.name for group in decoder.groups] == ["acc"]
    (packet,) = decoder.decode(muse.GYROSCOPE, bytes(20))
    assert packet.group == "gyro", "a gyroscope left on by another program is still decoded"


def test_the_counter_of_a_muse_reveals_a_loss_of_three_samples() -> None:
    _, decoder = run_start("muse", ScriptedDevice())
    clock = host_clock(52.0, decoder.groups[0].clock)
    for k, number in enumerate((65534, 65535, 0, 2)):
        (packet,) = decoder.decode(muse.ACCELEROMETER, struct.pack(">H", number) + bytes(18))
        timed = clock.push(len(packet.samples), 5.0 + k * 3 / 52, counter=packet.counter)
        assert timed.lost == (3 if number == 2 else 0)


CONFIG = esense.command(0x59, bytes([0x06, 0x08, 0x08, 0x06]))


def test_esense_gets_ranges_and_rate_with_correct_checksums() -> None:
    device = ScriptedDevice(reads={esense.IMU_CONFIG: CONFIG})
    plan, decoder = run_start("esense", device, Settings(rate_hz=100, acc_range_g=16, gyro_range_dps=2000))
    assert device.written == [
        ("0000ff0e", esense.command(0x59, bytes([0x06, 0x18, 0x18, 0x06])).hex()),
        ("0000ff07", "5367020164"),
    ]
    assert stop_writes(plan, decoder) == [("0000ff07", "5302020000")]
    payload = struct.pack(">6h", 164, 0, 0, 0, 0, 2048)
    data = bytes([0x55, 9, (12 + sum(payload)) & 0xFF, 12]) + payload
    (packet,) = decoder.decode(esense.DATA, data)
    assert packet.counter == 9
    np.testing.assert_allclose(packet.samples, [[np.radians(10), 0, 0, 0, 0, 9.80665]], rtol=1e-6)


def test_esense_packets_and_settings_with_a_wrong_checksum_are_refused() -> None:
    with pytest.raises(DecodeError, match="wrong checksum"):
        run_start("esense", ScriptedDevice(reads={esense.IMU_CONFIG: CONFIG[:-1] + b"\0"}))
    _, decoder = run_start("esense", ScriptedDevice(reads={esense.IMU_CONFIG: CONFIG}), Settings(gyro=False))
    good = bytes([0x55, 1, 12, 12]) + bytes(12)
    assert decoder.decode(esense.DATA, good)[0].samples.shape == (1, 3)
    with pytest.raises(DecodeError, match="wrong checksum"):
        decoder.decode(esense.DATA, good[:-1] + b"\1")


def text(value: str) -> bytes:
    return bytes([len(value.encode())]) + value.encode()


Component = tuple[int, str, str, str]


def scheme(
    sensor: int, components: list[Component], rates: tuple[float, ...] = (25, 50, 100), options: int = 0x11
) -> bytes:
    parts = [bytes([sensor]) + text("sensor") + bytes([len(components)])]
    parts += [bytes([kind]) + text(group) + text(name) + text(unit) for kind, group, name, unit in components]
    parts.append(bytes([options]))
    if options & 0x10:
        parts.append(bytes([len(rates), 1, len(rates) - 1]) + struct.pack(f"<{len(rates)}f", *rates))
    return b"".join(parts)


IMU = [(6, "ACCELEROMETER", axis, "g") for axis in "XYZ"] + [(6, "GYROSCOPE", axis, "dps") for axis in "XYZ"]
BONE = [(2, "ACCELEROMETER", axis, "g") for axis in "XYZ"]
BARO = [(6, "BAROMETER", "Pressure", "kPa")]


def ear(*schemes: bytes) -> ScriptedDevice:
    return ScriptedDevice(
        reads={openearable.SENSOR_LIST: bytes([len(schemes), *(data[0] for data in schemes)])},
        answers={data[:1]: data for data in schemes},
    )


def test_the_openearable_sensor_with_the_most_axes_is_started() -> None:
    device = ear(scheme(3, BARO), scheme(7, BONE), scheme(5, IMU))
    plan, decoder = run_start("openearable", device, Settings(rate_hz=100))
    assert device.written[-1] == ("34c2e3be", "050201")
    assert stop_writes(plan, decoder) == [("34c2e3be", "050200")]
    assert decoder.groups[0].fs_hz == 100
    data = struct.pack("<BBQ6f", 5, 24, 77, 0, 0, 1, 10, 0, 0)
    (packet,) = decoder.decode(openearable.DATA, data)
    assert packet.device_time == 77
    np.testing.assert_allclose(packet.samples, [[0, 0, 9.80665, np.radians(10), 0, 0]], rtol=1e-6)
    assert decoder.decode(openearable.DATA, bytes([3]) + data[1:]) == []
    assert decoder.counts["other_sensors"] == 1
    with pytest.raises(DecodeError, match="expected 24 for each"):
        decoder.decode(openearable.DATA, data + b"\0")


def test_integer_samples_of_an_openearable_are_decoded_by_its_scheme() -> None:
    _, decoder = run_start("openearable", ear(scheme(7, BONE)))
    (packet,) = decoder.decode(openearable.DATA, struct.pack("<BBQ6hH", 7, 12, 1, 1, 2, 3, 4, 5, 6, 20_000))
    np.testing.assert_allclose(packet.samples / 9.80665, [[1, 2, 3], [4, 5, 6]], rtol=1e-6)


@pytest.mark.parametrize(
    ("schemes", "error", "message"),
    [
        ([scheme(3, BARO)], ConfigError, "no accelerometer that can stream"),
        ([scheme(5, IMU, options=0x12)], ConfigError, "no accelerometer that can stream"),
        (
            [scheme(5, [(6, "ACC", axis, "furlong") for axis in "XYZ"])],
            DecodeError,
            "in 'furlong'; expected one of",
        ),
        ([scheme(5, [*BONE, *IMU[3:]])], DecodeError, "expected one type"),
        ([scheme(5, IMU)[:20]], DecodeError, "ends at byte 20"),
        ([scheme(5, IMU, rates=(25, 200))], ConfigError, "cannot be 50; choose one of 25, 200"),
    ],
)
def test_an_unusable_openearable_is_refused_with_the_reason(
    schemes: list[bytes], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_start("openearable", ear(*schemes))


def test_a_bluest_board_sends_its_time_in_ticks_of_8_ms() -> None:
    _, decoder = run_start("bluest", ScriptedDevice(), Settings(gyro=False))
    (packet,) = decoder.decode(bluest.ALL, struct.pack("<H9h", 125, 0, 0, 1000, *range(6)))
    np.testing.assert_allclose(packet.samples, [[0, 0, 9.80665]], rtol=1e-6)
    assert packet.device_time is not None
    clock = decoder.groups[0].clock
    assert clock.tick_s is not None
    assert packet.device_time * clock.tick_s == 1.0


def test_a_pinetime_has_no_settings_and_its_silence_is_not_a_loss() -> None:
    device = ScriptedDevice()
    _, decoder = run_start("infinitime", device)
    assert device.steps == [Subscribe(infinitime.MOTION)]
    assert decoder.groups[0].on_change
    with pytest.raises(ConfigError, match="cannot be 50; choose one of 10"):
        find_profile("infinitime").plan(Settings(rate_hz=50))
