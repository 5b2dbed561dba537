"""A new policy is one file and one line: everything that reads, writes, steps or searches settings knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from kinestream.cli.commands import build_parser
from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Subnet
from kinestream.dashboard.model.policy_settings import next_value, settings, short_text, with_value
from kinestream.lab.search import space_of
from kinestream.policy import (
    POLICIES,
    Interval,
    PolicyState,
    check_settings,
    make_policy,
    named_subnets,
    parse_policy,
    register,
    save_policy,
    setting,
    write_policy,
)


class Mood(Enum):
    CALM = "calm"
    EAGER = "eager"


@dataclass(frozen=True, slots=True)
class SamplerPolicy:
    """One setting of every type."""

    kind: ClassVar[str] = "sampler"

    table: OperatingTable = field(repr=False)
    count: int = setting(3, "a whole number", within=Interval("number of windows", 1, 8), search=(1, 2, 4))
    share: float = setting(0.5, "a share", within=Interval("share", 0, 1))
    on: bool = setting(False, "a switch")
    word: str = setting("night", "a text")
    mood: Mood = setting(Mood.CALM, "one of an enumeration", search=("calm", "eager"))
    side: Literal["left", "right"] = setting("left", "one of some texts")
    most: int | None = setting(None, "a whole number or open", within=Interval("number", 1, 100))
    hold_s: float | None = setting(None, "a time or open")
    hint: bool | None = setting(None, "a switch or open")
    name: str | None = setting(None, "a text or open")
    next_mood: Mood | None = setting(None, "one of an enumeration, or open")
    cut: Subnet | None = setting(None, "a subnetwork or open", search=lambda table: [str(table.front[0].subnet)])

    def __post_init__(self) -> None:
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        return Decision(self.table.front[0].subnet, self.word)


GIVEN: dict[str, tuple[str, Any]] = {
    "count": ("5", 5),
    "share": ("0.25", 0.25),
    "on": ("true", True),
    "word": ("day", "day"),
    "mood": ("eager", Mood.EAGER),
    "side": ("right", "right"),
    "most": ("7", 7),
    "hold_s": ("2.0", 2.0),
    "hint": ("false", False),
    "name": ("ada", "ada"),
    "next_mood": ("calm", Mood.CALM),
    "cut": ("0.50x-128", Subnet(0.5, 128)),
}
TEXT = "sampler:" + ",".join(f"{key}={text}" for key, (text, _) in GIVEN.items())


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register(SamplerPolicy)
    yield
    del POLICIES["sampler"]


def test_its_text_is_read_and_written(table: OperatingTable) -> None:
    policy = make_policy(TEXT, table)
    assert policy == SamplerPolicy(table, **{key: value for key, (_, value) in GIVEN.items()})
    assert write_policy(policy) == TEXT
    assert write_policy(make_policy("sampler", table)) == (
        "sampler:count=3,share=0.5,on=false,word=night,mood=calm,side=left"
    )
    assert named_subnets(parse_policy(TEXT)) == (Subnet(0.5, 128),)


def test_its_file_is_written_and_read(table: OperatingTable, tmp_path: Path) -> None:
    for text in (TEXT, "sampler", f"{TEXT}+deadline=20"):
        policy = make_policy(text, table)
        save_policy(policy, tmp_path / "p.toml")
        assert make_policy(str(tmp_path / "p.toml"), table) == policy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("count=2.5", "count=2.5 is not a whole number"),
        ("count=9", "sampler count=9: expected a number of windows from 1 to 8"),
        ("share=nan", "share=nan: expected a share from 0 to 1"),
        ("on=perhaps", "on=perhaps is not true or false"),
        ("mood=sad", "mood=sad is not one of calm, eager"),
        ("side=up", "side=up is not one of left, right"),
        ("most=0", "most=0: expected a number from 1 to 100"),
        ("cut=half", "'half' is not a subnetwork"),
        ("wrod=day", "key 'wrod' (did you mean 'word'?)"),
    ],
)
def test_a_wrong_value_is_refused(table: OperatingTable, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        make_policy(f"sampler:{text}", table)


def test_a_text_that_would_be_split_is_refused_in_a_file(table: OperatingTable, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('kind = "sampler"\nword = "day+night"\n')
    with pytest.raises(ConfigError, match="holds a comma or a plus"):
        make_policy(str(tmp_path / "p.toml"), table)


@pytest.mark.parametrize(
    ("key", "less", "more"),
    [
        ("count", 2, 4),
        ("share", 0.45, 0.55),
        ("on", False, True),
        ("word", "night", "night"),
        ("mood", Mood.CALM, Mood.EAGER),
        ("side", "left", "right"),
        ("most", None, 1),
        ("hold_s", None, 0.1),
        ("hint", False, True),
        ("name", None, None),
        ("next_mood", None, Mood.CALM),
        ("cut", None, Subnet(0.1, 96)),
    ],
)
def test_the_dashboard_lists_and_steps_each_setting(table: OperatingTable, key: str, less: Any, more: Any) -> None:
    policy = make_policy("sampler", table)
    row = next(row for row in settings(policy, table) if row.key == key)
    assert [next_value(row, step, table) for step in (-1, 1)] == [less, more]
    text = with_value(policy, table, row, more)
    changed = make_policy(text, table)
    assert getattr(changed, key) == more
    assert short_text(changed, table) == text


def test_the_laboratory_tries_what_the_fields_name(table: OperatingTable) -> None:
    space = {key: list(values) for _, key, values in space_of(parse_policy("sampler"), table)}
    assert space == {"count": [1, 2, 4], "mood": ["calm", "eager"], "cut": ["0.10x-96"]}


def test_the_help_of_run_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["run", "--help"])
    words = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).split()
    assert "sampler;" in words
    assert "slowdown," in words


def test_a_setting_of_another_type_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"OddPolicy\.when: no setting can be of type"):
        register(OddPolicy)


@dataclass(frozen=True, slots=True)
class OddPolicy:
    """A setting that no text can hold."""

    kind: ClassVar[str] = "odd"

    table: OperatingTable = field(repr=False)
    when: tuple[int, ...] = setting((1, 2), "two numbers")
