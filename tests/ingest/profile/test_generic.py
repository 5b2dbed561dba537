"""Profiles from TOML: packets are decoded as described, and invalid descriptions are refused with the mistake."""

from __future__ import annotations

import random
import re
import struct
import tomllib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import ACC, GYRO
from kinestream.ingest.devices import find_profile
from kinestream.ingest.profile import Advertisement, Settings
from kinestream.ingest.profile.generic import parse

from ..devices.device import ScriptedDevice

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "generic_profile.md").read_text(encoding="utf-8")
(SKETCH,) = re.findall(r"```cpp\n(.*?)```", PAGE, re.DOTALL)
(EXAMPLE,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
CHAR = "19b10001-e8f2-537e-4f6c-d104768a1214"
OTHER = "19b10002-e8f2-537e-4f6c-d104768a1214"

PLAIN = f"""
[[stream]]
characteristic = "{CHAR}"
rate_hz = 50
sample = "<3f"
sample_holds = ["acc_x", "acc_y", "acc_z"]
"""
FULL = f"""
name = "mine"
title = "My sensor"
[advertisement]
names = ["Mine"]
services = ["180f"]
[rate]
write = "{OTHER}"
choices = {{ "25" = "19", "50" = "32 00" }}
default = 25
[[start]]
wait_s = 0.1
[[start]]
write = "{OTHER}"
hex = "01"
response = false
[[stop]]
write = "{OTHER}"
hex = "00"
[[stream]]
name = "imu"
characteristic = "{CHAR}"
rate_hz = 100
header = ">BxH"
header_holds = ["_", "counter"]
counter = {{ counts = "samples" }}
sample = ">hhhxb"
sample_holds = ["acc_y", "-acc_x", "acc_z", "_"]
acc = {{ unit = "mg", counts = 2 }}
on_change = true
[[stream]]
characteristic = "{OTHER}"
rate_hz = 10
header = "<Q"
header_holds = ["time"]
clock = {{ tick_s = 1e-3, stamps = "last" }}
sample = "<3d"
sample_holds = ["mag_x", "mag_y", "mag_z"]
mag = {{ unit = "gauss" }}
"""


def profile(text: str):
    return parse(tomllib.loads(text), "my.toml")


def test_the_example_on_the_page_decodes_the_packets_of_its_sketch(tmp_path: Path) -> None:
    (tmp_path / "nano33.toml").write_text(EXAMPLE, encoding="utf-8")
    nano = find_profile(f"generic:{tmp_path / 'nano33.toml'}")
    decoder = nano.plan(Settings()).decoder()
    packet = struct.pack("<I6h", 10_000, 8192, 0, -4096, 16384, 0, -16384)
    (decoded,) = decoder.decode("5b0d0001-6c1f-4b43-9a70-6b696e657374", packet)
    dps = 16384 / 16.384
    expected = [9.80665, 0, -9.80665 / 2, np.radians(dps), 0, -np.radians(dps)]
    np.testing.assert_allclose(decoded.samples, [expected], rtol=1e-6)
    assert decoded.device_time == 10_000
    assert decoder.groups[0].clock.tick_s == 1e-6
    assert decoder.groups[0].clock.time_modulus == 2**32
    assert nano.signature.match(Advertisement("Kinestream IMU")) == 3


def test_the_sketch_and_the_description_agree() -> None:
    uuids = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", SKETCH))
    assert uuids == set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", EXAMPLE))
    (members,) = re.findall(r"struct .*? Packet \{(.*?)\};", SKETCH, re.DOTALL)
    assert re.findall(r"(\w+_t) (\w+)(?:\[(\d)\])?;", members) == [
        ("uint32_t", "time_us", ""),
        ("int16_t", "acc", "3"),
        ("int16_t", "gyro", "3"),
    ]
    (stream,) = tomllib.loads(EXAMPLE)["stream"]
    assert stream["header"] + stream["sample"][1:] == "<I6h"
    constants = dict(re.findall(r"(COUNTS_PER_\w+) = ([\d.]+)f", SKETCH))
    assert float(constants["COUNTS_PER_G"]) == stream["acc"]["counts"]
    assert float(constants["COUNTS_PER_DPS"]) == stream["gyro"]["counts"]
    assert re.findall(r'setLocalName\("(.*?)"\)', SKETCH) == tomllib.loads(EXAMPLE)["advertisement"]["names"]


def test_the_decode_command_on_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from kinestream.cli import main

    (tmp_path / "nano33.toml").write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r'kinestream decode (generic:\S+) "(.*?)"', PAGE)
    assert main(["decode", *command]) == 0
    assert "0.010000 s of the device's clock" in capsys.readouterr().out


