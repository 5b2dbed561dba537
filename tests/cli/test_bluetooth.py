"""``scan`` and ``run ble://`` as a user runs them, with sensors in a private air."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ble.peripheral import Peripheral
from tests.ble.sensors import Polar, Thingy

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ

KINESTREAM = [sys.executable, "-m", "kinestream"]
POLAR, THINGY, TELEVISION = (f"C0:00:00:00:00:0{i}" for i in range(1, 4))


def kinestream(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*KINESTREAM, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    return done


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_scan_lists_what_is_near_and_recognises_sensors(bluez: BlueZ) -> None:
    bluez.add(Polar(POLAR, rssi=-70))
    bluez.add(Thingy(THINGY, rssi=-80))
    bluez.add(Peripheral(TELEVISION, "Television", rssi=-40))
    found = lines(kinestream("scan", "--seconds", "0.5", "--battery", "--json").stdout)
    assert [(one["name"], one["profile"], one["battery"]) for one in found] == [
        ("Polar Sense 12345678", "polar", 0.8),
        ("Thingy", "thingy52", 0.8),
        ("Television", None, None),
    ]
    told = kinestream("scan", "--seconds", "0.5")
    assert "Television" in told.stdout
    assert "next: kinestream run ble://polar" in told.stderr


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (lambda bluez: bluez.set_powered(False), "Bluetooth is off; switch it on"),
        (lambda bluez: bluez.do(lambda: setattr(bluez, "adapter", False)), "no Bluetooth adapter"),
        (lambda bluez: bluez.fail("GetManagedObjects", "org.freedesktop.DBus.Error.AccessDenied"), "may not use"),
    ],
    ids=["off", "no adapter", "no permission"],
)
def test_a_radio_that_cannot_be_used_is_one_line_on_what_to_do(
    bluez: BlueZ, arrange: Callable[[BlueZ], object], said: str
) -> None:
    arrange(bluez)
    done = kinestream("scan", "--seconds", "0.5", status=1)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_machine_without_the_bluetooth_service_is_told_to_start_it(bus: str) -> None:
    assert "systemctl start bluetooth" in kinestream("scan", "--seconds", "0.5", status=1).stderr


def test_two_sensors_of_different_kinds_end_in_predictions(bluez: BlueZ) -> None:
    polar, thingy = Polar(POLAR, seed=3), Thingy(THINGY, seed=4)
    bluez.add(polar)
    bluez.add(thingy)
    done = kinestream("run", "ble://polar,thingy52", "--json", "--limit", "6.5")
    *predictions, summary = lines(done.stdout)
    assert {one["stream"] for one in predictions} == {"Polar Sense 12345678", "Thingy"}
    assert all(0 <= one["age_ms"] < 6500 for one in predictions)  # younger than the run, however busy the machine
    assert summary["counts"]["samples"] > 600
    assert summary["counts"]["lost"] == summary["counts"]["dropped"] == 0
    assert any("Polar" in notice and "device clock" in notice for notice in summary["notices"])
    assert not polar.streaming
    assert not thingy.streaming


def test_a_recording_tells_of_a_link_that_breaks_on_its_line_and_above_it(bluez: BlueZ, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="a terminal to show the line at")
    thingy = Thingy(THINGY)
    terminal, inside = pty.openpty()
    words = ["record", "ble://thingy52", str(tmp_path / "r"), "--label", "walking"]
    environment = {**os.environ, "COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*KINESTREAM, *words], env=environment, stdin=inside, stdout=subprocess.PIPE, stderr=inside, text=True
    ) as process:
        shown = ""

        def until(pattern: str) -> None:
            nonlocal shown
            while not re.search(pattern, shown):
                shown += os.read(terminal, 1000).decode()

        until("thingy52: LOOKING")
        bluez.add(thingy)
        until(r"[1-9]\d* samples  \[walking\]")
        shown = ""
        bluez.remove(thingy)
        until(r"\r\x1b\[Kkinestream: Thingy: the link broke; reconnecting\r\n")
        until(r"Thingy: LOOKING  \[walking\]")
        bluez.add(thingy)
        until(r"\r\x1b\[Kkinestream: Thingy: reconnected\r\n")
        until(r"Thingy: 1 reconnect  \[walking\]")
        os.write(terminal, b"q")
        process.communicate(timeout=20)
    os.close(inside)
    os.close(terminal)
    assert process.returncode == 0


def test_ctrl_c_stops_the_sensor_before_it_ends(bluez: BlueZ) -> None:
    polar = Polar(POLAR)
    bluez.add(polar)
    pipe = subprocess.PIPE
    running = subprocess.Popen([*KINESTREAM, "run", "ble://polar", "--json"], stdout=pipe, stderr=pipe, text=True)
    assert running.stdout is not None
    first = json.loads(running.stdout.readline())
    assert first["stream"] == "Polar Sense 12345678"
    running.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    out, told = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "link broke" not in told
    assert "Polar Sense 12345678: streaming" in told
    assert time.monotonic() - began_s < 10
    assert json.loads(out.splitlines()[-1])["summary"] is True
    assert [data for uuid, data in polar.writes if uuid == Polar.CONTROL and data[0] == 3] == [b"\x03\x02", b"\x03\x05"]
    assert not polar.on
