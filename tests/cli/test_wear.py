"""``kinestream wear`` from a recording, at a terminal, and with a Bluetooth sensor."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import tomllib
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import ACC
from kinestream.inference import choose_model
from kinestream.replay_data import Wearer
from kinestream.replay_data.wearer.body import ACTIVITIES
from tests.ble.bluez import BlueZ
from tests.ble.sensors import Thingy
from tests.sensor_check.person import matrix_of, performance, write_csv

KINESTREAM = [sys.executable, "-m", "kinestream"]
AXES = "-z x -y"
STEP_S, PAUSE_S = 3.0, 1.0
TIMES = ("--speed", "max", "--seconds", STEP_S, "--pause", PAUSE_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of a person following the steps with a turned sensor, and of other activities of that person."""
    folder = tmp_path_factory.mktemp("wear")
    write_csv(folder / "asked.csv", np.concatenate(list(performance(1, AXES).values())))
    day = Wearer(1, script=[(activity, 20.0) for activity in ACTIVITIES], duration_s=120)
    packets = [packet for _, packet in day.packets()]
    x = np.concatenate([packet.x for packet in packets])
    codes = np.concatenate([packet.labels for packet in packets if packet.labels is not None])
    labels = [ACTIVITIES[code] if code >= 0 else "changing" for code in codes]
    write_csv(folder / "day.csv", x, labels)
    write_csv(folder / "turned.csv", (x.reshape(-1, 2, 3) @ matrix_of(AXES)).reshape(-1, 6), labels)
    return folder


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "KINESTREAM_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def kinestream(environment: dict[str, str], *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*KINESTREAM, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def accuracy(environment: dict[str, str], path: Path, *more: object) -> float:
    arguments = ("replay", path, "--speed", "max", "--policy", "fixed:1.0x-128", "--json", *more)
    return json.loads(kinestream(environment, *arguments).stdout.splitlines()[-1])["accuracy"]


def test_the_written_file_makes_a_turned_sensor_as_good_as_an_upright_one(
    environment: dict[str, str], folder: Path
) -> None:
    out = folder / "my_sensor.toml"
    report = json.loads(kinestream(environment, "wear", folder / "asked.csv", *TIMES, "--out", out, "--json").stdout)
    assert report["axes"] == AXES
    assert report["file"] == str(out)
    assert report["fitting_model"]["reason"].endswith("worn at the waist")
    if report["fitting_model"]["model"] == "uci_cnn":
        assert report["fitting_model"]["needs_axes"]
    assert report["problems"] == 0
    assert {finding["level"] for finding in report["findings"]} == {"ok"}
    written = tomllib.loads(out.read_text())
    assert written["axes"] == AXES
    assert written["rate_hz"] == pytest.approx(50)
    assert written["model"] == "uci_cnn"
    upright = accuracy(environment, folder / "day.csv", "--model", "uci_cnn")
    assert upright > 0.8
    assert accuracy(environment, folder / "turned.csv", "--model", "uci_cnn") < upright - 0.3
    # Without --model the run uses the model that the file was made for.
    assert accuracy(environment, folder / "turned.csv", "--axes", out) == upright


def test_the_report_is_readable_text(environment: dict[str, str], folder: Path) -> None:
    out = folder / "read.toml"
    done = kinestream(environment, "wear", folder / "asked.csv", *TIMES, "--out", out)
    assert re.search(r"^ok +gravity +acceleration at rest is 9\.8\d m/s\^2$", done.stdout, re.MULTILINE)
    assert f"--axes {out}" in done.stdout
    assert "1/4  Lay the sensor on a table" in done.stderr


def test_the_place_decides_which_model_the_check_is_for(environment: dict[str, str], folder: Path) -> None:
    rows = performance(1, AXES)
    path = write_csv(folder / "hand.csv", np.concatenate([rows["table"], rows["moved"]]))
    out = folder / "hand.toml"
    done = kinestream(environment, "wear", path, *TIMES, "--worn", "wrist", "--out", out)
    assert "1/2" in done.stderr
    assert re.search(r"^ok +model +watch fits: .* at 50 Hz, worn at the wrist$", done.stdout, re.MULTILINE)
    assert tomllib.loads(out.read_text())["model"] == "watch"
    run = ("replay", folder / "asked.csv", "--speed", "max", "--axes", out)
    assert f"model watch: {out} was made for it" in kinestream(environment, *run).stderr


def test_a_sensor_without_a_gyroscope_is_checked_for_a_model_that_reads_it(
    environment: dict[str, str], folder: Path
) -> None:
    rows = performance(1, AXES)
    path = write_csv(folder / "both.csv", np.concatenate([rows["table"], rows["moved"]]))
    lines = [",".join(line.split(",")[:4]) for line in path.read_text().splitlines()]  # the time and the acceleration
    (folder / "acc.csv").write_text("\n".join(lines))
    out = folder / "acc.toml"
    report = json.loads(kinestream(environment, "wear", folder / "acc.csv", *TIMES, "--out", out, "--json").stdout)
    assert report["problems"] == 0
    assert report["model"] == report["fitting_model"]["model"] == choose_model(ACC, 50, "waist").name
    assert not report["fitting_model"]["needs_axes"]


def test_an_unusable_result_is_not_written(environment: dict[str, str], folder: Path) -> None:
    """The built-in wearer lives their day and follows no instruction."""
    out = folder / "none.toml"
    done = kinestream(environment, "wear", "wearer://?seed=1", *TIMES, "--out", out, status=1)
    assert "PROBLEM" in done.stdout
    assert "-> lay the sensor on a table" in done.stdout
    assert "nothing was written" in done.stdout
    assert not out.exists()


