"""Recordings on the command line: recorded, killed, repaired, replayed, exported and labelled by key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kinestream.inference import save_model
from kinestream.replay_data.recordings import RecordingReader, open_recording
from tests.random_models import random_model

KINESTREAM = [sys.executable, "-m", "kinestream"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model and a finished recording of a run with it."""
    folder = tmp_path_factory.mktemp("record")
    save_model(folder / "tiny.safetensors", random_model())
    uri = "wearer://?seed=3&duration=90&loss=0.02&people=2"
    done = kinestream(folder, "run", uri, "--speed", "max", "--json", "--record", folder / "monday", *policy(folder))
    (folder / "live.jsonl").write_text(done.stdout)
    return folder


def policy(folder: Path) -> tuple[object, ...]:
    return "--model", folder / "tiny.safetensors", "--policy", "latency", "--deadline", "0.05"


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "KINESTREAM_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def kinestream(folder: Path, *arguments: object, status: int = 0, **more: object) -> subprocess.CompletedProcess[str]:
    words = [*KINESTREAM, *map(str, arguments)]
    done = subprocess.run(
        words,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def without_notices(lines: str) -> list[dict[str, Any]]:
    """The predictions and the summary that ``--json`` printed."""
    return [values for values in map(json.loads, lines.splitlines()) if "notice" not in values]


@pytest.mark.parametrize("command", ["replay", "run"])
def test_a_replayed_recording_repeats_the_live_predictions(folder: Path, command: str) -> None:
    done = kinestream(folder, command, folder / "monday", "--speed", "max", "--json")
    *live, live_summary = without_notices((folder / "live.jsonl").read_text())
    *repeated, summary = without_notices(done.stdout)
    assert repeated == live  # including latencies, ages and reasons
    assert len(live) > 100
    assert f"{len(live)} predictions, all equal to the recorded ones" in done.stderr
    assert summary["compared"] == {"equal": len(live), "differing": 0, "beyond": 0}
    assert live_summary["recording"]["predictions"] == len(live)


def test_with_another_policy_a_recording_is_a_plain_source(folder: Path) -> None:
    arguments = ("--model", folder / "tiny.safetensors", "--policy", "fixed:0.5x-32", "--speed", "max", "--json")
    *predictions, summary = without_notices(kinestream(folder, "replay", folder / "monday", *arguments).stdout)
    assert {prediction["width"] for prediction in predictions} == {0.5}
    assert "compared" not in summary
    assert predictions[0]["truth"] is not None


def test_a_replay_reports_a_changed_model(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "mine.safetensors"
    save_model(model, random_model())
    kinestream(folder, "run", "wearer://?duration=5&speed=max", "--model", model, "--record", tmp_path / "r")
    save_model(model, random_model(seed=5))
    assert "another tiny" in kinestream(folder, "replay", tmp_path / "r", status=1).stderr


def test_a_killed_run_is_repaired_and_repeats_its_predictions(folder: Path, tmp_path: Path) -> None:
    words = ["run", "wearer://?seed=2&live=1&people=8", "--json", "--record", tmp_path / "r", *policy(folder)]
    with subprocess.Popen(
        [*KINESTREAM, *map(str, words)], env=environment(folder), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        refused = kinestream(folder, "recover", tmp_path / "r", status=2).stderr
        assert "being recorded right now" in refused
        time.sleep(1.0)
        process.kill()
    replay = kinestream(folder, "replay", tmp_path / "r", "--speed", "max", "--json")
    assert "was not closed" in replay.stderr
    assert "all equal to the recorded ones" in replay.stderr
    assert replay.stdout.splitlines()[:8] == [line.strip() for line in lines]
    report = kinestream(folder, "recover", tmp_path / "r").stdout
    assert "repaired" in report
    assert "from the tail" in report
    assert "complete, nothing to repair" in kinestream(folder, "recover", tmp_path / "r").stdout
    assert json.loads(kinestream(folder, "recover", tmp_path / "r", "--json").stdout)["needed"] is False


def test_a_full_disk_ends_the_recording_but_not_the_run_and_the_last_line_says_so(folder: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits need POSIX")
    limit = 256 << 10

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    words = ("run", "wearer://?seed=2&people=4&speed=20&duration=80", "--record", tmp_path / "r", "--json")
    done = kinestream(folder, *words, *policy(folder), preexec_fn=small_files, status=1)
    warning, repeated = [line for line in done.stderr.splitlines() if "NOT RECORDING ANY MORE" in line]
    assert warning == repeated  # at the failure and at the end
    assert f"the recording in {tmp_path / 'r'} is not complete: exit status 1" in done.stderr.splitlines()[-1]
    *predictions, summary = map(json.loads, done.stdout.splitlines())
    assert len(predictions) > 300
    assert warning.removeprefix("kinestream: ") in summary["notices"]
    kept = json.loads(kinestream(folder, "recover", tmp_path / "r", "--json").stdout)["kept"]["samples"]
    assert 0 < kept == summary["recording"]["samples"]
    assert kept + summary["recording"]["not_recorded"] == summary["counts"]["samples"]


def test_other_users_cannot_read_a_recording(folder: Path) -> None:
    if os.name != "posix":
        pytest.skip("no modes")
    recording = folder / "monday"
    assert recording.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in recording.iterdir()} == {0o600}


def test_a_run_without_its_manifest_is_repeated_with_a_notice_and_repaired(folder: Path, tmp_path: Path) -> None:
    lost = Path(shutil.copytree(folder / "monday", tmp_path / "monday"))
    (lost / "recording.json").unlink()
    replay = kinestream(folder, "replay", lost, "--speed", "max", "--json")
    assert "recording.json" in replay.stderr
    assert "the segments describe their samples themselves" in replay.stderr
    assert "all equal to the recorded ones" in replay.stderr
    report = json.loads(kinestream(folder, "data", "check", lost, "--json", status=1).stdout)
    samples = sum(map(len, RecordingReader(folder / "monday").chunks()))
    assert "recording.json" in report["problems"][0]
    assert f"{samples} samples recovered: the manifest is rebuilt" in kinestream(folder, "recover", lost).stdout
    report = json.loads(kinestream(folder, "data", "check", lost, "--json").stdout)
    assert (report["sound"], report["samples"]) == (True, samples)


def test_an_unusable_folder_is_refused_before_the_run_starts(folder: Path) -> None:
    words = ("run", "wearer://?duration=5&speed=max", "--record", folder / "monday", *policy(folder))
    done = kinestream(folder, *words, status=2)
    assert "holds a recording already" in done.stderr
    assert done.stdout == ""


def test_data_check_reads_a_recording(folder: Path) -> None:
    report = json.loads(kinestream(folder, "data", "check", folder / "monday", "--json").stdout)
    assert (report["sound"], report["recordings"]) == (True, 2)
    assert report["samples"] == sum(map(len, RecordingReader(folder / "monday").chunks()))


def test_export_and_import_print_the_files_they_write(folder: Path, tmp_path: Path) -> None:
    out = kinestream(folder, "export", folder / "monday", "--csv", tmp_path / "o.csv", "--motion-bids", tmp_path / "b")
    assert "o.csv: " in out.stdout
    assert "o-predictions.csv: " in out.stdout
    assert "_motion.tsv" in out.stdout
    assert "--csv FILE or --motion-bids" in kinestream(folder, "export", folder / "monday", status=2).stderr
    assert "no recording in" in kinestream(folder, "export", tmp_path, "--csv", tmp_path / "p.csv", status=1).stderr
    failed = kinestream(folder, "import", tmp_path / "none.xdf", tmp_path / "x", status=1)
    assert "none.xdf" in failed.stderr or "xdf" in failed.stderr


def test_record_works_without_a_terminal(folder: Path, tmp_path: Path) -> None:
    words = ("record", "wearer://?seed=4&live=1", tmp_path / "r", "--label", "Walking Upstairs", "--limit", "1.5")
    done = kinestream(folder, *words, "--wearer", "anna")
    (recording,) = open_recording(tmp_path / "r")
    assert done.stdout == f"{len(recording)} samples in {tmp_path / 'r'}\n"
    assert recording.subject == "anna"
    assert recording.labels is not None
    assert {recording.label_names[code] for code in recording.labels} == {"walking_upstairs"}
    own = kinestream(folder, "record", "wearer://?seed=4&duration=20", tmp_path / "own", "--speed", "max")
    assert own.stdout.startswith("1000 samples")
    assert "sitting" in open_recording(tmp_path / "own").label_names  # the source's own labels


def test_keys_change_the_label_during_a_recording(folder: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="key presses need a pseudo-terminal")
    terminal, inside = pty.openpty()
    words = ["record", "wearer://?seed=4&live=1", tmp_path / "r", "--labels", "walking,sitting", "--limit", "60"]
    with subprocess.Popen(
        [*KINESTREAM, *map(str, words)],
        env=environment(folder),
        stdin=inside,
        stdout=subprocess.PIPE,
        stderr=inside,
        text=True,
    ) as process:
        shown = ""

        def wait_for(text: str) -> None:
            nonlocal shown
            while text not in shown:
                shown += os.read(terminal, 1000).decode()
            shown = ""

        for key, state in (("2", "[sitting]"), ("1", "[walking]"), ("9", "[walking]"), ("0", "[no label]")):
            wait_for("samples")
            os.write(terminal, key.encode())
            wait_for(state)
            time.sleep(0.5)
        os.write(terminal, b"q")
        out, _ = process.communicate(timeout=20)
    os.close(inside)
    os.close(terminal)
    assert process.returncode == 0
    (recording,) = open_recording(tmp_path / "r")
    assert out == f"{len(recording)} samples in {tmp_path / 'r'}\n"
    assert recording.labels is not None
    names = [recording.label_names[code] if code >= 0 else "" for code in recording.labels]
    order = [name for name, before in zip(names, [None, *names], strict=False) if name != before]
    chosen = order[order.index("sitting") :] if order[0] != "sitting" else order
    assert chosen[-3:] == ["sitting", "walking", ""]
