"""Every parser of strangers' bytes keeps the rule of ``tests/fuzz/judge.py``; each fault found once stays mended.

``python -m benchmarks.chaos fuzz`` does the same for as long as it is let, and saves the cases that break the rule.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .judge import BrokenRule, Target, judge, load_case, save_case
from .mutations import harmed
from .targets import TARGETS

CASES = 60
SLOW_CASES = {"recording": 15, "xdf": 25, "xdf chunks": 25}
REFUSES_NOTHING = ("journal", "journal 0.1.0", "relay inbox", "bluetooth nus")
"""Targets that count what they cannot read."""
by_name = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


@by_name
def test_a_valid_input_is_accepted_and_harmed_ones_are_read_or_refused_in_one_line(target: Target) -> None:
    if target.name.startswith("xdf"):
        pytest.importorskip("pyxdf")
    accepted = [judge(target, seed) for seed in target.seeds()]
    assert any(accepted) or target.name == "address replay", "no valid input: nothing is tested"  # its data is missing
    accepted = [judge(target, target.case(0, number)) for number in range(SLOW_CASES.get(target.name, CASES))]
    assert not all(accepted) or target.name in REFUSES_NOTHING, "nothing was harmed"


@by_name
def test_any_bytes_are_read_or_refused_in_one_line(target: Target) -> None:
    if target.name.startswith("xdf"):
        pytest.importorskip("pyxdf")

    @settings(
        max_examples=SLOW_CASES.get(target.name, CASES) // 2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(harmed(target.seeds(), target.mutate))
    def holds(case: tuple[bytes, ...]) -> None:
        judge(target, case)

    holds()


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "cases").glob("*.json")), ids=lambda path: path.stem)
def test_a_case_that_broke_the_rule_once_does_not_again(path: Path) -> None:
    name, case = load_case(path)
    judge(TARGETS[name], case)


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("kind", "parse"),
    [
        ("exception", lambda case: _raise(KeyError("x"))),
        ("wrong", lambda case: _raise(AssertionError("another number"))),
        ("warning", lambda case: _raise(RuntimeWarning("overflow"))),
        ("slow", lambda case: all(iter(lambda: 1, 0))),
        ("memory", lambda case: b"x" * (64 << 20)),
    ],
)
def test_a_parser_that_breaks_the_rule_is_found(kind: str, parse: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.judge.MAX_CPU_S", 0.5)
    monkeypatch.setattr("tests.fuzz.judge.MAX_GROWTH_BYTES", 32 << 20)
    with pytest.raises(BrokenRule) as caught:
        judge(Target("made up", lambda: [(b"",)], parse), (b"",))  # type: ignore[arg-type]
    assert caught.value.kind == kind


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_case_is_the_same_for_its_seed_and_number(seed: int, number: int) -> None:
    target = TARGETS["wire"]
    assert target.case(seed, number) == target.case(seed, number)


def test_a_saved_case_is_read_back(tmp_path: Path) -> None:
    save_case(tmp_path / "case.json", "wire", (b"\0\xff", b""), "why")
    assert load_case(tmp_path / "case.json") == ("wire", (b"\0\xff", b""))
