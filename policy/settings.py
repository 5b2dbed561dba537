"""A policy's settings, each described once: by the field of the policy's dataclass that holds it.

The command line, policy files, the dashboard, the laboratory and the table in docs/policies.md all read these
descriptions, so a new setting is one field and a new policy is one file and a line in ``catalog``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cache
from math import inf
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Subnet

from .settings_text import REAL, TEXT, TRUTH, WHOLE, Reader, value_text
from .steps import (
    RATES_HZ,
    SHARE_STEP,
    TIMES,
    Steps,
    among,
    by,
    next_deadline_ms,
    open_above,
    open_below,
    over_front,
    switch,
    through,
    to_multiples,
    unchanged,
)

Values = Sequence[Any] | Callable[[OperatingTable], Sequence[Any]]
"""Values that the laboratory tries, or a function that finds them in the operating table."""

_METADATA = "kinestream.setting"


SMALLEST, LARGEST = 1e-9, 1e9
"""No setting means less or more than this; numbers far beyond overflow in the policies' computations."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers that a setting takes, none beyond ``LARGEST`` or nearer to 0 than ``SMALLEST``.

    >>> print(Interval("share", 0, 1, closed="left"))
    a share from 0 to below 1
    >>> 1.0 in Interval("share", 0, 1, closed="left")
    False
    """

    noun: str
    """The kind of number, in the singular, for messages: ``share``, ``number of windows``."""
    low: float = -inf
    high: float = inf
    closed: Literal["both", "left", "right", "neither"] = "both"
    """Which of its ends belong to the interval."""

    def __contains__(self, value: float) -> bool:
        if value != 0 and not SMALLEST <= abs(value) <= LARGEST:
            return False
        above = value >= self.low if self.closed in ("both", "left") else value > self.low
        below = value <= self.high if self.closed in ("both", "right") else value < self.high
        return above and below

    def __str__(self) -> str:
        if self.high == inf:
            return f"a {self.noun}" if self.low == -inf else f"a positive {self.noun}"
        ends = {
            "both": f"from {self.low:g} to {self.high:g}",
            "left": f"from {self.low:g} to below {self.high:g}",
            "right": f"above {self.low:g}, at most {self.high:g}",
            "neither": f"above {self.low:g}, below {self.high:g}",
        }
        return f"a {self.noun} {ends[self.closed]}"


def positive(noun: str) -> Interval:
    """Return the finite numbers above 0.

    >>> print(positive("number of hours"))
    a positive number of hours
    """
    return Interval(noun, 0, closed="neither")


SHARE = Interval("share", 0, 1)
PROBABILITY = Interval("probability", 0, 1)
HOP = Interval("number of windows", 1, 100)
HOPS_TO_TRY = (1, 2, 3, 4, 6, 8)


def setting(
    default: Any,
    help: str,
    *,
    within: Interval | None = None,
    steps: Steps | None = None,
    search: Values = (),
) -> Any:
    """Return a dataclass field that describes a setting of a policy.

    The field's annotation says how the value is read: ``int``, ``float``, ``bool``, ``str``, ``Subnet``, a ``Literal``
    of texts, an ``Enum``, or any of these ``| None``, which is None while it is left open.

    Args:
        help: what the setting means, one line in lower case, for the documentation.
        within: the numbers allowed; ``check_settings`` refuses others.
        steps: the next value on the dashboard; by default after the type and the unit at the end of the name.
        search: values that ``kinestream tune`` tries, in this order; none: the default is kept.
    """
    described = {"help": help, "within": within, "steps": steps, "search": search}
    return field(default=default, metadata={_METADATA: described})


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One setting of a policy's class."""

    name: str
    type: Any
    """The annotation without ``None``."""
    is_optional: bool
    """It may be left open."""
    default: Any
    help: str
    within: Interval | None
    reader: Reader
    steps: Steps
    search: Values

    def values_to_try(self, table: OperatingTable) -> Sequence[Any]:
        """The values that a search tries; none where the default is kept."""
        return self.search(table) if callable(self.search) else self.search


