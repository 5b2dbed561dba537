"""What each device is told to start and to stop, and how it answers."""

from __future__ import annotations

import struct

import pytest

from kinestream.core.errors import ConfigError, DecodeError, DeviceRefused
from kinestream.ingest.devices import dot, find_profile, metamotion, microbit, movesense, sensortag, thingy52, witmotion
from kinestream.ingest.profile import Read, Settings, Subscribe, Wait, Write

from .device import Answer, PaperDevice, start, stopped


def test_a_microbit_is_given_a_period_it_allows_and_asked_which_it_took() -> None:
    device = PaperDevice(reads={microbit.PERIOD: b"\x14\0"})
    _, decoder = start("microbit", device, Settings(rate_hz=100))
    assert device.written == [("e95dfb24", "0a00")]
    assert decoder.groups[0].fs_hz == 50.0, "it took 20 ms"
    with pytest.raises(DecodeError, match="a period of 0 ms"):
        start("microbit", PaperDevice(reads={microbit.PERIOD: b"\0\0"}))
    with pytest.raises(ConfigError, match="cannot be 60; choose one of"):
        start("microbit", PaperDevice(), Settings(rate_hz=60))
    with pytest.raises(ConfigError, match="has no setting gyro"):
        start("microbit", PaperDevice(), Settings(gyro=True))


def test_a_thingy_keeps_its_other_settings_when_the_rate_is_set() -> None:
    device = PaperDevice(reads={thingy52.CONFIG: struct.pack("<HHHHB", 500, 600, 700, 60, 1)})
    _, decoder = start("thingy52", device, Settings(rate_hz=100))
    assert device.written == [("ef680401", struct.pack("<HHHHB", 500, 600, 700, 100, 1).hex())]
    assert device.heard[-1] == Subscribe(thingy52.RAW)
    assert decoder.groups[0].fs_hz == 100
    with pytest.raises(ConfigError, match="cannot be 4; choose a whole number from 5 to 200"):
        start("thingy52", device, Settings(rate_hz=4))


@pytest.mark.parametrize(
    ("settings", "config", "channels"),
    [
        (Settings(acc_range_g=8), "3f02", ("gyro_x", "acc_z")),
        (Settings(acc_range_g=2, gyro=False), "3800", ("acc_x", "acc_z")),
        (Settings(acc_range_g=16, mag=True), "7f03", ("gyro_x", "mag_z")),
        (Settings(gyro=False, mag=True), "7802", ("acc_x", "mag_z")),
    ],
)
def test_a_sensortag_is_told_range_and_sensors_in_one_word(
    settings: Settings, config: str, channels: tuple[str, str]
) -> None:
    device = PaperDevice()
    plan, decoder = start("sensortag", device, settings)
    assert device.written == [("f000aa83", "0a"), ("f000aa82", config)]
    assert (decoder.groups[0].channels[0], decoder.groups[0].channels[-1]) == channels
    (packet,) = decoder.decode(sensortag.DATA, bytes(18))
    assert packet.samples.shape == (1, len(decoder.groups[0].channels))
    assert stopped(plan, decoder) == [("f000aa82", "0000")]


def test_a_sensortag_is_scaled_by_the_range_it_was_given() -> None:
    data = bytes(6) + struct.pack("<3h", 0, 0, 16384) + bytes(6)
    for range_g in (2, 4, 8, 16):
        _, decoder = start("sensortag", PaperDevice(), Settings(acc_range_g=range_g))
        assert decoder.decode(sensortag.DATA, data)[0].samples[0, 5] == pytest.approx(range_g / 2 * 9.80665)


def test_a_dot_is_given_its_rate_and_started_with_rate_quantities() -> None:
    settings = bytes(range(32))
    device = PaperDevice(reads={dot.DEVICE_CONTROL: settings, dot.CONTROL: b"\1\0\x15"})
    plan, decoder = start("dot", device, Settings(rate_hz=20))
    expected = b"\x10" + settings[1:24] + b"\x14\0" + settings[26:]
    assert device.written == [("15171002", expected.hex()), ("15172001", "010115")]
    assert device.heard[-2] == Subscribe(dot.MEDIUM)
    assert stopped(plan, decoder) == [("15172001", "010015")]
    (packet,) = decoder.decode(dot.BATTERY_INFO, bytes([57, 1]))
    assert packet.battery_frac == 0.57
    assert [periodic.step for periodic in plan.periodic] == [Read(dot.BATTERY_INFO, "read the battery level")]
    with pytest.raises(ConfigError, match="has no setting mag"):
        start("dot", device, Settings(mag=True))


def test_a_dot_that_still_measures_after_a_crash_is_stopped_first_in_the_mode_it_is_in() -> None:
    device = PaperDevice(reads={dot.DEVICE_CONTROL: bytes(32), dot.CONTROL: b"\1\1\5"})
    start("dot", device)
    assert device.written[0] == ("15172001", "010005")


