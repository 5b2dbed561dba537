"""The settings of a running policy: their values, their defaults, and the next value of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinestream.policy import POLICIES, Part, build_policy, parts_of, specs_of
from kinestream.policy.catalog import settings_of
from kinestream.policy.external_policy import name_of
from kinestream.policy.settings import default_steps
from kinestream.policy.settings_text import value_text

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingTable
    from kinestream.policy import Policy
    from kinestream.policy.steps import Steps

LIMITS = ("", "slowdown", "persistence", "loss", "battery", "sensing", "hop")
"""The limits that a key offers; a text can name others, and several."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of one part of a policy."""

    part: int
    """The place of its policy in the composition."""
    kind: str
    key: str
    value: Any
    """None where it is left open."""
    default: Any
    steps: Steps = field(repr=False, compare=False)

    @property
    def is_changed(self) -> bool:
        return self.value != self.default


def settings(policy: Policy, table: OperatingTable) -> list[Setting]:
    """All settings, part by part in the order of their fields; of an external policy, those that were given."""
    rows: list[Setting] = []
    for place, part in enumerate(parts_of(policy)):
        name = name_of(part)
        if name in POLICIES:
            default = build_policy([Part(name)], table)
            for spec in specs_of(type(part)):
                values = getattr(part, spec.name), getattr(default, spec.name)
                rows.append(Setting(place, name, spec.name, *values, spec.steps))
        else:
            for key, value in settings_of(part).items():
                rows.append(Setting(place, name, key, value, None, default_steps(key, type(value))))
    return rows


def with_value(policy: Policy, table: OperatingTable, setting: Setting, value: Any) -> str:
    """Return the policy's text with another value (a text, or None to leave it open) for one setting.

    Raises:
        ConfigError: the policy does not take the value.
    """
    parts: list[Part] = []
    for place, part in enumerate(parts_of(policy)):
        given = settings_of(part)
        if place == setting.part:
            given.pop(setting.key, None)
            if value is not None:
                given[setting.key] = value
        parts.append(Part(name_of(part), given))
    return short_text(build_policy(parts, table), table)


def limited(policy: Policy, table: OperatingTable, limits: Sequence[str]) -> str:
    """Return the policy's text with its first part under these limits, each with its defaults."""
    first = parts_of(policy)[0]
    parts = [Part(name_of(first), settings_of(first)), *(Part(kind) for kind in limits)]
    return short_text(build_policy(parts, table), table)


def next_value(setting: Setting, step: int, table: OperatingTable) -> Any:
    """Return the value after (``step`` 1) or before (-1) the present one; the policy may still refuse it."""
    return setting.steps(setting.value, step, table)


def short_text(policy: Policy, table: OperatingTable) -> str:
    """Return the text from which ``make_policy`` makes this policy, without settings that have their default."""
    texts = [name_of(part) for part in parts_of(policy)]
    for setting in settings(policy, table):
        if setting.is_changed:
            separator = "," if ":" in texts[setting.part] else ":"
            texts[setting.part] += f"{separator}{setting.key}={_plain(setting.value)}"
    return "+".join(texts)


def _plain(value: Any) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else value_text(value)


def differences(policy: Policy, table: OperatingTable) -> list[str]:
    """Return a line for each setting that differs from its default: ``battery.hours: 8 -> 6``."""
    return [
        f"{setting.kind}.{setting.key}: {shown(setting.default)} -> {shown(setting.value)}"
        for setting in settings(policy, table)
        if setting.is_changed
    ]


def shown(value: Any) -> str:
    """Return a value as people read it.

    >>> shown(None), shown(8.0), shown(True)
    ('open', '8', 'true')
    """
    return "open" if value is None else f"{value:g}" if isinstance(value, float) else value_text(value)
