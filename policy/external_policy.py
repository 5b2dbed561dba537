"""Policies from outside: a Python file, or an installed package's entry point. See docs/policies.md."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, cast

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Sensing, Subnet

from .interface import Policy, PolicyState
from .pareto import pareto_front, within
from .settings_text import REAL, TEXT, TRUTH, WHOLE, Reader, read_settings

GROUP = "kinestream.policies"
"""The entry-point group of installed policies; the entry's name is the policy's kind."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExternalPolicy:
    """Asks code from outside, and runs the cheapest subnetwork where that code fails.

    Two are equal if their names and settings are.
    """

    kind: ClassVar[str] = "own"

    name: str
    """The file as the user wrote it, or the entry point's name."""
    table: OperatingTable = field(repr=False)
    settings: Mapping[str, Any]
    _decide: Callable[[PolicyState], Any] = field(repr=False, compare=False)

    def decide(self, state: PolicyState) -> Decision:
        try:
            return self._checked(self._decide(state), state)
        except (Exception, SystemExit) as error:  # whatever fails in the policy, the run continues
            problem = f"{self.name} failed: {_one_line(error)}"
        warn_once(f"{problem}; the cheapest runs instead")
        points, limit = within(state.choices(self.table), state.deadline_ms)
        return Decision(pareto_front(points)[0].subnet, f"{problem}: the cheapest, to be safe{limit}")

    def _checked(self, decision: Any, state: PolicyState) -> Decision:
        if isinstance(decision, Subnet):
            decision = Decision(decision, self.name)
        if not isinstance(decision, Decision):
            raise TypeError(f"decide returned {type(decision).__name__}, expected a Decision or a Subnet")
        if not isinstance(decision.subnet, Subnet) or decision.subnet not in self.table:
            raise ValueError(f"it chose {decision.subnet}, which {self.table.model} does not have")
        if not isinstance(decision.hop, int) or isinstance(decision.hop, bool) or decision.hop < 1:
            raise ValueError(f"hop {decision.hop!r}, expected a whole number from 1")
        sensing = decision.sensing
        if sensing is not None and not (isinstance(sensing, Sensing) and isfinite(sensing.fs_hz) and sensing.fs_hz > 0):
            raise ValueError(f"sensing {sensing!r}, expected a Sensing at a positive rate, or None")
        if not all(isinstance(key, str) and isinstance(value, Real) for key, value in decision.memory.items()):
            raise TypeError("memory must hold only numbers, by name")
        reason, memory = str(decision.reason), {key: float(value) for key, value in decision.memory.items()}
        choices = state.choices(self.table)
        point = self.table[decision.subnet]
        if point not in choices:
            cheaper = [choice for choice in choices if choice.energy_mj <= point.energy_mj]
            point = pareto_front(cheaper)[-1] if cheaper else pareto_front(choices)[0]
            reason += f"; {decision.subnet} is not allowed: {point.subnet}"
        return Decision(point.subnet, reason, decision.hop, sensing, memory)


def is_file(kind: str) -> bool:
    """Whether a policy's kind names a Python file."""
    return kind.endswith(".py")


def installed() -> dict[str, EntryPoint]:
    """The policies of installed packages, by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load_policy(kind: str, settings: Mapping[str, Any], table: OperatingTable) -> ExternalPolicy:
    """The policy in a Python file, or of an installed package.

    The file holds a function ``decide(state, table, **settings)`` or a class ``Policy(table, **settings)`` with
    ``decide(state)``; an entry point names one of these itself. Its settings are the parameters with a default: true
    or false, a number or a text.

    Raises:
        ConfigError: the policy cannot be loaded, has neither, or a setting is wrong; in one line.
    """
    _alias_former_modules()
    try:
        made = _from_file(Path(kind)) if is_file(kind) else installed()[kind].load()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"policy {kind} cannot be loaded: {_one_line(error)}") from error
    parameters = list(inspect.signature(made).parameters.values())[1 if inspect.isclass(made) else 2 :]
    readers = {p.name: _reader(p.default) for p in parameters if p.default is not p.empty}
    values = read_settings(f"policy {kind}", settings, readers)
    if not isinstance(made, type):
        return ExternalPolicy(kind, table, values, lambda state: made(state, table, **values))
    try:
        policy: Any = cast("Any", made)(table, **values)
    except Exception as error:
        raise ConfigError(f"policy {kind} cannot be made: {_one_line(error)}") from error
    if not callable(getattr(policy, "decide", None)):
        raise ConfigError(f"policy {kind}: its class has no method decide(state)")
    return ExternalPolicy(kind, table, values, policy.decide)


def name_of(policy: Policy) -> str:
    """The name that a text gives a policy: its kind, or the file or entry point of an external one."""
    return policy.name if isinstance(policy, ExternalPolicy) else policy.kind


def _alias_former_modules() -> None:
    """Let policies written for kinestream 0.1 import values from the modules of that version."""
    for name in ("signals", "operating_table", "errors"):
        sys.modules.setdefault(f"kinestream.{name}", importlib.import_module(f"kinestream.core.{name}"))


def _from_file(path: Path) -> Callable[..., Any]:
    if not path.is_file():
        raise ConfigError(f"policy {path}: no such file; --policy takes a name, a Python file or a TOML file")
    name = f"kinestream_policy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module by name
    spec.loader.exec_module(module)
    maker = getattr(module, "Policy", None) or getattr(module, "decide", None)
    if not callable(maker):
        raise ConfigError(f"policy {path} has neither a function decide(state, table) nor a class Policy(table)")
    return maker


def _reader(default: Any) -> Reader:
    for type_, reader in ((bool, TRUTH), (int, WHOLE), (float, REAL)):
        if isinstance(default, type_):
            return reader
    return TEXT


def _one_line(error: BaseException) -> str:
    """The error on one line, with the line of the policy's file that raised it."""
    message = " ".join(str(error).split())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OUR_FILES)]
    where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
    return f"{type(error).__name__}{': ' if message else ''}{message}{where}"


# The path as tracebacks name it, unresolved: the folder may be reached through a link.
_OUR_FILES = (str(Path(__file__).parent), "<frozen ")


@lru_cache(maxsize=256)
def warn_once(line: str) -> None:
    """Log a line only the first time: a policy fails in the same way at every window."""
    log.warning("%s", line)
