"""A sensor that falls to a quarter of its rate, on the command line: text, JSON, a recording repeated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.signals import ACC
from kinestream.inference import save_model
from tests.cli.test_decisions import kinestream
from tests.run.test_wear_watch import AT_WAIST


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for 20 Hz, and a sensor that keeps 20 Hz for 20 s, then 5 Hz."""
    folder = tmp_path_factory.mktemp("slow")
    save_model(folder / "waist.safetensors", AT_WAIST)
    t = np.concatenate([np.arange(400) / 20, 20 + np.arange(100) / 5])
    lines = [",".join(("time", *ACC))]
    lines += [f"{t_s:.2f},{np.sin(t_s):.4f},9.8,{np.cos(t_s):.4f}" for t_s in t]
    (folder / "slow.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_the_windows_are_marked_and_a_rerun_shows_them_as_recorded_or_as_asked(folder: Path) -> None:
    command = ("replay", folder / "slow.csv", "--model", folder / "waist.safetensors", "--speed", "max", "--json")
    out, err = kinestream(folder, *command, "--record", folder / "recorded")
    *records, summary = map(json.loads, out.splitlines())
    records = [record for record in records if "label" in record]
    marked = [record for record in records if record.get("low_coverage")]
    assert len(marked) == summary["counts"]["low_coverage"] > 4
    assert {record["concluded"]["label"] for record in marked} == {"unknown"}
    assert all("concluded" not in record for record in records if not record.get("low_coverage"))
    said = "slow.csv: only 25 % of the samples of the windows were measured (5 Hz arrive, 20 announced)"
    assert sum(said in line for line in summary["notices"]) == 1
    assert err.count("% of the samples of the windows were measured") == 1
    (figures,) = summary["streams"]
    assert (figures["rate_hz"], figures["announced_hz"], figures["lost"]) == (5.0, 20.0, 0)

    again, _ = kinestream(folder, "replay", folder / "recorded", "--speed", "max", "--json")
    *repeated, after = map(json.loads, again.splitlines())
    repeated = [record for record in repeated if "label" in record]
    assert after["compared"] == {"equal": len(records), "differing": 0, "beyond": 0}
    assert [r.get("low_coverage") for r in repeated] == [r.get("low_coverage") for r in records]

    shown, _ = kinestream(folder, "replay", folder / "recorded", "--speed", "max", "--json", "--min-coverage", "0")
    after = json.loads(shown.splitlines()[-1])
    assert after["compared"]["equal"] == len(records)
    assert "low_coverage" not in after["counts"]


def test_text_shows_the_notice_before_the_windows_and_the_rate_in_the_summary(folder: Path) -> None:
    out, _ = kinestream(
        folder, "replay", folder / "slow.csv", "--model", folder / "waist.safetensors", "--speed", "max"
    )
    lines = out.splitlines()
    (first, *_) = [number for number, line in enumerate(lines) if " unknown " in line]
    (notice, *_) = [number for number, line in enumerate(lines) if "shown as unknown" in line]
    assert notice < first
    assert any("slow.csv: rate 5 Hz, announced 20; windows" in line for line in lines)
    assert "low_coverage" in out
