"""Byte streams over Nordic UART: lines of text and Bluefruit packets, and their start and stop dialogues."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.ingest.devices import adafruit, find_profile, nus
from kinestream.ingest.profile import Await, Decoder, Packet, Settings, Subscribe, Write

from .device import ScriptedDevice


def lines() -> Decoder:
    return find_profile("nus").plan(Settings()).decoder()


def fed(decoder: Decoder, text: str) -> list[Packet]:
    return decoder.decode(nus.FROM_DEVICE, text.encode())


def cut(decoder: Decoder, characteristic: str, stream: bytes, cuts: list[int]) -> list[Packet]:
    packets, at = [], 0
    for size in [*cuts, *[500] * (len(stream) // 500 + 1)]:
        packets += decoder.decode(characteristic, stream[at : at + size])
        at += size
    return packets


@given(st.lists(st.integers(0, 30), max_size=30), st.sampled_from(["csv", "json"]), st.sampled_from(["\n", "\r\n"]))
def test_lines_are_found_however_the_stream_is_split(cuts: list[int], form: str, end: str) -> None:
    rows = [[k / 10, -k / 10, 1.0, k, -k, 2 * k] for k in range(10)]
    if form == "csv":
        text = [",".join(map(str, row)) for row in rows]
    else:
        text = [json.dumps({"acc": dict(zip("xyz", row, strict=False)), "gyro": row[3:]}) for row in rows]
    decoder = lines()
    packets = cut(decoder, nus.FROM_DEVICE, (end.join(text) + end).encode(), cuts)
    assert decoder.groups[0].channels == nus.ACC + nus.GYRO
    values = np.concatenate([packet.samples for packet in packets])
    np.testing.assert_allclose(values / nus._UNITS[:6], rows, rtol=1e-5)


@pytest.mark.parametrize(
    "line",
    [
        '{"t":"accel","accel":{"x":0.5,"y":-1,"z":0.25,"mag":1,"diff":0,"td":0}}',
        '{"acc":[0.5,-1,0.25]}',
        '{"x":0.5,"y":-1,"z":0.25}',
        '{"ax":0.5,"ay":-1,"az":0.25}',
        "0.5,-1,0.25",
        "  0.5 , -1 , .25  ",
    ],
)
def test_acceleration_is_decoded_from_many_formats(line: str) -> None:
    decoder = lines()
    (packet,) = fed(decoder, f"{line}\n")
    assert decoder.groups[0].channels == nus.ACC
    np.testing.assert_allclose(packet.samples / 9.80665, [[0.5, -1, 0.25]], rtol=1e-6)


def test_other_text_is_skipped_and_counted() -> None:
    decoder = lines()
    other = [">", "hello, world", "1,2", "1,2,3,4,5,6", "nan,1,2", "1e30,0,0", '{"x":1}', '{"x":"a"', "[1,2,3]"]
    packets = fed(decoder, "\n".join(["1,2,3", *other, "4,5,6\n"]))
    assert [round(float(packet.samples[0, 0] / 9.80665)) for packet in packets] == [1, 4]
    assert decoder.counts["other_lines"] == 9


def test_a_stream_without_lines_is_refused() -> None:
    decoder = lines()
    for _ in range(2):
        fed(decoder, "x" * 500)
    with pytest.raises(DecodeError, match="without a newline"):
        fed(decoder, "x" * 100)
    (packet,) = fed(decoder, "0,0,1\n")
    assert packet.samples[0, 2] == pytest.approx(9.80665)


class Espruino(ScriptedDevice):
    """Prints its rate once it has received the program, then samples."""

    def __init__(self, answer: bytes, printed: list[bytes]) -> None:
        super().__init__()
        self._answer, self._printed = answer, printed

    def _reply(self, data: bytes) -> list[bytes]:
        return [self._answer, *self._printed] if self._answer else []


def test_an_espruino_device_receives_a_program_and_reports_its_rate() -> None:
    plan = find_profile("nus").plan(Settings(rate_hz=50))
    decoder = plan.decoder()
    device = Espruino(b'{"rate":52}\r\n', [b"0,0,1,0,", b"0,0\r\n"])
    device.run(plan.start(decoder))
    typed = b"".join(step.data for step in device.steps if isinstance(step, Write))
    assert (typed[:1], typed[-1:]) == (b"\x10", b"\n")
    assert b"Bangle.setPollInterval(20)" in typed
    assert b"Puck.accelOn(52)" in typed
    assert all(len(step.data) <= 20 for step in device.steps if isinstance(step, Write))
    assert device.steps[0] == Subscribe(nus.FROM_DEVICE)
    (group,) = decoder.groups
    assert (group.fs_hz, len(group.channels)) == (52.0, 6)
    stop_device = ScriptedDevice()
    stop_device.run(plan.stop(decoder))
    assert b"Puck.accelOff()" in b"".join(step.data for step in stop_device.steps if isinstance(step, Write))


BANGLE = """
const chip = {0x0F: %(who)d, 0x18: 0xEC, 0x1B: 0};
const log = [];
let powerSave = true, poll = 80;
const listeners = [];
const Bangle = {
  accelRd: reg => chip[reg],
  accelWr: (reg, value) => {
    if (reg == 0x1B && chip[0x18] & 0x80) throw new Error("the chip takes no rate while it runs");
    chip[reg] = value;
  },
  setPollInterval: ms => { poll = ms; powerSave = false; },
  getOptions: () => ({powerSave}),
  setOptions: options => { powerSave = options.powerSave; },
  on: (_, f) => listeners.push(f),
  removeListener: (_, f) => listeners.splice(listeners.indexOf(f), 1),
};
global.Bangle = Bangle;
const Bluetooth = {println: text => log.push(text)};
const state = () => [chip[0x18], chip[0x1B], poll, powerSave, listeners.length];
const states = [state()];
for (const program of %(programs)s) {
  (0, eval)(program);
  states.push(state());
  listeners.forEach(listener => listener({x: 0, y: 0, z: 1}));
}
console.log(JSON.stringify({states, log}));
"""


def in_bangle(who: int, *programs: str) -> tuple[list[list[Any]], list[str]]:
    """The states of a Bangle.js, [CNTL1, ODCNTL, poll in ms, power saving, listeners], and the lines that it prints."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node (Debian: apt install nodejs)")
    script = BANGLE.replace("const Bluetooth", "global.Bluetooth") % {"who": who, "programs": json.dumps(programs)}
    run = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    document = json.loads(run.stdout)
    return document["states"], document["log"]


