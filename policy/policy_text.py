"""From the text that a person types to a policy, and back: ``latency:low=0.7``, ``slowdown+battery:hours=8``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Subnet

from .catalog import POLICIES, REMOVED, Part, keys_of, settings_of
from .external_policy import is_file, load_policy, name_of
from .interface import Policy
from .policy_file import read_policy_file
from .rules.composed import ComposedPolicy, parts_of
from .rules.fixed import FixedPolicy
from .settings import specs_of
from .settings_text import read_settings, split_settings, value_text


def parse_policy(text: str) -> tuple[Part, ...]:
    """The policies in ``PART[+PART...]``; a part is ``KIND``, ``KIND:KEY=VALUE,...`` or ``KIND=VALUE``.

    A kind is the name of a built-in or installed policy, or a Python file. ``KIND=VALUE`` gives the first setting
    (``deadline=20``), and ``fixed:0.5x-128`` is short for ``fixed:subnet=0.5x-128``. A text that ends in ``.toml``
    names a file with the same content; see ``read_policy_file``.

    Raises:
        ConfigError: the form is wrong, or a kind is unknown.

    >>> [(part.kind, part.settings) for part in parse_policy("slowdown+battery:hours=8")]
    [('slowdown', {}), ('battery', {'hours': '8'})]
    """
    text = text.strip()
    if text.endswith(".toml"):
        return read_policy_file(Path(text))
    return tuple(_part(part) for part in _split(text))


def _split(text: str) -> list[str]:
    # The plus of 1e+3 belongs to the number.
    return [part.strip() for part in re.split(r"\+(?!(?<=\de\+)\d)", text)]


def _part(text: str) -> Part:
    file = re.match(r"(.*?\.py)(?::(.*))?$", text)
    if file:
        return Part(file[1], split_settings(f"policy {file[1]}", file[2] or "", ()))
    kind, colon, rest = text.partition(":")
    kind, equals, value = (kind, "", "") if colon else (side.strip() for side in text.partition("="))
    keys = keys_of(kind)
    if equals and keys:
        return Part(kind, {keys[0]: value})
    if kind == FixedPolicy.kind and rest and "=" not in rest:
        rest = f"subnet={rest}"
    return Part(kind, split_settings(f"policy {kind}", rest, keys))


def build_policy(parts: Sequence[Part], table: OperatingTable) -> Policy:
    """The policy of parsed parts.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), or a value out of range.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> table = OperatingTable("tiny", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 2.0, 2.2, 1.0),))
    >>> build_policy(parse_policy("deadline=20"), table).ms
    20.0
    """
    policies = tuple(_build(part, table) for part in parts)
    return policies[0] if len(policies) == 1 else ComposedPolicy(table, policies)


def _build(part: Part, table: OperatingTable) -> Policy:
    cls = POLICIES.get(part.kind)
    try:
        if cls is None:
            return load_policy(part.kind, part.settings, table)
        readers = {spec.name: spec.reader for spec in specs_of(cls)}
        return cls(table, **read_settings(f"policy {part.kind}", part.settings, readers))
    except ConfigError as error:
        if not part.file:
            raise
        raise ConfigError(f"{part.file}: {error}") from error


def make_policy(text: str, table: OperatingTable) -> Policy:
    """The policy of a text; see ``parse_policy``.

    Raises:
        ConfigError: unknown kind or key (the nearest known one is named), or a value out of range.

    >>> from kinestream.core.operating_table import OperatingPoint
    >>> table = OperatingTable("tiny", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 2.0, 2.2, 1.0),))
    >>> write_policy(make_policy("latency:span=5+deadline=20", table))
    'latency:low=0.7,high=1.0,span=5+deadline:ms=20.0'
    """
    return build_policy(parse_policy(text), table)


def named_subnets(parts: Sequence[Part]) -> tuple[Subnet, ...]:
    """The subnetworks that parts name: the table must hold them.

    Raises:
        ConfigError: a value is not written as a subnetwork.

    >>> named_subnets(parse_policy("persistence:thin=0.1x-96+fixed:0.5x-128"))
    (Subnet(width=0.1, resolution=96), Subnet(width=0.5, resolution=128))
    """
    return tuple(
        Subnet.parse(str(part.settings[spec.name]))
        for part in parts
        if part.kind in POLICIES
        for spec in specs_of(POLICIES[part.kind])
        if spec.type is Subnet and spec.name in part.settings
    )


def files_of(text: str) -> frozenset[str]:
    """The files that a policy's text names: Python files, or the TOML file; nothing is read.

    Raises:
        ConfigError: as for ``parse_policy``.

    >>> sorted(files_of("mine.py:n=3+deadline=20")), sorted(files_of("battery.toml")), sorted(files_of("battery"))
    (['mine.py'], ['battery.toml'], [])
    """
    text = text.strip()
    if text.endswith(".toml"):
        return frozenset((text,))
    return frozenset(part.kind for part in parse_policy(text) if is_file(part.kind))


def is_only_recorded(text: str) -> bool:
    """Whether a recorded run of this policy is replayed from its recorded decisions, and not decided again.

    That holds for a policy in a file, which a recording must not run, and for one that was removed from kinestream.

    >>> is_only_recorded("my_policy.py+deadline=20"), is_only_recorded("battery:hours=8")
    (True, False)
    """
    text = text.strip()
    kinds = {re.split("[:=]", part)[0].strip() for part in _split(text)}
    return bool(kinds & REMOVED.keys() or files_of(text))


def write_policy(policy: Policy) -> str:
    """The text from which ``make_policy`` makes this policy again, all its settings written out.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> table = OperatingTable("tiny", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 2.0, 2.2, 1.0),))
    >>> write_policy(make_policy("deadline=20", table))
    'deadline:ms=20.0'
    """
    texts: list[str] = []
    for part in parts_of(policy):
        written = ",".join(f"{name}={value_text(value)}" for name, value in settings_of(part).items())
        texts.append(f"{name_of(part)}:{written}" if written else name_of(part))
    return "+".join(texts)