def test_every_key_is_on_the_page() -> None:
    for key in re.findall(r"(?m)^\[*(\w+)\]*(?= =|\]|$)", FULL):
        assert re.search(rf"`\[*{key}|\.{key}`|`{key}`", PAGE), key


def test_layout_signs_skips_and_repeats_take_effect() -> None:
    decoder = profile(FULL).plan(Settings()).decoder()
    packet = struct.pack(">BxH", 9, 65_535) + b"".join(struct.pack(">hhhxb", 2000, 2 * k, 4, 99) for k in range(3))
    (decoded,) = decoder.decode(CHAR, packet)
    assert decoder.groups[0].channels == ("acc_y", "acc_x", "acc_z")
    mg = decoded.samples / 0.00980665
    np.testing.assert_allclose(mg, [[1000, 0, 2], [1000, -1, 2], [1000, -2, 2]], rtol=1e-5)
    assert decoded.counter == 65_535
    assert decoded.device_time is None
    assert decoder.groups[0].clock.counter_modulus == 65_536
    assert decoder.groups[0].clock.counts == "samples"
    assert decoder.groups[0].on_change
    (field,) = decoder.decode(OTHER, struct.pack("<Q3d", 5, 0.5, 0, -0.5))
    np.testing.assert_allclose(field.samples, [[50, 0, -50]])
    assert decoder.groups[1].clock.stamps == "last"
    assert decoder.decode("00002a19-0000-1000-8000-00805f9b34fb", b"\x32")[0].battery_frac == 0.5


def test_a_mirrored_device_is_mended_in_its_description() -> None:
    both = PLAIN.replace("<3f", "<6f").replace('"acc_z"]', '"acc_z", "gyro_x", "gyro_y", "-gyro_z"]')
    mended = profile('axes = "y x z mirrored"\n' + both).plan(Settings()).decoder()
    (packet,) = mended.decode(CHAR, struct.pack("<6f", 1, 2, 3, 4, 5, 6))
    assert mended.groups[0].channels == (*ACC, *GYRO)
    assert packet.samples.tolist() == [[2, 1, 3, 5, 4, -6]]
    turned = profile('axes = "-z x -y"\n' + PLAIN).plan(Settings()).decoder()
    assert turned.decode(CHAR, struct.pack("<3f", 1, 2, 3))[0].samples.tolist() == [[-3, 1, -2]]


