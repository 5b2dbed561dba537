"""The settings of a policy on the dashboard."""

from __future__ import annotations

import pytest

from kinestream.core.errors import ConfigError
from kinestream.dashboard.model.policy_settings import (
    Setting,
    differences,
    limited,
    next_value,
    settings,
    short_text,
    with_value,
)
from kinestream.policy import POLICIES, make_policy, write_policy

from ..synthetic import table

TABLE = table()


def find(text: str, key: str) -> Setting:
    return next(one for one in settings(make_policy(text, TABLE), TABLE) if one.key == key)


@pytest.mark.parametrize("kind", POLICIES)
def test_a_default_policy_has_no_differences_and_the_shortest_text(kind: str) -> None:
    policy = make_policy(kind, TABLE)
    assert differences(policy, TABLE) == []
    assert short_text(policy, TABLE) == kind


@pytest.mark.parametrize("text", ["battery:hours=6", "fixed:0.5x-112", "latency:low=0.5+battery:hours=3,leave=0.1"])
def test_the_short_text_makes_the_same_policy(text: str) -> None:
    policy = make_policy(text, TABLE)
    assert write_policy(make_policy(short_text(policy, TABLE), TABLE)) == write_policy(policy)


def test_the_differences_name_the_default_and_the_value() -> None:
    assert differences(make_policy("battery:hours=6", TABLE), TABLE) == ["battery.hours: 8 -> 6"]


@pytest.mark.parametrize("kind", POLICIES)
def test_every_setting_of_every_policy_can_be_stepped_up_and_down(kind: str) -> None:
    policy = make_policy(kind, TABLE)
    for one in settings(policy, TABLE):
        texts: list[str] = []
        for step in (1, -1):
            try:
                texts.append(with_value(policy, TABLE, one, next_value(one, step, TABLE)))
            except ConfigError as error:  # at an end of its range, and the policy says so
                texts.append(str(error))
        assert texts[0] != texts[1], one.key
        assert any(text.startswith(f"{kind}:{one.key}=") for text in texts), one.key


def test_changing_a_setting_leaves_the_others_alone() -> None:
    policy = make_policy("slowdown+battery:hours=6,leave=0.1", TABLE)
    text = with_value(policy, TABLE, find("slowdown+battery:hours=6,leave=0.1", "hours"), "4")
    assert text == "slowdown+battery:hours=4,leave=0.1"


def test_a_value_that_the_policy_does_not_take_is_refused() -> None:
    policy = make_policy("battery", TABLE)
    with pytest.raises(ConfigError, match="hours"):
        with_value(policy, TABLE, find("battery", "hours"), "-1")


def test_a_limit_is_added_and_removed() -> None:
    policy = make_policy("battery:hours=6", TABLE)
    text = limited(policy, TABLE, ["slowdown"])
    assert text == "battery:hours=6+slowdown"
    assert limited(make_policy(text, TABLE), TABLE, []) == "battery:hours=6"
