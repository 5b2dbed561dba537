"""From what a person types to a policy, and back: ``latency:low=0.7,high=1.0``, ``slowdown+battery:hours=8``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Subnet

from .external_policy import OwnPolicy, installed, is_file, name_of, own_policy
from .interface import Policy
from .rules.battery import BatteryPolicy
from .rules.composed import ComposedPolicy, parts_of
from .rules.deadline import DeadlinePolicy
from .rules.fixed import FixedPolicy
from .rules.hop import HopPolicy
from .rules.latency import LatencyPolicy
from .rules.loss import LossPolicy
from .rules.persistence import PersistencePolicy
from .rules.sensing import SensingPolicy
from .rules.slowdown import SlowdownPolicy
from .rules.utility import UtilityPolicy
from .settings_text import Reader, converted, real, settings, truth, whole

POLICIES: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        *(FixedPolicy, LatencyPolicy, SlowdownPolicy, BatteryPolicy),
        *(PersistencePolicy, UtilityPolicy, LossPolicy, DeadlinePolicy, HopPolicy, SensingPolicy),
    )
}
"""Every kind of policy that is built in, by the name it is asked for with."""


@dataclass(frozen=True, slots=True)
class Part:
    """One policy as it was written, before there is a table."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Texts, or what a TOML file says."""
    file: str = ""
    """The TOML file, where there is one: what is wrong with a value is told of it."""


def parse_policy(text: str) -> tuple[Part, ...]:
    """The policies in ``PART[+PART...]``; a part is ``KIND``, ``KIND:KEY=VALUE,...`` or ``KIND=VALUE``.

    A kind is the name of a built-in or installed policy, or a Python file. ``KIND=VALUE`` gives the first setting
    (``deadline=20``), and ``fixed:0.5x-128`` is short for ``fixed:subnet=0.5x-128``. A text that ends in ``.toml``
    is the name of a file that says all this; see ``read_policy_file``.

    Raises:
        ConfigError: the form is wrong, or a kind is unknown.
    """
    text = text.strip()
    if text.endswith(".toml"):
        from .policy_file import read_policy_file

        return read_policy_file(Path(text))
    # The plus of 1e+3 belongs to the number.
    return tuple(_part(part.strip()) for part in re.split(r"\+(?!(?<=\de\+)\d)", text))


def _part(text: str) -> Part:
    file = re.match(r"(.*?\.py)(?::(.*))?$", text)
    if file:
        return Part(file[1], settings(f"policy {file[1]}", file[2] or "", ()))
    kind, colon, rest = text.partition(":")
    kind, equals, value = (kind, "", "") if colon else (one.strip() for one in text.partition("="))
    keys = keys_of(kind)
    if equals and keys:
        return Part(kind, {keys[0]: value})
    if kind == FixedPolicy.kind and rest and "=" not in rest:
        rest = f"subnet={rest}"
    return Part(kind, settings(f"policy {kind}", rest, keys))


def keys_of(kind: str) -> list[str]:
    """The names of a policy's settings; none for an installed one, which checks them itself.

    Raises:
        ConfigError: there is no such policy; the nearest one is named.
    """
    if kind in POLICIES:
        return [f.name for f in fields(POLICIES[kind]) if f.init and f.name != "table"]
    others = installed()
    if kind in others:
        return []
    raise ConfigError(unknown("policy", kind, [*POLICIES, *others]) + ", a file.py, a file.toml")


# How a setting is read, by the annotation of its field.
_READ: dict[str, Reader] = {
    "float": real,
    "float | None": real,
    "int": whole,
    "bool": truth,
    "Subnet | None": lambda value: Subnet.parse(str(value)),
}


def build_policy(parts: Sequence[Part], table: OperatingTable) -> Policy:
    """The policy of parts that were parsed.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), or a value out of range.
    """
    policies = tuple(_build(part, table) for part in parts)
    return policies[0] if len(policies) == 1 else ComposedPolicy(table, policies)


def _build(part: Part, table: OperatingTable) -> Policy:
    cls = POLICIES.get(part.kind)
    try:
        if cls is None:
            return own_policy(part.kind, part.settings, table)
        readers = {f.name: _READ[str(f.type)] for f in fields(cls) if f.init and f.name != "table"}
        return cls(table, **converted(f"policy {part.kind}", part.settings, readers))
    except ConfigError as error:
        if not part.file:
            raise
        raise ConfigError(f"{part.file}: {error}") from error


def make_policy(text: str, table: OperatingTable) -> Policy:
    """The policy a person wrote; see ``parse_policy``.

    Raises:
        ConfigError: unknown kind or key (the nearest known one is named), or a value out of range.
    """
    return build_policy(parse_policy(text), table)


def named_subnets(parts: Sequence[Part]) -> tuple[Subnet, ...]:
    """The subnetworks that parts ask for by name: the table must have them.

    Raises:
        ConfigError: one is not written as a subnetwork.
    """
    return tuple(
        Subnet.parse(str(value))
        for part in parts
        if part.kind in POLICIES
        for f in fields(POLICIES[part.kind])
        for key, value in part.settings.items()
        if f.name == key and str(f.type) == "Subnet | None"
    )


def has_file(text: str) -> bool:
    """Whether making the policy of this text would read a file, and so run what is written in it."""
    return text.strip().endswith(".toml") or any(is_file(part.kind) for part in parse_policy(text))


def settings_of(policy: Policy) -> dict[str, Any]:
    """All settings of one policy that are not left open, by name."""
    if isinstance(policy, OwnPolicy):
        return dict(policy.settings)
    named = {f.name: getattr(policy, f.name) for f in fields(POLICIES[policy.kind]) if f.init and f.name != "table"}
    return {name: value for name, value in named.items() if value is not None}


def write_policy(policy: Policy) -> str:
    """The text from which ``make_policy`` makes this policy again, all its settings written out."""
    texts: list[str] = []
    for part in parts_of(policy):
        written = ",".join(f"{name}={_text(value)}" for name, value in settings_of(part).items())
        texts.append(f"{name_of(part)}:{written}" if written else name_of(part))
    return "+".join(texts)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
