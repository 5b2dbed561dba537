"""``--smooth``, ``--unknown``, ``--episodes`` and ``calibrate`` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import ACC
from kinestream.inference import find_model, load_model, save_model
from tests.random_models import random_model

TIMED = {"latency_ms", "age_ms", "wall_s", "realtime_factor", "energy_mj"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file, and a recording of three activities that it did not learn."""
    folder = tmp_path_factory.mktemp("decisions")
    save_model(folder / "tiny.safetensors", random_model())
    rng = np.random.default_rng(0)
    centre = np.repeat(rng.normal(0, 9, (3, 3)), 1000, 0)
    rows = np.column_stack([np.arange(3000) / 50, centre + rng.normal(0, 4, (3000, 3))])
    names = np.repeat(["activity_2", "activity_3", "activity_0"], 1000)
    lines = [",".join(("time", *ACC, "label"))]
    lines += [",".join([*(f"{v:.4f}" for v in row), name]) for row, name in zip(rows, names, strict=True)]
    (folder / "day.csv").write_text("\n".join(lines) + "\n")
    return folder


def kinestream(folder: Path, *arguments: object, status: int = 0) -> tuple[str, str]:
    environment = {**os.environ, "KINESTREAM_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kinestream", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def replay(folder: Path, source: str = "day.csv", *more: object) -> list[dict[str, Any]]:
    model = ("--model", folder / "tiny.safetensors") if source == "day.csv" else ()
    out, _ = kinestream(folder, "replay", folder / source, *model, "--speed", "max", "--json", *more)
    return [json.loads(line) for line in out.splitlines()]


def test_conclusions_and_episodes_leave_the_predictions_unchanged(folder: Path) -> None:
    *raw, _ = replay(folder)
    *lines, summary = replay(folder, "day.csv", "--smooth", "--unknown", "0.5", "--episodes", "--min-episode", "4")
    windows = [line for line in lines if "label" in line]
    episodes = [line for line in lines if "episode" in line]
    for plain, line in zip(raw, windows, strict=True):
        assert {k: v for k, v in plain.items() if k not in TIMED} == {
            k: v for k, v in line.items() if k not in TIMED | {"concluded"}
        }
        concluded = line["concluded"]
        assert sum(concluded["probs"].values()) == pytest.approx(1, abs=1e-4)
        assert (concluded["label"] == "unknown") == (concluded["confidence"] < 0.5)
    assert len(episodes) == summary["episodes"] > 0
    assert all(episode["t_end"] - episode["t_start"] >= 4 - 1e-6 for episode in episodes)
    unknown = sum(line["concluded"]["label"] == "unknown" for line in windows)
    assert summary["concluded"]["unknown"] == unknown
    assert (summary["concluded"]["smoothed"], summary["concluded"]["calibrated"]) == (True, False)


def test_a_recorded_run_is_repeated_to_the_last_bit_and_can_be_smoothed(folder: Path) -> None:
    replay(folder, "day.csv", "--record", folder / "kept")
    *lines, summary = replay(folder, "kept", "--smooth")
    assert summary["compared"] == {"equal": len(lines), "differing": 0, "beyond": 0}
    assert all("concluded" in line for line in lines)


def test_text_lines_show_conclusions_and_episodes(folder: Path) -> None:
    model = ("--model", folder / "tiny.safetensors", "--speed", "max")
    out, _ = kinestream(folder, "replay", folder / "day.csv", *model, "--unknown", "1", "--episodes")
    windows = [line for line in out.splitlines() if " ms " in line and "p50" not in line and " stream " not in line]
    assert windows
    assert all(" unknown " in line and "? activity" in line for line in windows)
    assert "0:00.0-1:00.0  unknown" in out
    assert "NOT calibrated" in out


def test_a_model_is_calibrated_from_own_recordings_and_keeps_its_weights(folder: Path) -> None:
    out, err = kinestream(
        folder, "calibrate", folder / "tiny.safetensors", folder / "day.csv", "--out", folder / "sure.safetensors"
    )
    assert Path(out.strip()) == folder / "sure.safetensors"
    before, after = load_model(folder / "tiny.safetensors"), load_model(folder / "sure.safetensors")
    assert set(after.calibration.temperature) == set(before.widths)
    assert after.calibration.about in err
    assert after.fingerprint == before.fingerprint
    out, _ = kinestream(folder, "models", "show", folder / "sure.safetensors", "--json")
    assert json.loads(out)["calibration"] == after.calibration.about


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--unknown", "70"), "expected a probability"),
        (("--min-episode", "-1"), "negative"),
    ],
)
def test_an_impossible_option_is_refused_in_one_line(folder: Path, more: tuple[str, ...], message: str) -> None:
    _, err = kinestream(folder, "replay", folder / "day.csv", "--model", folder / "tiny.safetensors", *more, status=2)
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_model_without_a_recipe_needs_recordings_to_be_calibrated(folder: Path) -> None:
    _, err = kinestream(folder, "calibrate", folder / "tiny.safetensors", status=2)
    assert "has no recipe; use a model made by kinestream train" in err


