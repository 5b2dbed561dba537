"""The settings of a policy, one by one: what they are, what they would be by default, and the next value of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from kinestream.core.signals import Subnet
from kinestream.policy import POLICIES, Part, build_policy, parts_of
from kinestream.policy.policy_text import keys_of, settings_of

from .value_steps import next_deadline_ms, stepped

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingTable
    from kinestream.policy import Policy

LIMITS = ("", "slowdown", "persistence", "loss", "battery", "sensing", "hop")
"""What a key can put a policy under; a text can put it under more."""
_TIMES = tuple(float(f"{digit}e{power}") for power in range(-1, 4) for digit in (1, 1.5, 2, 3, 4, 5, 6, 8))
_RATES_HZ = (5.0, 10.0, 12.5, 20.0, 25.0, 50.0)
_SHARE_STEP = 0.05


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of one part of a policy."""

    part: int
    """Which of the composed policies."""
    kind: str
    key: str
    value: Any
    """None where it is left open."""
    default: Any

    @property
    def is_changed(self) -> bool:
        return self.value != self.default


def settings(policy: Policy, table: OperatingTable) -> list[Setting]:
    """All settings, part by part in their own order; of a policy of one's own, those that were given."""
    found: list[Setting] = []
    for place, part in enumerate(parts_of(policy)):
        now, built_in = settings_of(part), part.kind in POLICIES
        usual = settings_of(build_policy([Part(part.kind)], table)) if built_in else {}
        keys = keys_of(part.kind) if built_in else list(now)
        found += [Setting(place, part.kind, key, now.get(key), usual.get(key)) for key in keys]
    return found


def with_value(policy: Policy, table: OperatingTable, setting: Setting, value: Any) -> str:
    """The policy's text with another value (text, or None to leave it open) for one setting.

    Raises:
        ConfigError: the value does not fit.
    """
    parts: list[Part] = []
    for place, part in enumerate(parts_of(policy)):
        given = settings_of(part)
        if place == setting.part:
            given = {key: one for key, one in given.items() if key != setting.key}
            given |= {} if value is None else {setting.key: value}
        parts.append(Part(part.kind, given))
    return short_text(build_policy(parts, table), table)


def limited(policy: Policy, table: OperatingTable, limits: Sequence[str]) -> str:
    """The policy's text with its first part under these limits, each as it is by default."""
    first = parts_of(policy)[0]
    parts = [Part(first.kind, settings_of(first)), *(Part(kind) for kind in limits)]
    return short_text(build_policy(parts, table), table)


def next_value(setting: Setting, step: int, table: OperatingTable) -> Any:
    """The value after (``step`` 1) or before (-1) the present one; it may still lie beyond what the policy takes."""
    value, key = setting.value, setting.key
    if key in ("subnet", "thin", "wide"):
        ladder: list[Subnet | None] = [None, *(point.subnet for point in table.front)]
        place = ladder.index(value) + step if value in ladder else 0
        return ladder[min(max(place, 0), len(ladder) - 1)]
    if key == "fs_hz":
        if step > 0:  # left open, the sensor runs as fast as it does by itself
            return None if value is None or value >= _RATES_HZ[-1] else stepped(_RATES_HZ, value, step)
        return _RATES_HZ[-1] if value is None else stepped(_RATES_HZ, value, step)
    if key == "ms":
        return next_deadline_ms(value, step, table)
    if isinstance(value, bool):
        return step > 0
    if isinstance(value, int):
        return value + step
    if not isinstance(value, float):
        return value
    if key == "hours" or key.endswith("_s"):
        return stepped(_TIMES, value, step)
    if key.endswith("_c"):
        return value + step
    places = value / _SHARE_STEP  # of the round shares; 0.02 lies between the first two
    place = floor(places + 1e-6) + 1 if step > 0 else ceil(places - 1e-6) - 1
    return round(place * _SHARE_STEP, 4)


def short_text(policy: Policy, table: OperatingTable) -> str:
    """The text from which ``make_policy`` makes this policy, without what is as it is by default."""
    texts = [part.kind for part in parts_of(policy)]
    for one in settings(policy, table):
        if one.is_changed:
            texts[one.part] += f"{',' if ':' in texts[one.part] else ':'}{one.key}={_plain(one.value)}"
    return "+".join(texts)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def differences(policy: Policy, table: OperatingTable) -> list[str]:
    """A line for each setting that is not as it is by default: ``battery.hours: 8.0 -> 6.0``."""
    return [
        f"{one.kind}.{one.key}: {shown(one.default)} -> {shown(one.value)}"
        for one in settings(policy, table)
        if one.is_changed
    ]


def shown(value: Any) -> str:
    """A value as people read it."""
    return "open" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
