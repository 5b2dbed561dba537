"""Policies in TOML files: read, saved, read back, and refused in one clear line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Subnet
from kinestream.policy import make_policy, named_subnets, parse_policy, save_policy

GOOD = """
kind = "slowdown"
sure = 0.99

[[limit]]
kind = "battery"
hours = 10

[[limit]]
kind = "fixed"
subnet = "0.5x-128"
"""


def test_a_file_can_say_all_that_the_command_line_can(table: OperatingTable, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(GOOD)
    assert make_policy(str(file), table) == make_policy("slowdown:sure=0.99+battery:hours=10+fixed:0.5x-128", table)
    assert named_subnets(parse_policy(str(file))) == (Subnet(0.5, 128),)


@pytest.mark.parametrize(
    "text",
    [
        "fixed", "fixed:0.5x-128", "deadline=20", "persistence:thin=0.1x-96,hop=3", "loss:hop=2",
        "slowdown+battery:hours=8,leave=0.1+deadline=20",
    ],
)  # fmt: skip
def test_a_saved_policy_is_read_back(table: OperatingTable, tmp_path: Path, text: str) -> None:
    policy = make_policy(text, table)
    save_policy(policy, tmp_path / "p.toml")
    assert make_policy(str(tmp_path / "p.toml"), table) == policy
    assert [path.name for path in tmp_path.iterdir()] == ["p.toml"]


def test_a_policy_file_names_no_code(table: OperatingTable, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "mine.py").write_text(f"open({str(ran)!r}, 'w')\ndef decide(state, table):\n    return None\n")
    file = tmp_path / "p.toml"
    for content in ('kind = "mine.py"\n', 'kind = "fixed"\n[[limit]]\nkind = "mine.py"\n'):
        file.write_text(content)
        with pytest.raises(ConfigError, match="names no code; if you trust it, name it yourself"):
            make_policy(str(file), table)
    assert not ran.exists()
    with pytest.raises(ConfigError, match="names no code; instead of saving, run with --policy"):
        save_policy(make_policy(str(tmp_path / "mine.py"), table), tmp_path / "saved.toml")
    assert not (tmp_path / "saved.toml").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('kind = "battery"\nhuors = 8\n', "p.toml: unknown key 'huors' (did you mean 'hours'?); known: hours, leave"),
        ('kind = "batery"\n', "p.toml: unknown policy 'batery' (did you mean 'battery'?)"),
        ("hours = 8\n", "p.toml: expected kind ="),
        ("kind = 3\n", "found 3"),
        ('kind = "battery"\nhours = "long"\n', "p.toml: policy battery: hours=long is not a number"),
        ('kind = "battery"\nhours = true\n', "policy battery: hours=True is not a number"),
        ('kind = "battery"\nhours = [1]\n', "hours=[1] is not a number"),
        ('kind = "persistence"\nhop = 2.5\n', "hop=2.5 is not a whole number"),
        ('kind = "battery"\nhours = -1\n', "expected a positive number of hours"),
        ('kind = "fixed"\nsubnet = "0.3x-128"\n', "no subnetwork 0.30x-128"),
        ('kind = "battery"\nlimit = 3\n', "expected [[limit]] tables"),
        ('kind = "battery"\n[[limit]]\nms = 3\n', "expected kind ="),
        ('kind = "battery"\n[[limit]]\nkind = "deadline"\nmss = 3\n', "unknown key 'mss' (did you mean 'ms'?)"),
        ("kind = battery\n", "is not valid TOML"),
        ("\xff", "is not valid TOML"),
        (None, "No such file or directory"),
    ],
)
def test_an_error_in_a_file_names_the_file_and_the_place(
    table: OperatingTable, tmp_path: Path, content: str | None, says: str
) -> None:
    file = tmp_path / "p.toml"
    if content is not None:
        file.write_text(content, "latin-1")
    with pytest.raises(ConfigError, match=re.escape(says)) as refused:
        make_policy(str(file), table)
    assert str(refused.value).count("p.toml") == 1
    assert "\n" not in str(refused.value)


def test_a_failure_to_save_names_the_reason(table: OperatingTable, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be saved: No such file or directory"):
        save_policy(make_policy("fixed", table), tmp_path / "nowhere" / "p.toml")