def test_start_and_stop_steps_run_in_order() -> None:
    plan = profile(FULL).plan(Settings(rate_hz=50))
    decoder, device = plan.decoder(), ScriptedDevice()
    device.run(plan.start(decoder))
    assert device.written == [("19b10002", "3200"), ("19b10002", "01")]
    assert [type(step).__name__ for step in device.steps] == ["Write", "Subscribe", "Subscribe", "Wait", "Write"]
    assert [group.fs_hz for group in decoder.groups] == [50, 50]
    device.steps.clear()
    device.run(plan.stop(decoder))
    assert device.written == [("19b10002", "00")]
    assert profile(FULL).plan(Settings()).decoder().groups[0].fs_hz == 25


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(rate_hz=60), "cannot be 60; choose one of 25, 50"),
        (Settings(acc_range_g=4), "My sensor has no setting acc_range_g"),
    ],
)
def test_undescribed_settings_are_refused(settings: Settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        profile(FULL).plan(settings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate_hz = 50", "rate_hertz = 50", r"my.toml: \[\[stream\]\] 1 lacks 'rate_hz'"),
        ("rate_hz = 50", "rate_hz = 50\nsamples = 2", "unknown key 'samples' .did you mean 'sample'"),
        ("rate_hz = 50", "rate_hz = 0", "rate_hz = 0; expected a number from 0.01 to 10000"),
        ("rate_hz = 50", "rate_hz = true", "rate_hz = True; expected a number"),
        ("rate_hz = 50", "rate_hz = nan", "expected a number"),
        (CHAR, "19b10001", "has the UUID '19b10001'; expected e.g."),
        ('"<3f"', '"3f"', "sample is '3f'; expected < or > for the byte order"),
        ('"<3f"', '"<3s"', "sample is '<3s'"),
        ('"<3f"', '"<999999999999999999999h"', "at most 512 bytes"),
        ('"<3f"', '"<2f"', "sample_holds .* expected 2 entries, one for each number of '<2f'"),
        ('"acc_x", ', '"acc_w", ', "out of acc_x"),
        ('"acc_x", ', '"acc_y", ', "each channel once"),
        ('["acc_x", "acc_y", "acc_z"]', '["_", "_", "_"]', "each channel once, and at least one"),
        ('["acc_x", "acc_y", "acc_z"]', '"acc_x"', "sample_holds = 'acc_x'; expected a list of strings"),
        ("rate_hz = 50", 'rate_hz = 50\nacc = { unit = "lb" }', r"unit = 'lb'; expected one of m/s\^2, g, mg"),
        ("rate_hz = 50", "rate_hz = 50\nacc = { counts = 0 }", "counts = 0; expected a number"),
        ("rate_hz = 50", "rate_hz = 50\nclock = { tick_s = 1 }", "but header_holds names no 'time'"),
        ("rate_hz = 50", 'rate_hz = 50\nheader = "<I"\nheader_holds = ["time"]', r"\[clock\] lacks 'tick_s'"),
        ("rate_hz = 50", 'rate_hz = 50\nheader = "<f"\nheader_holds = ["counter"]', "reads its counter as 'f'"),
        ("[[stream]]", "[stream]", r"stream = .*; expected \[\[stream\]\] tables"),
        ("[[stream]]", "[[start]]\nhex = '01'\n[[stream]]", r"\[\[start\]\] 1 lacks 'write'"),
        ("[[stream]]", f"[[start]]\nwrite = '{CHAR}'\nhex = '0'\n[[stream]]", "in hexadecimal, two digits each"),
        ("[[stream]]", f"[rate]\nwrite = '{CHAR}'\nchoices = {{ fast = '01' }}\n[[stream]]", "has the key 'fast'"),
        ("[[stream]]", f"[rate]\nwrite = '{CHAR}'\nchoices = {{}}\n[[stream]]", "is empty; name each rate"),
        (
            "[[stream]]",
            f"[rate]\nwrite = '{CHAR}'\nchoices = {{ 5 = '01' }}\ndefault = 6\n[[stream]]",
            "default is 6; expected one of its choices",
        ),
        ("[[stream]]", "axes = 'y x z'\n[[stream]]", "my.toml has axes 'y x z' mirror the sensor; .* 'y x z mirrored'"),
        ("[[stream]]", "axes = '-y x z mirrored'\n[[stream]]", "only turn the sensor"),
        ("[[stream]]", "axes = 'y x w mirrored'\n[[stream]]", "expected three of x, y, z"),
        ("[[stream]]", "colour = 'red'\n[[stream]]", "unknown key 'colour'"),
        (
            PLAIN,
            "axes = '-y x z'\n" + PLAIN.replace('"acc_y"', '"_"'),
            "holds acc_x but not acc_y, which the axes '-y x z' put in its place",
        ),
        (PLAIN, PLAIN + PLAIN.replace("acc_", "gyro_"), f"uses the characteristic {CHAR} in two streams"),
        (PLAIN, PLAIN + PLAIN.replace(CHAR, OTHER), "uses the channel acc_x, acc_y, acc_z in two streams"),
        (PLAIN, "", r"has no \[\[stream\]\]"),
    ],
)
def test_an_invalid_description_is_refused_with_its_mistake(old: str, new: str, message: str) -> None:
    assert old in PLAIN
    with pytest.raises(ConfigError, match=message):
        profile(PLAIN.replace(old, new))


def test_four_digits_are_an_assigned_uuid() -> None:
    assert profile(PLAIN.replace(CHAR, "2A5B")).plan(Settings()).notify == ("00002a5b-0000-1000-8000-00805f9b34fb",)


def test_a_file_that_is_missing_too_large_or_invalid_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_profile(f"generic:{tmp_path / 'nothing.toml'}")
    with pytest.raises(ConfigError, match="needs your description"):
        find_profile("generic")
    (tmp_path / "bad.toml").write_bytes(b"name = \xff")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        find_profile(f"generic:{tmp_path / 'bad.toml'}")
    (tmp_path / "long.toml").write_text("#" * 70_000)
    with pytest.raises(ConfigError, match="more than 65536 bytes"):
        find_profile(f"generic:{tmp_path / 'long.toml'}")


def test_random_packets_are_decoded_or_refused() -> None:
    decoder = profile(FULL).plan(Settings()).decoder()
    rng, decoded_count = random.Random(5), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3000):
            characteristic = rng.choice(decoder.characteristics)
            try:
                packets = decoder.decode(characteristic, rng.randbytes(rng.choice((4, 12, 20, 32, rng.randrange(64)))))
            except DecodeError:
                continue
            decoded_count += 1
            assert all(np.isfinite(packet.samples).all() for packet in packets)
    assert decoded_count > 300


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_document_is_a_profile_or_a_config_error(data: st.DataObject) -> None:
    document: Any = tomllib.loads(FULL)
    for _ in range(data.draw(st.integers(1, 3))):
        streams = document.get("stream")
        tables = [document, document.get("rate"), *(streams if isinstance(streams, list) else [])]
        table = data.draw(st.sampled_from(tables))
        if isinstance(table, dict) and table:
            table[data.draw(st.sampled_from(sorted(table)) | st.text(max_size=8))] = data.draw(values)
    with suppress(ConfigError):
        parse(document).plan(Settings())
