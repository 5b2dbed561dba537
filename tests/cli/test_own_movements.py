"""A user's own recordings on the command line: train, kill, stop, resume, replay and adapt."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kinestream.cli import main
from kinestream.inference import load_model

from ..train.made_up import LABELS
from ..train.own_files import write_csv

ROOT = Path(__file__).resolve().parents[2]
SMALL = """\
[network]
widths = [0.5, 1.0]
resolutions = [128]
channels = [4, 8, 8]
[training]
epochs = 3
batch_size = 8
statistics_windows = 16
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    write_csv(tmp_path / "mon.csv", labels=LABELS[:2])
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def train(folder: Path, out: str, *more: str) -> list[str]:
    options = ["--model_name", "mine", "--data", str(folder / "mon.csv"), "--recipe", str(folder / "small.toml")]
    return ["train", *options, "--out", str(folder / out), *more]


def start(words: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # the rounding of sums depends on it
    command = [sys.executable, "-m", "kinestream", *words]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for(path: Path, child: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + 60
    while not path.exists():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_a_model_trained_on_own_recordings_can_replay_them(folder, capsys):
    assert main(train(folder, "run")) == 0
    shown = capsys.readouterr()
    path = shown.out.strip()
    assert path == str(folder / "run" / "mine.safetensors")
    assert "validated on the SAME in other minutes" in shown.err
    model = load_model(path)
    assert model.labels == tuple(sorted(LABELS[:2]))
    assert model.card["command"] == "kinestream train --model_name mine --recipe small.toml --data mon.csv"
    assert str(folder) not in json.dumps(model.card)
    assert main(["replay", str(folder / "mon.csv"), "--model", path, "--speed", "max", "--json"]) == 0
    *predictions, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert {prediction["label"] for prediction in predictions} == set(model.labels)
    assert summary["predictions"] == len(predictions)
    assert main(["evaluate", path]) == 2
    assert "trained on a user's own recordings" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_and_resumed_run_writes_the_same_bytes(folder):
    child = start(train(folder, "killed"))
    wait_for(folder / "killed" / "checkpoint.safetensors", child)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (folder / "killed" / "mine.safetensors").exists()
    assert main(train(folder, "killed", "--resume")) == main(train(folder, "whole")) == 0
    assert "resumed after epoch" in (folder / "killed" / "log.txt").read_text()
    killed, whole = ((folder / name / "mine.safetensors").read_bytes() for name in ("killed", "whole"))
    assert killed == whole


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_a_stopped_run_prints_the_command_to_continue(folder):
    child = start(train(folder, "stopped"))
    wait_for(folder / "stopped" / "checkpoint.safetensors", child)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in err
    line = err.strip().splitlines()[-1]
    assert line.startswith("kinestream: stopped; continue with: kinestream train --model_name mine")
    assert line.endswith("--resume")
    assert str(folder / "stopped") in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model_name", "mine"], "to train a model of your own, name its recordings with --data"),
        (["--model_name", "uic"], "did you mean 'uci'?"),
        (["--model_name", "uci", "--network", "kinet_uci"], "--network is only for a model of your own"),
        (["--model_name", "uci", "--data", "{}/mon.csv"], "'uci' is trained on its own dataset"),
        (["--model_name", "mine", "--data", "{}/mon.csv", "--test"], "protocol blocks has no test people"),
        (["--model_name", "mine", "--data", "{}/mon.csv", "--columns", "label=what"], "has no column what"),
        (["--model_name", "mine", "--data", "{}/mon.csv", "--window", "-1"], "a window of -1 s; expected 0.5 to 60"),
    ],
)
def test_a_mistake_is_reported_in_one_line(folder, capsys, words, message):
    assert main(["train", *(word.format(folder) for word in words), "--out", str(folder / "no")]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("kinestream: ")
    assert message in line


def test_a_batch_too_large_for_memory_is_refused_before_training(folder, capsys, monkeypatch):
    monkeypatch.setattr("kinestream.core.memory.available_bytes", lambda: 3_000_000)
    (folder / "small.toml").write_text(SMALL.replace("batch_size = 8", "batch_size = 4096"))
    assert main(train(folder, "large")) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "GB of memory are needed" in line
    assert "lower batch_size" in line
    assert not (folder / "large").exists()


def person(folder: Path) -> Path:
    """A person's recording with the input of the bundled CNN."""
    return write_csv(folder / "me.csv", labels=LABELS, seconds=24, subject="anna")


def test_adapting_writes_a_new_file_and_keeps_the_original(folder, capsys):
    mine, out = person(folder), folder / "my_kinet.safetensors"
    before = load_model_of("uci_kinet")
    assert main(["adapt", "uci_kinet", str(mine), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == str(out)
    assert "to go back to the original: --model uci_kinet" in shown.err
    assert "tested on the rest" in shown.err
    assert load_model_of("uci_kinet").fingerprint == before.fingerprint
    assert load_model(out).card["adapted"]["person"] == "anna"
    assert main(["models", "show", str(out)]) == 0
    assert "from: uci_kinet" in capsys.readouterr().out
    assert main(["adapt", "uci_kinet", str(mine), "--out", str(out)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["adapt", str(out), str(mine), "--out", str(out)]) == 2
    assert "the original, which is never changed" in capsys.readouterr().err


def load_model_of(name: str):
    from kinestream.inference import find_model

    return load_model(find_model(name))


def test_a_model_is_adapted_to_one_person_at_a_time(folder, capsys):
    person(folder)
    write_csv(folder / "other.csv", labels=LABELS, seconds=2, subject="ben")
    files = [str(folder / name) for name in ("me.csv", "other.csv")]
    assert main(["adapt", "uci_kinet", *files, "--out", str(folder / "a.safetensors")]) == 2
    assert "the recordings are of anna, ben; adapt to one of them with --subject" in capsys.readouterr().err
    assert main(["adapt", "uci_kinet", *files, "--subject", "ben", "--out", str(folder / "a.safetensors")]) == 1
    assert "no window of 2.56 s shows an activity" in capsys.readouterr().err
