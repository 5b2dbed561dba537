"""Start and stop dialogues of each device."""

from __future__ import annotations

import struct

import pytest

from kinestream.core.errors import ConfigError, DecodeError, DeviceRefused
from kinestream.ingest.devices import dot, find_profile, metamotion, microbit, movesense, sensortag, thingy52, witmotion
from kinestream.ingest.profile import Read, Settings, Subscribe, Wait, Write

from .device import Answer, ScriptedDevice, run_start, stop_writes


def test_a_microbit_gets_a_valid_period_and_reports_the_one_it_took() -> None:
    device = ScriptedDevice(reads={microbit.PERIOD: b"\x14\0"})
    _, decoder = run_start("microbit", device, Settings(rate_hz=100))
    assert device.written == [("e95dfb24", "0a00")]
    assert decoder.groups[0].fs_hz == 50.0, "it took 20 ms"
    _, decoder = run_start("microbit", ScriptedDevice(reads={microbit.PERIOD: b"\x64\0"}), Settings(rate_hz=12.5))
    assert decoder.groups[0].fs_hz == 10.0, "version 1.5 has no 80 ms"
    _, decoder = run_start("microbit", ScriptedDevice(reads={microbit.PERIOD: b"\x03\0"}))
    assert decoder.groups[0].fs_hz == pytest.approx(1000 / 3)
    with pytest.raises(DecodeError, match="a period of 20 ms in 1 bytes"):
        run_start("microbit", ScriptedDevice(reads={microbit.PERIOD: b"\x14"}))
    with pytest.raises(DecodeError, match="a period of 0 ms"):
        run_start("microbit", ScriptedDevice(reads={microbit.PERIOD: b"\0\0"}))
    with pytest.raises(ConfigError, match="cannot be 60; choose one of"):
        run_start("microbit", ScriptedDevice(), Settings(rate_hz=60))
    with pytest.raises(ConfigError, match="has no setting gyro"):
        run_start("microbit", ScriptedDevice(), Settings(gyro=True))


def test_setting_the_rate_of_a_thingy_keeps_its_other_settings() -> None:
    device = ScriptedDevice(reads={thingy52.CONFIG: struct.pack("<HHHHB", 500, 600, 700, 60, 1)})
    _, decoder = run_start("thingy52", device, Settings(rate_hz=100))
    assert device.written == [("ef680401", struct.pack("<HHHHB", 500, 600, 700, 100, 1).hex())]
    assert device.steps[-1] == Subscribe(thingy52.RAW)
    assert decoder.groups[0].fs_hz == 100
    with pytest.raises(ConfigError, match="cannot be 4; choose a whole number from 5 to 200"):
        run_start("thingy52", device, Settings(rate_hz=4))


@pytest.mark.parametrize(
    ("settings", "config", "channels"),
    [
        (Settings(acc_range_g=8), "3f02", ("gyro_x", "acc_z")),
        (Settings(acc_range_g=2, gyro=False), "3800", ("acc_x", "acc_z")),
        (Settings(acc_range_g=16, mag=True), "7f03", ("gyro_x", "mag_z")),
        (Settings(gyro=False, mag=True), "7802", ("acc_x", "mag_z")),
    ],
)
def test_a_sensortag_gets_range_and_sensors_in_one_word(
    settings: Settings, config: str, channels: tuple[str, str]
) -> None:
    device = ScriptedDevice()
    plan, decoder = run_start("sensortag", device, settings)
    assert device.written == [("f000aa83", "0a"), ("f000aa82", config)]
    assert (decoder.groups[0].channels[0], decoder.groups[0].channels[-1]) == channels
    (packet,) = decoder.decode(sensortag.DATA, bytes(18))
    assert packet.samples.shape == (1, len(decoder.groups[0].channels))
    assert stop_writes(plan, decoder) == [("f000aa82", "0000")]


def test_sensortag_values_scale_with_the_written_range() -> None:
    data = bytes(6) + struct.pack("<3h", 0, 0, 16384) + bytes(6)
    for range_g in (2, 4, 8, 16):
        _, decoder = run_start("sensortag", ScriptedDevice(), Settings(acc_range_g=range_g))
        assert decoder.decode(sensortag.DATA, data)[0].samples[0, 5] == pytest.approx(range_g / 2 * 9.80665)


def test_a_dot_gets_its_rate_and_starts_with_rate_quantities() -> None:
    settings = bytes(range(32))
    device = ScriptedDevice(reads={dot.DEVICE_CONTROL: settings, dot.CONTROL: b"\1\0\x15"})
    plan, decoder = run_start("dot", device, Settings(rate_hz=20))
    expected = b"\x10" + settings[1:24] + b"\x14\0" + settings[26:]
    assert device.written == [("15171002", expected.hex()), ("15172001", "010115")]
    assert device.steps[-2] == Subscribe(dot.MEDIUM)
    assert stop_writes(plan, decoder) == [("15172001", "010015")]
    (packet,) = decoder.decode(dot.BATTERY_INFO, bytes([57, 1]))
    assert packet.battery_frac == 0.57
    assert [periodic.step for periodic in plan.periodic] == [Read(dot.BATTERY_INFO, "read the battery level")]
    with pytest.raises(ConfigError, match="has no setting mag"):
        run_start("dot", device, Settings(mag=True))


def test_a_dot_still_measuring_after_a_crash_is_stopped_in_its_mode_first() -> None:
    device = ScriptedDevice(reads={dot.DEVICE_CONTROL: bytes(32), dot.CONTROL: b"\1\1\5"})
    run_start("dot", device)
    assert device.written[0] == ("15172001", "010005")


