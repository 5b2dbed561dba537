"""How the sensor is worn, on the command line: text, JSON, a recording repeated, real walking with turned axes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import ACC
from kinestream.inference import load_model, save_model
from kinestream.replay_data import default_data_dir
from tests.cli.test_decisions import kinestream
from tests.run.test_wear_watch import ANYWHERE, AT_WAIST
from tests.windowing.test_walking_up import still, walk

Y = np.array([0.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, a wearer with the sensor turned, and one who never moves, with samples missing."""
    folder = tmp_path_factory.mktemp("worn")
    save_model(folder / "waist.safetensors", AT_WAIST)
    save_model(folder / "anywhere.safetensors", ANYWHERE)
    motionless = still(60, Y)
    motionless[300:320] = np.nan
    for name, x in (("turned", walk(60, Y)), ("motionless", motionless)):
        lines = [",".join(("time", *ACC))]
        lines += [f"{i / 20:.2f}," + ",".join(f"{v:.4f}" for v in row) for i, row in enumerate(x)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def predictions_of(out: str) -> list[dict[str, Any]]:
    """The predictions and the summary, without the notices among them."""
    return [record for record in map(json.loads, out.splitlines()) if "notice" not in record]


def test_text_shows_the_notice_once_while_it_runs_and_once_in_the_summary(folder: Path) -> None:
    command = ("replay", folder / "turned.csv", "--model", folder / "waist.safetensors", "--speed", "max")
    out, err = kinestream(folder, *command)
    assert [line.split()[0] for line in out.splitlines() if "worn otherwise" in line] == ["notice"] * 2
    assert "worn_otherwise" in out
    assert " unknown " in out
    assert "worn otherwise" not in err


def test_json_marks_the_windows_and_a_rerun_repeats_them(folder: Path) -> None:
    command = ("replay", folder / "turned.csv", "--model", folder / "waist.safetensors", "--speed", "max", "--json")
    out, err = kinestream(folder, *command, "--record", folder / "recorded")
    *records, summary = predictions_of(out)
    marked = [record for record in records if record.get("worn_otherwise")]
    assert len(marked) == summary["counts"]["worn_otherwise"] > 20
    assert {record["concluded"]["label"] for record in marked} == {"unknown"}
    assert {record["label"] for record in marked} <= set(AT_WAIST.labels)
    assert sum("worn otherwise" in line for line in summary["notices"]) == 1
    assert err.count("worn otherwise") == 1
    (notice,) = [r for r in map(json.loads, out.splitlines()) if r.get("about") == "worn_otherwise"]
    assert (notice["level"], notice["stream"]) == ("warning", records[0]["stream"])
    again, _ = kinestream(folder, "replay", folder / "recorded", "--speed", "max", "--json")
    *repeated, after = predictions_of(again)
    assert after["compared"] == {"equal": len(records), "differing": 0, "beyond": 0}
    assert [r.get("worn_otherwise") for r in repeated] == [r.get("worn_otherwise") for r in records]


def test_turned_axes_cure_it(folder: Path) -> None:
    command = ("replay", folder / "turned.csv", "--model", folder / "waist.safetensors", "--speed", "max")
    out, _ = kinestream(folder, *command, "--axes", "y -x z")
    assert "worn otherwise" not in out
    assert "unknown" not in out


def test_a_wearer_who_never_moves_is_asked_to_walk(folder: Path) -> None:
    command = ("replay", folder / "motionless.csv", "--model", folder / "anywhere.safetensors", "--speed", "max")
    out, _ = kinestream(folder, *command, "--json")
    *records, summary = predictions_of(out)
    assert {(r["up_known"], r["label"], r["concluded"]["label"]) for r in records} == {(False, "standing", "still")}
    assert summary["counts"]["not_finite"] == 20
    assert any("no up axis yet: walk 12 s so that postures can be told apart" in line for line in summary["notices"])
    text, _ = kinestream(folder, *command)
    assert text.count("no up axis yet") == 2


def test_a_real_phone_turned_by_ninety_degrees_is_noticed_and_as_worn_it_is_not(folder: Path) -> None:
    if not (default_data_dir() / "hapt").is_dir():
        pytest.skip("needs HAPT")
    command = ("replay", "hapt", "--subject", "2", "--model", "uci_kinet", "--speed", "max", "--json")
    for axes, noticed in (((), False), (("--axes", "y -x z"), True)):
        out, _ = kinestream(folder, *command, *axes)
        summary = json.loads(out.splitlines()[-1])
        assert ("worn_otherwise" in summary["counts"]) is noticed


@pytest.mark.parametrize(("up", "checked"), [(Y, False), (np.array([1.0, 0.0, 0.0]), True)])
def test_a_model_adapted_to_a_wearer_checks_only_what_fits_this_wearer(folder: Path, up, checked: bool) -> None:
    name = f"adapted_{checked}"
    x = walk(80, up)
    lines = [",".join(("time", *ACC, "label"))]
    for i, row in enumerate(x):
        lines.append(f"{i / 20:.2f}," + ",".join(f"{v:.4f}" for v in row) + f",activity_{i // 400}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    out = folder / f"{name}.safetensors"
    _, err = kinestream(folder, "adapt", folder / "waist.safetensors", folder / f"{name}.csv", "--out", out)
    assert (load_model(out).placement is not None) is checked
    assert ("check how it is worn" in err) is not checked
