"""The paper's demonstrations and the documentation's example keep the documentation's promises."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from benchmarks.policy_demos import DEADLINES_MS, LOAD_DEADLINE_MS, LOADS, Run, pi_table, run, simulated
from kinestream.core.operating_table import OperatingTable
from kinestream.inference import find_model, load_model
from kinestream.policy import POLICIES, make_policy
from tests.policy.situations import predicted, situation

DOCS = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")


@pytest.fixture(scope="module")
def pi() -> OperatingTable:
    return pi_table(load_model(find_model("uci_cnn")))


def demonstration(text: str, pi: OperatingTable, deadlines_ms: tuple[float, ...], loads: tuple[float, ...]) -> Run:
    return run(text, pi, simulated(pi, random.Random(1)), deadlines_ms, loads)


def test_under_a_changing_load_slowdown_is_late_less_often_than_the_band(pi: OperatingTable) -> None:
    deadlines_ms = (LOAD_DEADLINE_MS,) * 4
    band = demonstration("latency:low=0.714", pi, deadlines_ms, LOADS)
    ours = demonstration("slowdown", pi, deadlines_ms, LOADS)
    assert sum(ours.late) / len(ours.late) < 0.02
    assert sum(ours.late) < sum(band.late)
    assert [ours.late_after(start_s) for start_s in (20.0, 40.0, 60.0)] <= [1, 1, 0]
    assert band.chosen[-1].subnet == band.chosen[100].subnet, "when the load is gone it runs what it ran before"


def test_every_deadline_of_the_static_demonstration_is_met_from_its_first_windows(pi: OperatingTable) -> None:
    ours = demonstration("slowdown", pi, DEADLINES_MS, (0.0,) * 4)
    assert sum(ours.late) / len(ours.late) < 0.02
    widths = [ours.chosen[k].subnet.width for k in (100, 300, 500, 700)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1]


def test_the_example_in_the_documentation_is_a_policy_in_twenty_lines(table: OperatingTable, tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert example is not None
    assert len(example[1].splitlines()) <= 20
    (tmp_path / "night.py").write_text(example[1])
    policy = make_policy(f"{tmp_path / 'night.py'}:windows=2,lying=sitting+deadline=50", table)
    wide = policy.decide(situation(predicted(label="walking"), predicted(label="sitting")))
    thin = policy.decide(situation(predicted(label="sitting"), predicted(label="sitting")))
    assert (str(wide.subnet), wide.hop, wide.reason) == ("0.50x-128", 1, "may be moving: wide | 4 of 6 meet 50 ms")
    assert (str(thin.subnet), thin.hop) == ("0.10x-96", 2)
    assert "failed" not in wide.reason + thin.reason


def test_the_documentation_names_every_kind_and_its_toml_example_is_a_policy(
    table: OperatingTable, tmp_path: Path
) -> None:
    assert [kind for kind in POLICIES if f"| `{kind}` |" not in DOCS] == []
    example = re.search(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    assert example is not None
    (tmp_path / "policy.toml").write_text(example[1])
    assert make_policy(str(tmp_path / "policy.toml"), table) == make_policy("slowdown:sure=0.99+battery:hours=8", table)