def test_a_witmotion_is_unlocked_and_set_but_the_setting_is_not_burnt_in() -> None:
    device = PaperDevice()
    plan, decoder = start("witmotion", device, Settings(rate_hz=100))
    assert [data for _, data in device.written] == ["ffaa6988b5", "ffaa030900"]
    assert any(isinstance(step, Wait) for step in device.heard)
    assert stopped(plan, decoder) == []
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
def test_a_movesense_is_subscribed_to_once_for_all_sensors(settings: Settings, resource: str, channels: int) -> None:
    device = PaperDevice(answers={b"\x01": bytes([1, 99]) + struct.pack("<H", 200)})
    plan, decoder = start("movesense", device, settings)
    assert device.written == [("34800001", (b"\x01\x63" + resource.encode()).hex())]
    assert len(decoder.groups[0].channels) == channels
    assert stopped(plan, decoder) == [("34800001", "0263")]


def test_a_movesense_may_say_nothing_or_no() -> None:
    start("movesense", PaperDevice())
    with pytest.raises(DeviceRefused, match="status 404"):
        start("movesense", PaperDevice(answers={b"\x01": bytes([1, 99]) + struct.pack("<H", 404)}))
    with pytest.raises(ConfigError, match="cannot be 50; choose one of 13, 26, 52"):
        start("movesense", PaperDevice(), Settings(rate_hz=50))


def board(acc: bytes = b"\x01\x01", gyro: bytes = b"\x00\x01", mag: bytes = b"\x00\x02") -> PaperDevice:
    infos = {0x03: acc, 0x13: gyro, 0x15: mag}
    answers: dict[bytes, Answer] = {bytes([m, 0x80]): bytes([m, 0x80]) + info for m, info in infos.items()}
    return PaperDevice(answers=answers)


def told(device: PaperDevice) -> list[str]:
    return [data for _, data in device.written if data[2:] != "80"]


def test_a_metamotion_with_a_bmi160_is_set_up_by_its_codes_and_sends_three_samples_at_once() -> None:
    device = board()
    plan, decoder = start("metamotion", device, Settings(rate_hz=100, acc_range_g=16, gyro_range_dps=250))
    assert told(device) == [
        *("030100", "0303280c"),
        *("130100", "13032803"),
        *("031c01", "03020100", "030101"),
        *("130701", "13020100", "130101"),
    ]
    assert [group.name for group in decoder.groups] == ["acc", "gyro"]
    assert [data for _, data in stopped(plan, decoder)] == ["030100", "03020001", "130100", "13020001"]


def test_a_metamotion_with_a_bmi270_has_codes_and_registers_of_its_own() -> None:
    device = board(acc=b"\x04\x00", gyro=b"\x01\x00")
    start("metamotion", device, Settings(rate_hz=200, acc_range_g=8, gyro_range_dps=125))
    assert told(device) == [
        *("030100", "0303a902"),
        *("130100", "13032904"),
        *("030501", "03020100", "030101"),
        *("130501", "13020100", "130101"),
    ]


def test_old_firmware_of_a_metamotion_sends_one_sample_at_a_time() -> None:
    device = board(acc=b"\x01\x00", gyro=b"\x00\x00")
    start("metamotion", device)
    assert {"030401", "130501"} <= set(told(device))


def test_a_metamotion_without_a_gyroscope_streams_acceleration_alone_unless_it_was_asked_for() -> None:
    _, decoder = start("metamotion", board(gyro=b""))
    assert [group.name for group in decoder.groups] == ["acc"]
    with pytest.raises(ConfigError, match="no gyroscope"):
        start("metamotion", board(gyro=b""), Settings(gyro=True))
    with pytest.raises(ConfigError, match="no magnetometer"):
        start("metamotion", board(mag=b""), Settings(mag=True))
    with pytest.raises(ConfigError, match="no accelerometer that is known"):
        start("metamotion", board(acc=b"\x00\x00"))
    _, decoder = start("metamotion", board(gyro=b""), Settings(mag=True))
    assert [group.name for group in decoder.groups] == ["acc", "mag"]


def test_the_battery_of_a_metamotion_is_asked_for_and_its_answer_is_read() -> None:
    plan = find_profile("metamotion").plan(Settings())
    (poll,) = plan.periodic
    assert isinstance(poll.step, Write)
    assert poll.step.data.hex() == "118c"
    with pytest.raises(DecodeError, match="a charge of 255 %"):
        plan.decoder().decode(metamotion.NOTIFY, bytes.fromhex("118cff3410"))


def test_every_movesense_resource_has_its_sensors_in_the_order_of_its_name() -> None:
    assert [len(channels) // 3 for channels in movesense.RESOURCES.values()] == [1, 1, 1, 2, 2, 3]
