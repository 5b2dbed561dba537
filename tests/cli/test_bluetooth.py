"""``scan``, ``run ble://`` and ``record ble://`` with simulated sensors on a private bus."""

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

from kinestream.core.signals import ACC, GYRO
from kinestream.inference import choose_model
from tests.ble.peripheral import Peripheral
from tests.ble.sensors import Polar, Thingy
from tests.ingest.ble.test_receptions import MuteGyroscope, OtherFirmware

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


def test_scan_lists_nearby_devices_and_recognises_sensors(bluez: BlueZ) -> None:
    bluez.add(Polar(POLAR, rssi=-70))
    bluez.add(Thingy(THINGY, rssi=-80))
    bluez.add(Peripheral(TELEVISION, "Television", rssi=-40))
    devices = lines(kinestream("scan", "--seconds", "0.5", "--battery", "--json").stdout)
    assert [(device["name"], device["profile"], device["battery"]) for device in devices] == [
        ("Polar Sense 12345678", "polar", 0.8),
        ("Thingy", "thingy52", 0.8),
        ("Television", None, None),
    ]
    done = kinestream("scan", "--seconds", "0.5")
    assert "Television" in done.stdout
    assert "next: kinestream run ble://polar" in done.stderr


@pytest.mark.parametrize(
    ("break_radio", "message"),
    [
        (lambda bluez: bluez.set_powered(False), "Bluetooth is off; switch it on"),
        (lambda bluez: bluez.do(lambda: setattr(bluez, "adapter", False)), "no Bluetooth adapter"),
        (lambda bluez: bluez.fail("GetManagedObjects", "org.freedesktop.DBus.Error.AccessDenied"), "may not use"),
    ],
    ids=["off", "no adapter", "no permission"],
)
def test_an_unusable_radio_is_reported_in_one_line_with_a_remedy(
    bluez: BlueZ, break_radio: Callable[[BlueZ], object], message: str
) -> None:
    break_radio(bluez)
    done = kinestream("scan", "--seconds", "0.5", status=1)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_bluetooth_service_the_error_names_the_command_that_starts_it(bus: str) -> None:
    assert "systemctl start bluetooth" in kinestream("scan", "--seconds", "0.5", status=1).stderr


def test_sensors_that_give_no_samples_are_named_while_a_run_waits_for_them(bluez: BlueZ) -> None:
    bluez.add(MuteGyroscope(POLAR))
    bluez.add(OtherFirmware(THINGY))
    run = subprocess.Popen(
        [*KINESTREAM, "run", "ble://polar,thingy52", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    named = {}
    while len(named) < 2:
        notice = json.loads(run.stdout.readline())
        named[notice["stream"]] = notice
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    assert "only acc comes, and no gyro" in named["Polar Sense 12345678"]["notice"]
    assert "55 61 07: a packet of 3 bytes; expected 18" in named["Thingy"]["notice"]


def test_two_sensors_of_different_kinds_give_predictions(bluez: BlueZ) -> None:
    polar, thingy = Polar(POLAR, seed=3), Thingy(THINGY, seed=4)
    bluez.add(polar)
    bluez.add(thingy)
    done = kinestream("run", "ble://polar,thingy52", "--json", "--limit", "6.5")
    *records, summary = lines(done.stdout)
    predictions = [record for record in records if "label" in record]
    assert {prediction["stream"] for prediction in predictions} == {"Polar Sense 12345678", "Thingy"}
    assert f"kinestream: {choose_model((*ACC, *GYRO), 50)}\n" in done.stderr, "the slower sensor has 50 Hz"
    assert all(0 <= p["age_ms"] < 6500 for p in predictions)  # younger than the run, even on a busy machine
    assert summary["counts"]["samples"] > 600
    assert summary["counts"]["lost"] == summary["counts"]["dropped"] == 0
    assert any("Polar" in notice and "device clock" in notice for notice in summary["notices"])
    assert not polar.streaming
    assert not thingy.streaming


def test_a_broken_link_is_shown_on_the_status_line_and_above_it(bluez: BlueZ, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="the status line needs a pseudo-terminal")
    thingy = Thingy(THINGY)
    terminal, inside = pty.openpty()
    arguments = ["record", "ble://thingy52", str(tmp_path / "r"), "--label", "walking"]
    environment = {**os.environ, "COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*KINESTREAM, *arguments], env=environment, stdin=inside, stdout=subprocess.PIPE, stderr=inside, text=True
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


def test_ctrl_c_stops_the_sensor_before_the_command_ends(bluez: BlueZ) -> None:
    polar = Polar(POLAR)
    bluez.add(polar)
    pipe = subprocess.PIPE
    running = subprocess.Popen([*KINESTREAM, "run", "ble://polar", "--json"], stdout=pipe, stderr=pipe, text=True)
    assert running.stdout is not None
    first = json.loads(running.stdout.readline())
    assert first["stream"] == "Polar Sense 12345678"
    running.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    out, errors = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "link broke" not in errors
    assert "Polar Sense 12345678: streaming" in errors
    assert time.monotonic() - began_s < 10
    assert json.loads(out.splitlines()[-1])["summary"] is True
    assert [data for uuid, data in polar.writes if uuid == Polar.CONTROL and data[0] == 3] == [b"\x03\x02", b"\x03\x05"]
    assert not polar.on