def test_the_program_sets_the_rate_of_a_bangle_s_chip_and_its_end_restores_everything() -> None:
    before, fast, again, after = in_bangle(0x15, nus.start_code(50), nus.start_code(100), nus.STOP)[0]
    assert before == [0xEC, 0, 80, True, 0]
    assert fast == [0xEC, 0x42, 20, False, 1]
    assert again == [0xEC, 0x43, 10, False, 1]
    assert after == before
    _, log = in_bangle(0x15, nus.start_code(50), nus.STOP)
    assert log == ['{"rate":50}', "0,0,1"]


def test_the_program_leaves_a_chip_that_it_does_not_know_alone() -> None:
    before, started, after = in_bangle(0x38, nus.start_code(50), nus.STOP)[0]
    assert started == [0xEC, 0, 20, False, 1]
    assert after == before


@pytest.mark.parametrize(
    ("rate_hz", "code"), [(5, 0), (12.5, 0), (20, 1), (25, 1), (50, 2), (60, 3), (100, 3), (400, 3)]
)
def test_a_bangle_s_chip_has_a_new_sample_at_every_poll(rate_hz: float, code: int) -> None:
    assert f"Bangle.accelWr(0x1B,{code | 0x40});" in nus.start_code(rate_hz)


class Board(ScriptedDevice):
    """Ignores commands and prints by itself."""

    def __init__(self, printed: list[bytes]) -> None:
        super().__init__()
        self._printed = printed

    def run(self, dialogue) -> None:
        step = next(dialogue)
        while True:
            self.steps.append(step)
            answer = self._printed.pop(0) if isinstance(step, Await) else b""
            try:
                step = dialogue.send(answer)
            except StopIteration:
                return