@cache
def specs_of(cls: type[Any]) -> tuple[SettingSpec, ...]:
    """Return the settings of a policy's class in the order of its fields.

    Raises:
        TypeError: a setting has a type that cannot be read from a text.

    >>> from kinestream.policy import DeadlinePolicy
    >>> [(spec.name, spec.type, spec.is_optional) for spec in specs_of(DeadlinePolicy)]
    [('ms', <class 'float'>, True)]
    """
    hints = get_type_hints(cls)
    return tuple(
        _spec(cls, f.name, hints[f.name], f.default, f.metadata[_METADATA])
        for f in fields(cls)
        if _METADATA in f.metadata
    )


def check_settings(policy: Any) -> None:
    """Refuse a number outside its interval; for ``__post_init__`` of a policy.

    Raises:
        ConfigError: a setting is outside its interval.
    """
    for spec in specs_of(type(policy)):
        value = getattr(policy, spec.name)
        if spec.within is not None and value is not None and value not in spec.within:
            beyond = f", at most {LARGEST:g}" if value > LARGEST else ""
            beyond = f", at least {SMALLEST:g}" if 0 < value < SMALLEST else beyond
            raise ConfigError(f"{policy.kind} {spec.name}={short_number(value)}: expected {spec.within}{beyond}")


def short_number(value: float) -> str:
    """Return a number as it is written, or in short if it has many digits.

    >>> short_number(0.5), short_number(10**5000)
    ('0.5', 'a number of more than 300 digits')
    """
    return "a number of more than 300 digits" if abs(value) >= 10**300 and isinstance(value, int) else str(value)


def default_steps(name: str, type_: Any, *, is_optional: bool = False) -> Steps:
    """Return the steps of a setting after its type and the unit at the end of its name (``look_s``, ``fs_hz``)."""
    if type_ is bool:
        return switch
    if type_ is Subnet:
        return over_front
    if choices := _choices(type_):
        return among((None, *choices) if is_optional else choices)
    if type_ is int:
        return open_below(by(1), 1) if is_optional else by(1)
    if type_ is not float:
        return unchanged
    unit = name.rpartition("_")[2]
    if unit == "ms":
        return next_deadline_ms
    if unit == "hz" and is_optional:  # a sensor at an open rate runs as fast as it can
        return open_above(RATES_HZ)
    values = {"s": TIMES, "hours": TIMES, "hz": RATES_HZ}.get(unit)
    steps = through(values) if values else by(1) if unit == "c" else to_multiples(SHARE_STEP)
    return open_below(steps, values[0] if values else SHARE_STEP) if is_optional else steps


def _spec(cls: type[Any], name: str, annotation: Any, default: Any, described: Mapping[str, Any]) -> SettingSpec:
    is_optional = get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)
    types = [type_ for type_ in get_args(annotation) if type_ is not NoneType] if is_optional else [annotation]
    if is_optional and default is not None:
        raise TypeError(f"{cls.__name__}.{name}: a setting that may be left open is left open by default")
    reader = _reader(types[0]) if len(types) == 1 else None
    if reader is None:
        raise TypeError(f"{cls.__name__}.{name}: no setting can be of type {annotation}; see policy.settings.setting")
    steps = described["steps"] or default_steps(name, types[0], is_optional=is_optional)
    return SettingSpec(
        name, types[0], is_optional, default, described["help"], described["within"], reader, steps, described["search"]
    )


def _reader(type_: Any) -> Reader | None:
    named = {float: REAL, int: WHOLE, bool: TRUTH, str: TEXT, Subnet: Reader("a subnetwork", _subnet)}
    if choices := _choices(type_):
        texts = {value_text(choice): choice for choice in choices}
        return Reader(f"one of {', '.join(texts)}", lambda value: texts[value_text(value)])
    return named.get(type_)


def _choices(type_: Any) -> tuple[Any, ...]:
    """The values of a ``Literal`` or an ``Enum``; none of another type."""
    if get_origin(type_) is Literal:
        return get_args(type_)
    return tuple(type_) if isinstance(type_, type) and issubclass(type_, Enum) else ()


def _subnet(value: Any) -> Subnet:
    return Subnet.parse(str(value))