def test_a_model_without_a_known_place_needs_two_steps(environment: dict[str, str], folder: Path) -> None:
    rows = performance(1, AXES)
    path = write_csv(folder / "edge.csv", np.concatenate([rows["table"], rows["moved"]]))
    out = folder / "watch.toml"
    done = kinestream(environment, "wear", path, *TIMES, "--model", "watch", "--out", out, "--json")
    assert "1/2" in done.stderr
    assert json.loads(done.stdout)["axes"] is None
    assert tomllib.loads(out.read_text())["axes"] == "x y z"
    run = ("replay", folder / "asked.csv", "--speed", "max", "--policy", "fixed:0.5x-128", "--axes", out)
    run = (*run, "--model", "uci_cnn")
    assert f"{out} was made for watch, whose sensor is worn elsewhere" in kinestream(environment, *run).stderr
    out.write_text("axes = 'x y z'  # by hand\n")
    assert "worn otherwise" not in kinestream(environment, *run).stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--out", "asked.csv"), "call it asked.toml"),
        (("--out", "notes.toml"), "notes.toml exists and is not a result"),
        (("--seconds", 1), "at least 2"),
        (("--pause", -1), "0 or more"),
        (("--model", "no_such"), "no_such"),
        (("--worn", "wirst"), "unknown place 'wirst' (did you mean 'wrist'?)"),
    ],
)
def test_wrong_arguments_are_refused_before_the_check_begins(
    environment: dict[str, str], folder: Path, arguments: tuple[object, ...], complaint: str
) -> None:
    (folder / "notes.toml").write_text("title = 'mine'\n")
    words = [folder / word if isinstance(word, str) and "." in word else word for word in arguments]
    done = subprocess.run(
        [*KINESTREAM, "wear", str(folder / "asked.csv"), *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert (folder / "notes.toml").read_text() == "title = 'mine'\n"


def test_samples_meant_for_a_run_are_not_taken(environment: dict[str, str], folder: Path) -> None:
    address = f"relay://127.0.0.1:0?state={folder / 'state'}"
    done = kinestream(environment, "wear", address, "--out", folder / "relay.toml", status=2)
    assert "check the sensor where the relay runs" in done.stderr


def test_a_recording_that_is_too_short_is_refused(environment: dict[str, str], folder: Path) -> None:
    done = kinestream(environment, "wear", folder / "asked.csv", "--speed", "max", "--out", folder / "s.toml", status=1)
    assert "asked.csv ended after 16.0 s" in done.stderr


def test_an_interrupt_ends_the_check_at_once_and_writes_nothing(environment: dict[str, str], folder: Path) -> None:
    out = folder / "interrupted.toml"
    child = subprocess.Popen(
        [*KINESTREAM, "wear", "wearer://?seed=1", "--out", str(out)], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("1/4"):
            break
    child.send_signal(signal.SIGINT)
    rest = child.communicate(timeout=30)[1]
    assert child.returncode == 130
    assert rest == "stopped; nothing was written\n"
    assert not out.exists()


def test_at_a_terminal_a_key_starts_a_step_and_q_ends_the_check(environment: dict[str, str], folder: Path) -> None:
    leader, follower = pty.openpty()
    arguments = ["wear", "wearer://?seed=1&live=1", "--seconds", "2", "--pause", "0", "--out", str(folder / "t.toml")]
    child = subprocess.Popen(
        [*KINESTREAM, *arguments], env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen = ""

    def until(words: str) -> None:
        nonlocal seen
        give_up_s = time.monotonic() + 60
        while words not in seen:
            assert time.monotonic() < give_up_s, seen
            seen += os.read(leader, 4096).decode()

    try:
        until("Enter to begin")
        os.write(leader, b"\n")
        until("lying still")
        until("repeat this step")
        os.write(leader, b"q")
        until("nothing was written")
        assert child.wait(30) == 130
    finally:
        child.kill()
        child.wait()
        os.close(leader)


LATE = 10
"""The most samples sent before the first is received; the wearer lies still for that long."""


class Obedient(Thingy):
    """A Thingy:52 whose wearer follows the steps, and lies still until they begin."""

    def __init__(self, address: str, rows: np.ndarray) -> None:
        super().__init__(address)
        self._motion = chain(rows[:LATE], rows, repeat(rows[-1]))


def test_a_bluetooth_sensor_is_checked_on_its_own_clock(
    bluez: BlueZ, environment: dict[str, str], folder: Path
) -> None:
    rows = performance(1, "y -x z", pause_s=1.0, seconds=2.4)
    bluez.add(Obedient("C0:00:00:00:00:01", np.concatenate(list(rows.values()))))
    environment = {**environment, "DBUS_SYSTEM_BUS_ADDRESS": os.environ["DBUS_SYSTEM_BUS_ADDRESS"]}
    arguments = ("--seconds", 2.4, "--pause", 1, "--yes", "--json", "--out", folder / "thingy.toml")
    report: dict[str, Any] = json.loads(kinestream(environment, "wear", "ble://thingy52", *arguments).stdout)
    assert report["axes"] == "y -x z"
    assert report["battery"] == 0.8
    assert report["problems"] == 0
    assert report["rate_hz"] == pytest.approx(50, rel=0.05)
