"""``kinestream tune``, ``energy`` and ``table`` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinestream.cli import main
from kinestream.inference import save_model
from tests.random_models import TINY, random_model

DAY = """
about = "twenty minutes"
hours = 0.33
[battery]
lasts_h = 0.25
gauge = 0.01
[[phase]]
from_h = 0
deadline = 2
[[phase]]
from_h = 0.2
load = 3
deadline = 2
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, a labelled recording and a scenario."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KINESTREAM_CACHE", str(tmp_path / "cache"))
    model = random_model("tiny", replace(TINY, columns=6))
    save_model(tmp_path / "tiny.safetensors", model)
    t = np.arange(0, 60, 0.02)
    x = np.random.default_rng(0).normal(0, 1, (len(t), 6)).cumsum(0) / 10
    rows = [
        f"{at:.2f},{','.join(f'{value:.5f}' for value in row)},{model.labels[int(at // 15) % 2]}"
        for at, row in zip(t, x, strict=True)
    ]
    head = "time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,label"
    (tmp_path / "walk.csv").write_text("\n".join([head, *rows]) + "\n")
    (tmp_path / "day.toml").write_text(DAY)
    return tmp_path


TUNE = ["tune", "walk.csv", "--model", "tiny.safetensors", "--scenario", "day.toml", "--trials", "4"]


def test_tune_prints_the_policy_beside_its_rivals_and_saves_the_best_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    command = [*TUNE, "--policy", "battery", "--save", "mine.toml", "--picture", "day.svg"]
    assert main(command) == 0
    out = capsys.readouterr().out
    for word in ("as given", "found", "oracle", "estimated by 'nrf52840_lsm6dso'", "search: 4 tried"):
        assert word in out
    assert 'kind = "battery"' in (here / "mine.toml").read_text()
    assert "hours = 0.33" in (here / "mine.toml").read_text()
    picture = (here / "day.svg").read_bytes()
    assert picture.startswith(b"<?xml")
    assert main(command) == 0
    assert capsys.readouterr().out == out
    assert (here / "day.svg").read_bytes() == picture
    assert main([*TUNE, "--policy", "mine.toml", "--trials", "0"]) == 0


def test_the_json_includes_every_fixed_subnetwork(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TUNE, "--policy", "persistence:hop=2", "--goal", "energy", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in report["fixed"]} >= {"0.25x-32", "1.00x-40"}
    assert report["rows"][0]["name"] == "as given"
    assert 0 <= report["rows"][0]["accuracy"] <= 1
    assert report["rows"][-1]["name"] == "oracle"
    assert report["windows_of_the_day"] == int(0.33 * 3600 / 0.4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["wearer://"], "never ends"),
        (["walk.csv", "--scenario", "comute"], "did you mean 'commute'"),
        (["walk.csv", "--energy", "labtop"], "did you mean 'laptop'"),
        (["walk.csv", "--policy", "batery"], "did you mean 'battery'"),
        (["walk.csv", "--trials", "-1"], "expected 0 or more"),
        (["walk.csv", "--picture", "day.jpg"], "must end in .svg or .png"),
        (["walk.csv", "--picture", "nowhere/day.svg"], "there is no folder nowhere"),
        (["walk.csv", "--save", "nowhere/mine.toml"], "there is no folder nowhere"),
        (["walk.csv", "--lose", "nan"], "expected 0 or more points"),
        ([], "name a recording"),
    ],
)
def test_a_mistake_is_reported_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["tune", *words]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_the_days_and_energy_models_can_be_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--scenarios"]) == 0
    assert "clinic_day" in capsys.readouterr().out
    assert main(["energy"]) == 0
    assert "nrf52840_icm20948" in capsys.readouterr().out
    assert main(["energy", "nrf52840_icm20948"]) == 0
    assert "table 4 (read)" in capsys.readouterr().out


def test_a_table_can_be_estimated_by_a_model_but_not_by_two(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "tiny.safetensors", "--energy", "nrf52840_lsm6dso", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "'nrf52840_lsm6dso'" in report["energy_model"]
    first = report["points"][0]
    assert first["energy_mj"] == pytest.approx(first["macs"] / 25.6e6 * 9.9, rel=1e-4)
    assert main(["table", "tiny.safetensors", "--energy", "laptop", "--power", "3"]) == 2


def test_a_run_estimates_by_a_named_model_and_keeps_this_machines_latency(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["replay", "walk.csv", "--model", "tiny.safetensors", "--speed", "max", "--json"]
    assert main([*command, "--energy", "nrf52840_lsm6dso", "--policy", "fixed:1x-40"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "'nrf52840_lsm6dso'" in lines[-1]["energy_model"]
    macs = next(p["macs"] for p in _points(capsys) if p["subnet"] == "1.00x-40")
    assert lines[0]["energy_mj"] == pytest.approx(macs / 25.6e6 * 9.9, rel=1e-3)


def _points(capsys: pytest.CaptureFixture[str]) -> list[dict[str, float]]:
    assert main(["table", "tiny.safetensors", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["points"]