def test_a_board_that_prints_by_itself_is_read_until_a_valid_line() -> None:
    plan = find_profile("nus").plan(Settings(rate_hz=25))
    decoder = plan.decoder()
    Board([b"boot\r\n", b"5,0.1,", b"\r\n1,2,3,4,5,6,", b"7,8,9\n"]).run(plan.start(decoder))
    (group,) = decoder.groups
    assert (group.fs_hz, len(group.channels)) == (25.0, 9)
    with pytest.raises(DecodeError, match="no line of 3, 6 or 9 numbers"):
        Board([b"chatter\n"] * 100).run(plan.start(plan.decoder()))
    with pytest.raises(DecodeError, match="an invalid rate"):
        Espruino(b'{"rate":x}', []).run(plan.start(plan.decoder()))
    with pytest.raises(ConfigError, match="has no setting acc_range_g"):
        find_profile("nus").plan(Settings(acc_range_g=4))


def bluefruit(letter: bytes, *values: float) -> bytes:
    packet = b"!" + letter + struct.pack("<3f", *values)
    return packet + bytes([~sum(packet) & 0xFF])


@given(st.lists(st.integers(0, 20), max_size=30))
def test_bluefruit_packets_are_found_however_the_stream_is_split(cuts: list[int]) -> None:
    stream = b"".join(bluefruit(b"A", k, 1, 2) + bluefruit(b"G", k, 3, 4) for k in range(6))
    packets = cut(find_profile("adafruit").plan(Settings()).decoder(), adafruit.UART_SEND, stream, cuts)
    assert [(packet.group, packet.samples[0, 0]) for packet in packets] == [
        (name, k) for k in range(6) for name in ("acc", "gyro")
    ]


def test_damaged_bluefruit_packets_and_noise_are_skipped_and_counted() -> None:
    decoder = find_profile("adafruit").plan(Settings()).decoder()
    good, bad = bluefruit(b"A", 1, 2, 3), bytearray(bluefruit(b"A", 4, 5, 6))
    bad[5] ^= 1
    stream = b"noise!" + bytes(bad) + good + bluefruit(b"B", 0, 0, 0) + bluefruit(b"A", float("nan"), 0, 0) + good
    packets = decoder.decode(adafruit.UART_SEND, stream)
    assert [packet.samples[0, 0] for packet in packets] == [1, 1]
    assert decoder.counts == {"skipped_bytes": 6 + 15 + 15, "not_finite": 1}


def started(device: ScriptedDevice, settings: Settings) -> Decoder:
    plan = find_profile("adafruit").plan(settings)
    decoder = plan.decoder()
    device.run(plan.start(decoder))
    return decoder


def test_an_adafruit_board_receives_its_period_in_each_service() -> None:
    device = ScriptedDevice(has={adafruit.DATA["acc"], adafruit.DATA["gyro"]})
    decoder = started(device, Settings(rate_hz=40))
    writes = [step for step in device.steps if isinstance(step, Write)]
    assert [(step.service, step.data) for step in writes] == [
        (adafruit.SERVICES[name], struct.pack("<i", 25)) for name in ("acc", "gyro")
    ]
    assert [group.name for group in decoder.groups] == ["acc", "gyro"]
    assert Subscribe(adafruit.UART_SEND) not in device.steps


def test_an_adafruit_board_without_a_gyroscope_streams_only_acceleration() -> None:
    decoder = started(ScriptedDevice(has={adafruit.DATA["acc"]}), Settings())
    assert [group.name for group in decoder.groups] == ["acc"]


def test_an_adafruit_board_without_the_services_is_read_over_uart() -> None:
    device = ScriptedDevice()
    started(device, Settings())
    assert device.steps[-1] == Subscribe(adafruit.UART_SEND)
    assert device.written == []
