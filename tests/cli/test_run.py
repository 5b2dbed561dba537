"""The commands in processes of their own: output, errors and exit status."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO
from kinestream.inference import choose_model, save_model
from kinestream.replay_data.recordings.layout import read_manifest
from tests.random_models import random_model

KINESTREAM = [sys.executable, "-m", "kinestream"]
FIELDS = {"stream", "t_start", "t_end", "label", "confidence", "probs", "width", "resolution", "reason"} | {
    "latency_ms",
    "energy_mj",
    "age_ms",
    "coverage",
    "truth",
    "battery",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file, a suitable recording, one without an accelerometer and one that is too slow."""
    folder = tmp_path_factory.mktemp("run")
    save_model(folder / "tiny.safetensors", random_model())
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.arange(2000) / 50, rng.normal(0, 3, (2000, 6)) + np.array([0, 0, 9.81, 0, 0, 0])])
    names = ["activity_0"] * 1000 + ["activity_1"] * 1000
    lines = [",".join(("time", *ACC, *GYRO, "label"))]
    lines += [",".join([*(f"{v:.4f}" for v in row), name]) for row, name in zip(rows, names, strict=True)]
    (folder / "walk.csv").write_text("\n".join(lines) + "\n")
    (folder / "gyro.csv").write_text("\n".join(",".join(line.split(",")[:1] + line.split(",")[4:]) for line in lines))
    slow = [lines[0], *(",".join([f"{i / 20}", *line.split(",")[1:]]) for i, line in enumerate(lines[1:200]))]
    (folder / "slow.csv").write_text("\n".join(slow))
    return folder


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "KINESTREAM_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def kinestream(environment: dict[str, str], *arguments: object, status: int = 0) -> tuple[list[dict[str, Any]], str]:
    """The JSON lines of a command's output, and its standard error."""
    done = subprocess.run(
        [*KINESTREAM, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return records, done.stderr


def replay(environment: dict[str, str], folder: Path, *more: object) -> list[dict[str, Any]]:
    arguments = ("replay", folder / "walk.csv", "--model", folder / "tiny.safetensors", "--speed", "max", "--json")
    return kinestream(environment, *arguments, *more)[0]


def test_a_replay_prints_an_object_for_each_prediction_and_a_summary(environment: dict[str, str], folder: Path) -> None:
    *predictions, summary = replay(environment, folder)
    assert len(predictions) == (2000 - 40) // 20 + 1
    for prediction in predictions:
        assert set(prediction) >= FIELDS
    assert sum(predictions[0]["probs"].values()) == pytest.approx(1, abs=1e-4)
    assert predictions[0]["truth"] == "activity_0"
    assert summary["summary"] is True
    assert summary["counts"]["samples"] == 2000
    assert summary["counts"]["windows"] == len(predictions)
    assert {"gaps", "lost", "dropped"} <= set(summary["counts"])
    assert {"p50", "p95", "p99"} == set(summary["latency_ms"])
    assert summary["realtime_factor"] > 1
    assert 0 <= summary["accuracy"] <= 1
    assert sum(summary["share_per_subnet"].values()) == pytest.approx(1)


def test_two_replays_differ_only_in_timings(environment: dict[str, str], folder: Path) -> None:
    timed = {"latency_ms", "age_ms", "wall_s", "realtime_factor"}
    first, second = (
        [{k: v for k, v in record.items() if k not in timed} for record in replay(environment, folder)]
        for _ in range(2)
    )
    assert first == second


def test_an_adaptive_policy_uses_more_than_one_subnetwork(environment: dict[str, str], folder: Path) -> None:
    policy = ("--policy", "battery:hours=0.01", "--battery", "simulated:capacity_j=0.001,base_mw=0")
    *_, summary = replay(environment, folder, *policy)
    assert len(summary["share_per_subnet"]) > 1
    assert 0 <= summary["battery"] < 1


def test_a_deadline_in_the_policy_is_also_the_deadline_of_the_run(environment: dict[str, str], folder: Path) -> None:
    *predictions, summary = replay(environment, folder, "--policy", "slowdown+deadline=1e-6")
    assert summary["missed_deadlines"] == summary["predictions"] == len(predictions)
    *_, summary = replay(environment, folder, "--policy", "slowdown+deadline=1e-6", "--deadline", "1e6")
    assert summary["missed_deadlines"] == 0


def test_the_limit_counts_seconds_of_signal(environment: dict[str, str], folder: Path) -> None:
    *_, summary = replay(environment, folder, "--limit", "3.3")
    assert summary["signal_s"] == 3.3


def test_the_speed_in_an_address_is_used(environment: dict[str, str], folder: Path) -> None:
    address = f"replay://{folder}/walk.csv?speed=max"
    arguments = ("replay", address, "--model", folder / "tiny.safetensors", "--json")
    *_, summary = kinestream(environment, *arguments)[0]
    assert summary["realtime_factor"] > 5


def test_without_json_the_output_is_readable_text(environment: dict[str, str], folder: Path) -> None:
    arguments = ["replay", folder / "walk.csv", "--model", folder / "tiny.safetensors", "--speed", "max"]
    done = subprocess.run(
        [*KINESTREAM, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert "windows inside one activity" in done.stdout
    assert "x real time" in done.stdout


def test_demo_without_a_terminal_prints_json_lines(environment: dict[str, str]) -> None:
    *predictions, summary = kinestream(environment, "demo", "--speed", "max", "--limit", "60")[0]
    assert len(predictions) > 30
    assert {p["truth"] for p in predictions} - {None}
    assert summary["policy"].startswith("battery")
    assert summary["model"] == "uci_cnn", "the wearer imitates the people from whom it learned"
    assert 0 < summary["battery"] < 1


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["replay", "hapt", "--data", "{folder}"], 1, "kinestream data fetch hapt"),
        (["replay", "no-such.csv"], 1, "no-such.csv"),
        (["replay", "{folder}/gyro.csv", "--model", "{folder}/tiny.safetensors"], 1, "needs acc_x, acc_y, acc_z"),
        (["replay", "{folder}/slow.csv", "--model", "{folder}/tiny.safetensors"], 1, "the source offers 20 Hz"),
        (["replay", "{folder}/walk.csv", "--columns", "acc=A,B,C"], 2, "no column"),
        (["replay", "{folder}/walk.csv", "--model", "uci_cn"], 1, "uci_cnn"),
        (["replay", "{folder}/walk.csv", "--model", "{folder}/walk.csv"], 1, "walk.csv"),
        (["replay", "{folder}/walk.csv", "--policy", "latncy"], 2, "did you mean 'latency'"),
        (["replay", "{folder}/walk.csv", "--policy", "fixed:0.33x-128"], 2, "0.33x-128"),
        (["replay", "{folder}/walk.csv", "--speed", "fast"], 2, "speed 'fast'"),
        (["replay", "{folder}/walk.csv", "--deadline", "-5"], 2, "positive"),
        (["replay", "{folder}/walk.csv", "--battery", "huge"], 2, "battery"),
        (["replay", "{folder}/walk.csv", "--hop", "nan"], 2, "--hop nan"),
        (["replay", "{folder}/walk.csv", "--max-gap", "0"], 2, "max_gap_s 0 must lie between"),
        (["replay", "{folder}/walk.csv", "--max-gap", "1e6", "--model", "uci_cnn"], 2, "one window, 2.56 s"),
        (["replay", "{folder}/gyro.csv"], 1, "phone_acc: accelerometer at 16 Hz or more"),
        (["replay", "{folder}/walk.csv", "--worn", "knee"], 2, "unknown place 'knee'"),
        (["run", "wearer://", "--subject", "3"], 2, "does not accept --subject"),
        (["replay", "{folder}/walk.csv", "--dashboard"], 2, "terminal"),
        (["run", "ftp://example"], 2, "not a kind of source"),
        (["run", "wearer://?sead=3"], 2, "seed"),
        (["publish", "{folder}/walk.csv", "--to", "nowhere"], 2, "nowhere"),
        (["publish", "{folder}/walk.csv", "--to", "tcp://0.0.0.0:5556"], 2, "insecure"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_a_mistake_is_reported_in_one_line_with_a_remedy(
    environment: dict[str, str], folder: Path, arguments: list[str], status: int, complaint: str
) -> None:
    words = [argument.format(folder=folder) for argument in arguments]
    records, errors = kinestream(environment, *words, status=status)
    assert complaint in errors
    assert not [record for record in records if "label" in record]
    if "usage" not in errors.lower():
        assert len(errors.strip().splitlines()) == 1, errors


def test_verbose_shows_the_traceback(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*KINESTREAM, "replay", "no-such.csv", "-v"], env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" in done.stderr


def test_ctrl_c_ends_a_run_with_its_summary(environment: dict[str, str], folder: Path) -> None:
    arguments = ["run", "wearer://?seed=2&speed=5", "--model", str(folder / "tiny.safetensors"), "--json"]
    with subprocess.Popen([*KINESTREAM, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["label"]
        process.send_signal(signal.SIGINT)
        *_, last = process.communicate(timeout=20)[0].splitlines()
    assert json.loads(last)["summary"] is True
    assert process.returncode == 0


def test_waiting_for_a_silent_source_is_reported(environment: dict[str, str], folder: Path) -> None:
    arguments = ["run", "zmq+tcp://127.0.0.1:9", "--model", str(folder / "tiny.safetensors"), "--json"]
    process = subprocess.Popen(
        [*KINESTREAM, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stderr is not None
        assert "waiting for samples from zmq+tcp://127.0.0.1:9" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert json.loads(out)["counts"]["samples"] == 0
    assert process.returncode == 0


def test_a_closed_output_pipe_is_not_an_error(environment: dict[str, str], folder: Path) -> None:
    arguments = ["run", "wearer://?seed=2&speed=max", "--model", str(folder / "tiny.safetensors"), "--json"]
    process = subprocess.Popen(
        [*KINESTREAM, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""


def test_published_samples_all_arrive_and_give_the_same_predictions(environment: dict[str, str], folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    model = str(folder / "tiny.safetensors")
    listen = [*KINESTREAM, "run", f"zmq+{address}", "--model", model, "--json"]
    with subprocess.Popen(listen, env=environment, stdout=subprocess.PIPE, text=True) as listener:
        time.sleep(0.5)  # either process may start first: --wait sends nothing before both are connected
        publish = ["publish", str(folder / "walk.csv"), "--to", address, "--speed", "max", "--wait"]
        errors = kinestream(environment, *publish)[1]
        assert "samples 2000" in errors
        *received, summary = map(json.loads, listener.communicate(timeout=30)[0].splitlines())
    assert summary["counts"]["samples"] == 2000
    assert (summary["counts"]["lost"], summary["counts"]["dropped"]) == (0, 0)
    *direct, _ = replay(environment, folder)
    assert [(p["probs"], p["truth"]) for p in received] == [(p["probs"], p["truth"]) for p in direct]


@pytest.mark.parametrize(("rate", "worn"), [(50, "anywhere"), (25, "wrist")])
def test_a_live_stream_without_a_model_gets_one_by_its_first_samples(
    environment: dict[str, str], rate: int, worn: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    listen = [*KINESTREAM, "run", f"zmq+{address}", "--worn", worn, "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(listen, env=environment, stdout=pipe, stderr=pipe, text=True) as listener:
        assert listener.stderr is not None
        assert f"waiting for samples from zmq+{address} to choose a model" in listener.stderr.readline()
        source = f"wearer://?seed=1&rate={rate}&duration=30&speed=max"
        kinestream(environment, "publish", source, "--to", address, "--wait")
        out, errors = listener.communicate(timeout=60)
    *predictions, summary = map(json.loads, out.splitlines())
    choice = choose_model((*ACC, *GYRO), rate, worn)
    chosen, *notices = errors.splitlines()
    assert chosen == f"kinestream: {choice}"
    assert all("no up axis yet" in line for line in notices)
    assert summary["model"] == choice.name
    assert predictions
    assert summary["counts"]["samples"] == 30 * rate
    assert (summary["counts"]["lost"], summary["counts"]["dropped"]) == (0, 0)


def test_ctrl_c_ends_the_wait_for_the_samples_that_choose_the_model(environment: dict[str, str]) -> None:
    command = [*KINESTREAM, "run", "zmq+tcp://127.0.0.1:9", "--json"]
    with subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        assert "waiting for samples" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (out, errors) == ("", "kinestream: stopped before a model was chosen\n")


def test_a_file_gets_the_model_that_fits_and_a_recording_keeps_its_own(
    environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    walk, fast = folder / "walk.csv", ("--speed", "max", "--json")
    (*_, summary), errors = kinestream(
        environment, "replay", walk, *fast, "--record", tmp_path / "r", "--worn", "wrist"
    )
    assert summary["model"] == "watch"
    assert "model watch: the source offers an accelerometer and a gyroscope at 50 Hz, worn at the wrist" in errors
    assert read_manifest(tmp_path / "r")["model"]["name"] == "watch"
    (*_, summary), errors = kinestream(environment, "replay", tmp_path / "r", *fast, "--policy", "latency")
    assert summary["model"] == "watch"
    assert f"model watch: it ran when {tmp_path / 'r'} was recorded" in errors
    (*_, summary), errors = kinestream(environment, "replay", tmp_path / "r", *fast, "--worn", "pocket")
    assert summary["model"] == choose_model((*ACC, *GYRO), 50, "pocket").name
    (*_, summary), errors = kinestream(environment, "replay", walk, *fast, "--worn", "wrist", "--model", "uci_kinet")
    assert summary["model"] == "uci_kinet"
    assert "kinestream: model" not in errors


@pytest.mark.parametrize(
    ("listens", "sends", "places"),
    [
        ("?mode=pull&bind=1&expect=2", "?mode=push&connect=1", 1),
        ("", "", 2),
    ],
)
def test_one_run_receives_from_two_senders(
    environment: dict[str, str], folder: Path, listens: str, sends: str, places: int
) -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = [first.getsockname()[1], second.getsockname()[1]][:places]
    address = "zmq+tcp://" + ",".join(f"127.0.0.1:{port}" for port in ports) + listens
    listen = [*KINESTREAM, "run", address, "--model", str(folder / "tiny.safetensors"), "--json"]
    with subprocess.Popen(listen, env=environment, stdout=subprocess.PIPE, text=True) as listener:
        senders = []
        for i in range(2):
            to = f"tcp://127.0.0.1:{ports[i % places]}{sends}"
            source = f"wearer://?seed={i + 1}&duration=30&speed=max"
            senders.append(
                subprocess.Popen(
                    [*KINESTREAM, "publish", source, "--to", to, "--wait"], env=environment, stderr=subprocess.PIPE
                )
            )
        *received, summary = map(json.loads, listener.communicate(timeout=60)[0].splitlines())
        for sender in senders:
            with sender:
                assert sender.wait(timeout=20) == 0
    assert {p["stream"] for p in received} == {"wearer-1", "wearer-2"}
    assert summary["counts"]["samples"] == 2 * 30 * 50
    assert (summary["counts"]["lost"], summary["counts"]["dropped"]) == (0, 0)


def test_an_empty_policy_is_refused(environment: dict[str, str], folder: Path) -> None:
    _, errors = kinestream(environment, "replay", folder / "walk.csv", "--policy", "", status=2)
    assert "unknown policy ''" in errors


def test_an_unknown_command_names_the_nearest_one(environment: dict[str, str]) -> None:
    done = subprocess.run([*KINESTREAM, "repaly", "hapt"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert "unknown command 'repaly' (did you mean 'replay'?)" in done.stderr
    assert done.stderr.count("\n") == 1
