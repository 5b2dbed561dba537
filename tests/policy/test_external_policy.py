"""External policies decide, and a failing one does not stop the run."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.policy import ExternalPolicy, make_policy, write_policy
from tests.policy.situations import situation

FUNCTION = '''
"""Thin at night."""

from kinestream.signals import Decision


def decide(state, table, begins_h=22, thin=True, word="night"):
    hour = state.now_s / 3600 % 24
    if thin and hour >= begins_h:
        return Decision(table.front[0].subnet, f"{word}: thin")
    return Decision(table.front[-1].subnet, "day: wide", memory={"own.seen": state.memory.get("own.seen", 0) + 1})
'''

CLASS = """
from dataclasses import dataclass

@dataclass
class Policy:
    table: object
    share: float = 0.5

    def decide(self, state):
        return self.table.front[int(self.share * (len(self.table.front) - 1))].subnet
"""


def written(folder: Path, code: str) -> str:
    (folder / "my_policy.py").write_text(code)
    return str(folder / "my_policy.py")


def test_a_function_in_a_file_is_a_policy(table: OperatingTable, tmp_path: Path) -> None:
    policy = make_policy(written(tmp_path, FUNCTION), table)
    day = policy.decide(situation(now_s=12 * 3600.0))
    assert (str(day.subnet), day.reason, dict(day.memory)) == ("1.00x-128", "day: wide", {"own.seen": 1.0})
    assert policy.decide(situation(now_s=23 * 3600.0)).reason == "night: thin"


def test_the_parameters_of_the_function_are_its_settings(table: OperatingTable, tmp_path: Path) -> None:
    text = written(tmp_path, FUNCTION) + ":begins_h=11,word=noon"
    policy = make_policy(text, table)
    assert policy.decide(situation(now_s=12 * 3600.0)).reason == "noon: thin"
    assert write_policy(policy) == text
    assert make_policy(write_policy(policy), table) == policy
    off = make_policy(written(tmp_path, FUNCTION) + ":begins_h=11,thin=false", table)
    assert off.decide(situation(now_s=12 * 3600.0)).reason == "day: wide"
    assert make_policy(write_policy(off), table) == off


def test_a_class_in_a_file_is_a_policy_that_others_can_limit(table: OperatingTable, tmp_path: Path) -> None:
    file = written(tmp_path, CLASS)
    assert str(make_policy(f"{file}:share=1", table).decide(situation()).subnet) == "1.00x-128"
    limited = make_policy(f"{file}:share=1+deadline=50", table).decide(situation())
    assert str(limited.subnet) == "0.50x-128"
    assert "1.00x-128 is not allowed: 0.50x-128 | 4 of 6 meet 50 ms" in limited.reason


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "def decide(state, table):\n    return 1 / 0\n",
            "ZeroDivisionError: division by zero (line 2 of my_policy.py)",
        ),
        ("def decide(state, table):\n    raise SystemExit(3)\n", "SystemExit: 3 (line 2 of my_policy.py)"),
        ("def decide(state, table):\n    return None\n", "TypeError: decide returned NoneType, expected a Decision"),
        ("def decide(state):\n    return None\n", "TypeError: "),
        (
            "from kinestream.signals import Subnet\ndef decide(state, table):\n    return Subnet(0.3, 7)\n",
            "ValueError: it chose 0.30x-7, which test_cnn does not have",
        ),
        (
            "from kinestream.signals import Decision\ndef decide(state, table):\n"
            "    return Decision(table.front[0].subnet, '', hop=0)\n",
            "hop 0, expected a whole number from 1",
        ),
        (
            "from kinestream.signals import Decision\ndef decide(state, table):\n"
            "    return Decision(table.front[0].subnet, '', memory={'own.list': []})\n",
            "memory must hold only numbers, by name",
        ),
        (
            "from kinestream.signals import Decision, Sensing\ndef decide(state, table):\n"
            "    return Decision(table.front[0].subnet, '', sensing=Sensing(-1.0))\n",
            "expected a Sensing at a positive rate, or None",
        ),
    ],
)
def test_failing_code_is_reported_once_and_the_cheapest_runs(
    table: OperatingTable, tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, says: str
) -> None:
    policy = make_policy(written(tmp_path, code), table)
    with caplog.at_level(logging.WARNING):
        decisions = [policy.decide(situation(deadline_ms=50.0)) for _ in range(5)]
    assert {str(decision.subnet) for decision in decisions} == {"0.10x-96"}
    assert says in decisions[0].reason
    assert "external_policy.py" not in decisions[0].reason
    assert decisions[0].reason.endswith(": the cheapest, to be safe; meets the deadline of 50 ms")
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]
    assert says in caplog.messages[0]


@pytest.mark.parametrize(
    ("code", "settings", "says"),
    [
        ("def decide(:\n", "", "cannot be loaded: SyntaxError"),
        ("import no_such_thing\n", "", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("raise SystemExit(3)\n", "", "cannot be loaded: SystemExit: 3 (line 1 of my_policy.py)"),
        ("x = 1\n", "", "has neither a function decide(state, table) nor a class Policy(table)"),
        ("class Policy:\n    def __init__(self, table):\n        pass\n", "", "no method decide(state)"),
        (
            "class Policy:\n    def __init__(self, table):\n        raise OSError('no')\n",
            "",
            "cannot be made: OSError: no",
        ),
        (FUNCTION, ":begin_h=3", "unknown policy {file}: key 'begin_h' (did you mean 'begins_h'?)"),
        (FUNCTION, ":begins_h=late", "begins_h=late is not a whole number"),
        (FUNCTION, ":thin=maybe", "thin=maybe is not true or false"),
        (FUNCTION, ":7", "'7' is not KEY=VALUE"),
    ],
)
def test_an_unusable_file_is_refused_in_one_line(
    table: OperatingTable, tmp_path: Path, code: str, settings: str, says: str
) -> None:
    file = written(tmp_path, code)
    with pytest.raises(ConfigError, match=re.escape(says.format(file=file))) as refused:
        make_policy(file + settings, table)
    assert "\n" not in str(refused.value)
    assert "frozen" not in str(refused.value)


def test_a_missing_file_is_named(table: OperatingTable) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.py: no such file"):
        make_policy("nowhere.py", table)


def test_an_installed_package_offers_a_policy(table: OperatingTable, tmp_path: Path) -> None:
    """A package with an entry point, laid out as pip does, on the path of another Python."""
    info = tmp_path / "night_watch-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: night-watch\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kinestream.policies]\nnight = night_watch:decide\n")
    (tmp_path / "night_watch.py").write_text(FUNCTION)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from kinestream.core.operating_table import OperatingPoint, OperatingTable\n"
        "from kinestream.policy import PolicyState, make_policy, write_policy\n"
        "from kinestream.core.signals import Subnet\n"
        "table = OperatingTable('t', '', '', (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 1.0, 1.0, 1.0),))\n"
        "policy = make_policy('night:begins_h=1+deadline=20', table)\n"
        "print(policy.decide(PolicyState(9000.0, 0.0, None, None, None, (), 1.0)).reason)\n"
        "print(write_policy(policy))\n"
        "make_policy('nigth', table)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["night: thin | 1 of 1 meet 20 ms", "night:begins_h=1+deadline:ms=20.0"]
    assert "unknown policy 'nigth' (did you mean 'night'?)" in done.stderr


def test_policies_of_the_same_file_and_settings_are_equal(table: OperatingTable, tmp_path: Path) -> None:
    file = written(tmp_path, FUNCTION)
    policy, again = make_policy(file, table), make_policy(file, table)
    assert isinstance(policy, ExternalPolicy)
    assert policy == again
    assert policy != make_policy(f"{file}:begins_h=3", table)
