"""``phone://`` on the command line: the instructions, and a phone that pushes in real time."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from kinestream.core.signals import ACC
from kinestream.inference import choose_model
from tests.cli.test_run import KINESTREAM, environment, folder, kinestream
from tests.ingest.phone.phones import bodies, messages

__all__ = ["environment", "folder"]  # fixtures


def post(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=20) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_motion_of_a_phone_ends_in_predictions(environment: dict[str, str], folder: Path) -> None:
    arguments = ["run", "phone://?host=127.0.0.1&port=0", "--model", str(folder / "tiny.safetensors"), "--json"]
    with subprocess.Popen(
        [*KINESTREAM, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr
        assert run.stdout
        instructions = [run.stderr.readline() for _ in range(5)]
        assert "Push URL" in instructions[0]
        assert "plain HTTP" in instructions[3]
        url = instructions[1].strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[a-z0-9]{12}", url)
        began_s, began_ns = time.monotonic(), time.time_ns()
        for number, body in enumerate(bodies(messages(5, fs_hz=50, each_s=0.25, system="ios", t0_ns=began_ns)), 1):
            time.sleep(max(0.0, began_s + 0.25 * number - time.monotonic()))
            assert post(url, body) == 200
            if number % 5 == 0:
                assert post(url, body) == 200  # a repetition
                assert post(url, body[:-9]) == 400
                assert post(url[:-1], body) == 401
        first = json.loads(run.stdout.readline())
        run.send_signal(signal.SIGINT)
        rest, more = run.communicate(timeout=60)
    assert run.returncode == 0, more
    assert "Traceback" not in more
    assert first["stream"] == "phone-3f2a91"
    summary = json.loads(rest.splitlines()[-1])
    assert summary["counts"]["samples"] == 250
    assert summary["counts"]["lost"] == 0
    assert {kind: summary["counts"][kind] for kind in ("malformed", "unauthorised", "messages_repeated")} == {
        "malformed": 4,
        "unauthorised": 4,
        "messages_repeated": 4,
    }
    assert "signs of an iPhone, because the uncalibrated accelerometer is in g" in more


def test_a_phone_without_a_gyroscope_gets_a_model_by_its_first_samples(environment: dict[str, str]) -> None:
    arguments = ["run", "phone://?host=127.0.0.1&port=0", "--worn", "pocket", "--limit", "6", "--json"]
    with subprocess.Popen(
        [*KINESTREAM, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr
        url = [run.stderr.readline() for _ in range(5)][1].strip()
        began_s, began_ns = time.monotonic(), time.time_ns()
        pushed = messages(8, fs_hz=50, each_s=0.25, system="android", t0_ns=began_ns, only=("totalacceleration",))
        for number, body in enumerate(bodies(pushed), 1):
            time.sleep(max(0.0, began_s + 0.25 * number - time.monotonic()))
            try:
                assert post(url, body) == 200
            except urllib.error.URLError:  # the run has reached its limit
                break
        out, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    *predictions, summary = map(json.loads, out.splitlines())
    choice = choose_model(ACC, 50, "pocket")
    assert f"kinestream: {choice}\n" in errors
    assert summary["model"] == choice.name
    assert summary["counts"]["samples"] == 300
    assert predictions


def test_a_bad_setting_is_reported_in_one_line(environment: dict[str, str]) -> None:
    _, errors = kinestream(environment, "run", "phone://?os=windows", status=2)
    assert "os=windows; expected ios, android, standard" in errors