def walk(path: Path) -> Path:
    """A quarter of an hour of someone who walks, sits, and jumps, with an accelerometer at 20 Hz."""
    rng = np.random.default_rng(4)
    lines = [",".join(("time", *ACC, "label"))]
    for i in range(18000):
        label, swing = (("walking", 4.0), ("sitting", 0.02), ("jumping", 25.0))[i // 400 % 3]
        beat = swing * np.sin(2 * np.pi * 1.8 * i / 20)
        x, y, z = rng.normal(0, 0.05, 3) + np.array([0.3 * beat, beat, 9.7 + beat])
        lines.append(f"{i / 20:.2f},{x:.4f},{y:.4f},{z:.4f},{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_reliability_is_learnt_from_recordings_a_network_never_saw(folder: Path) -> None:
    recording, out = walk(folder / "walk.csv"), folder / "reliable.safetensors"
    path, err = kinestream(folder, "calibrate", "phone_acc", "--elsewhere", f"{recording}=phone_acc", "--out", out)
    assert path.strip() == str(out)
    assert "reliability from windows: " in err
    assert "walk.csv" in err
    before, after = (load_model(find_model(model)) for model in ("phone_acc", out))
    assert after.fingerprint == before.fingerprint
    assert after.calibration.reliability != before.calibration.reliability
    again = folder / "again.safetensors"
    kinestream(folder, "calibrate", out, "--elsewhere", f"{recording}=phone_acc", "--out", again)
    assert again.read_bytes() == out.read_bytes()
    lines, _ = kinestream(
        folder, "replay", recording, "--model", out, "--speed", "max", "--json", "--unknown", "0.9", "--smooth"
    )
    *windows, summary = map(json.loads, lines.splitlines())
    jumps = [w["concluded"] for w in windows if w["truth"] == "jumping" and w["truth_share"] == 1]
    assert len(jumps) > 50
    assert sum(jump["label"] != "unknown" for jump in jumps) < len(jumps) / 5
    assert min(jump["novelty"] for jump in jumps) > 3
    assert summary["concluded"]["reliability"] is True


def test_calibrating_on_recordings_says_that_the_reliability_is_gone(folder: Path) -> None:
    recording, out = walk(folder / "day_off.csv"), folder / "at_home.safetensors"
    _, err = kinestream(folder, "calibrate", "phone_acc", recording, "--out", out)
    assert load_model(out).calibration.reliability is None
    assert "phone_acc: how far to trust it among strangers is not kept; learn it again with --elsewhere" in err
    assert "every window: " in err
    _, err = kinestream(folder, "calibrate", out, recording, "--out", folder / "again_at_home.safetensors")
    assert "not kept" not in err


def test_a_model_for_any_place_needs_no_check_of_the_place(folder: Path) -> None:
    _, err = kinestream(folder, "calibrate", "anywhere_acc", "--placement", "--out", folder / "any.safetensors")
    assert err.endswith("it reads acceleration in no fixed direction of the sensor, and needs none\n")


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ("sisfall=", 2, "write DATA, or DATA=M"),
        ("nowhere=phone_acc", 2, "no dataset or recording 'nowhere'"),
        ("hapt=phone_acc", 2, "phone_acc was trained on people of hapt"),
        ("hapt=nobody", 1, "no model 'nobody'"),
    ],
)
def test_data_that_cannot_show_how_far_to_trust_a_model_are_refused(
    folder: Path, given: str, status: int, message: str
) -> None:
    out = folder / "none.safetensors"
    _, err = kinestream(folder, "calibrate", "phone_acc", "--elsewhere", given, "--out", out, status=status)
    assert message in err
