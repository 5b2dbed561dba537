"""The policies that can be asked for by name, and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

from .external_policy import ExternalPolicy, installed
from .interface import Policy
from .rules.battery import BatteryPolicy
from .rules.deadline import DeadlinePolicy
from .rules.fixed import FixedPolicy
from .rules.hop import HopPolicy
from .rules.latency import LatencyPolicy
from .rules.loss import LossPolicy
from .rules.persistence import PersistencePolicy
from .rules.sensing import SensingPolicy
from .rules.slowdown import SlowdownPolicy
from .settings import SettingSpec, specs_of

AnyPolicy = TypeVar("AnyPolicy", bound=type[Any])

POLICIES: dict[str, type[Any]] = {}
"""Every built-in policy, by the name it is asked for with."""

REMOVED = {"utility": "fixed or deadline"}
"""Policies of earlier versions, and their replacements."""


def register(policy: AnyPolicy) -> AnyPolicy:
    """Enter a policy's class under its ``kind``; a decorator.

    Everything else about the policy comes from the class: its settings (see ``settings.setting``) and, for the
    documentation, the first line of its docstring.

    Raises:
        TypeError: a setting has a type that cannot be read from a text.
    """
    specs_of(policy)
    POLICIES[policy.kind] = policy
    return policy


# The order in which they are listed for people.
register(FixedPolicy)
register(LatencyPolicy)
register(SlowdownPolicy)
register(BatteryPolicy)
register(PersistencePolicy)
register(LossPolicy)
register(DeadlinePolicy)
register(HopPolicy)
register(SensingPolicy)


@dataclass(frozen=True, slots=True)
class Part:
    """One policy as it was written, before there is a table.

    >>> Part("battery", {"hours": 8}).kind
    'battery'
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Texts, or the values of a TOML file."""
    file: str = ""
    """The TOML file it was read from, for messages about its values; empty without one."""


def settings_of_kind(kind: str) -> tuple[SettingSpec, ...]:
    """The settings of a policy by name; none for an installed one, which checks them itself.

    Raises:
        ConfigError: there is no such policy; the nearest one is named.
    """
    if kind in POLICIES:
        return specs_of(POLICIES[kind])
    others = installed()
    if kind in others:
        return ()
    if kind in REMOVED:
        raise ConfigError(f"policy {kind} was removed: it gained nothing over others; use {REMOVED[kind]}")
    raise ConfigError(unknown("policy", kind, [*POLICIES, *others]) + ", a file.py, a file.toml")


def keys_of(kind: str) -> list[str]:
    """The names of a policy's settings; none for an installed one.

    Raises:
        ConfigError: there is no such policy; the nearest one is named.

    >>> keys_of("latency")
    ['low', 'high', 'span']
    """
    return [spec.name for spec in settings_of_kind(kind)]


def settings_of(policy: Policy) -> dict[str, Any]:
    """The settings of one policy that are not left open, by name."""
    if isinstance(policy, ExternalPolicy):
        return dict(policy.settings)
    values = {spec.name: getattr(policy, spec.name) for spec in specs_of(type(policy))}
    return {name: value for name, value in values.items() if value is not None}