def test_a_witmotion_is_unlocked_and_configured_but_not_permanently() -> None:
    device = ScriptedDevice()
    plan, decoder = run_start("witmotion", device, Settings(rate_hz=100))
    assert [data for _, data in device.written] == ["ffaa6988b5", "ffaa030900"]
    assert any(isinstance(step, Wait) for step in device.steps)
    assert stop_writes(plan, decoder) == []
    (poll,) = plan.periodic
    assert isinstance(poll.step, Write)
    assert poll.step.data.hex() == "ffaa276400"
    (packet,) = decoder.decode(witmotion.DATA, bytes.fromhex("55716400") + struct.pack("<H", 383) + bytes(14))
    assert packet.battery_frac == 0.6


@pytest.mark.parametrize(
    ("settings", "resource", "channels"),
    [
        (Settings(), "/Meas/IMU6/52", 6),
        (Settings(gyro=False, rate_hz=104), "/Meas/Acc/104", 3),
        (Settings(mag=True), "/Meas/IMU9/52", 9),
        (Settings(mag=True, gyro=False), "/Meas/IMU6m/52", 6),
    ],
)
def test_a_movesense_gets_one_subscription_for_all_sensors(settings: Settings, resource: str, channels: int) -> None:
    device = ScriptedDevice(answers={b"\x01": bytes([1, 99]) + struct.pack("<H", 200)})
    plan, decoder = run_start("movesense", device, settings)
    assert device.written == [("34800001", (b"\x01\x63" + resource.encode()).hex())]
    assert len(decoder.groups[0].channels) == channels
    assert stop_writes(plan, decoder) == [("34800001", "0263")]


def test_a_movesense_may_stay_silent_but_a_refusal_is_an_error() -> None:
    run_start("movesense", ScriptedDevice())
    with pytest.raises(DeviceRefused, match="status 404"):
        run_start("movesense", ScriptedDevice(answers={b"\x01": bytes([1, 99]) + struct.pack("<H", 404)}))
    with pytest.raises(ConfigError, match="cannot be 50; choose one of 13, 26, 52"):
        run_start("movesense", ScriptedDevice(), Settings(rate_hz=50))


def board(acc: bytes = b"\x01\x01", gyro: bytes = b"\x00\x01", mag: bytes = b"\x00\x02") -> ScriptedDevice:
    infos = {0x03: acc, 0x13: gyro, 0x15: mag}
    answers: dict[bytes, Answer] = {bytes([m, 0x80]): bytes([m, 0x80]) + info for m, info in infos.items()}
    return ScriptedDevice(answers=answers)


def config_writes(device: ScriptedDevice) -> list[str]:
    return [data for _, data in device.written if data[2:] != "80"]


def test_a_metamotion_with_a_bmi160_gets_its_codes_and_packs_three_samples() -> None:
    device = board()
    plan, decoder = run_start("metamotion", device, Settings(rate_hz=100, acc_range_g=16, gyro_range_dps=250))
    assert config_writes(device) == [
        *("030100", "0303280c"),
        *("130100", "13032803"),
        *("031c01", "03020100", "030101"),
        *("130701", "13020100", "130101"),
    ]
    assert [group.name for group in decoder.groups] == ["acc", "gyro"]
    assert [data for _, data in stop_writes(plan, decoder)] == ["030100", "03020001", "130100", "13020001"]


def test_a_metamotion_with_a_bmi270_has_its_own_codes_and_registers() -> None:
    device = board(acc=b"\x04\x00", gyro=b"\x01\x00")
    run_start("metamotion", device, Settings(rate_hz=200, acc_range_g=8, gyro_range_dps=125))
    assert config_writes(device) == [
        *("030100", "0303a902"),
        *("130100", "13032904"),
        *("030501", "03020100", "030101"),
        *("130501", "13020100", "130101"),
    ]


def test_old_metamotion_firmware_sends_one_sample_per_packet() -> None:
    device = board(acc=b"\x01\x00", gyro=b"\x00\x00")
    run_start("metamotion", device)
    assert {"030401", "130501"} <= set(config_writes(device))


def test_a_metamotion_without_gyroscope_streams_only_acceleration_unless_one_is_required() -> None:
    _, decoder = run_start("metamotion", board(gyro=b""))
    assert [group.name for group in decoder.groups] == ["acc"]
    with pytest.raises(ConfigError, match="no gyroscope"):
        run_start("metamotion", board(gyro=b""), Settings(gyro=True))
    with pytest.raises(ConfigError, match="no magnetometer"):
        run_start("metamotion", board(mag=b""), Settings(mag=True))
    with pytest.raises(ConfigError, match="no known accelerometer"):
        run_start("metamotion", board(acc=b"\x00\x00"))
    _, decoder = run_start("metamotion", board(gyro=b""), Settings(mag=True))
    assert [group.name for group in decoder.groups] == ["acc", "mag"]


def test_the_battery_of_a_metamotion_is_requested_and_decoded() -> None:
    plan = find_profile("metamotion").plan(Settings())
    (poll,) = plan.periodic
    assert isinstance(poll.step, Write)
    assert poll.step.data.hex() == "118c"
    with pytest.raises(DecodeError, match="a charge of 255 %"):
        plan.decoder().decode(metamotion.NOTIFY, bytes.fromhex("118cff3410"))


def test_every_movesense_resource_has_the_sensors_in_its_name() -> None:
    assert [len(channels) // 3 for channels in movesense.RESOURCES.values()] == [1, 1, 1, 2, 2, 3]
