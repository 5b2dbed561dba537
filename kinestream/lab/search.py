"""Search the settings under which a policy does best on a day: by Optuna where it is installed, else over a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kinestream.policy import POLICIES, Part, build_policy, specs_of

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingTable
    from kinestream.policy import Policy

    from .day import Day
    from .outcome import Outcome

MISSED = 0.02
"""The share of missed deadlines that costs nothing."""

Goal = Literal["accuracy", "energy"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best policy of a search."""

    policy: Policy
    outcome: Outcome
    tried: int
    """Settings that were tried."""
    how: str
    """The way they were chosen, in words."""


def score(outcome: Outcome, goal: Goal, accuracy: float) -> float:
    """Return the score of a day's outcome; higher is better.

    Args:
        goal: ``accuracy``: the most right windows, where windows on an empty battery count as wrong. ``energy``: the
            least energy at ``accuracy`` or more.
    """
    late = max(outcome.missed - MISSED, 0.0)
    if goal == "accuracy":
        return outcome.accuracy - late
    lacking = max(accuracy - outcome.accuracy, 0.0)
    return -outcome.energy_j if not lacking and not late else -1e6 * (1.0 + lacking + late)


def space_of(parts: Sequence[Part], table: OperatingTable) -> list[tuple[int, str, Sequence[Any]]]:
    """Return the settings that can be tried: the number of the part, the key, and its values.

    Settings that a part already has are kept. Settings whose values depend on the table come after the others of
    their part.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> table = OperatingTable("tiny", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 2.0, 2.2, 1.0),))
    >>> space_of([Part("latency", {"low": 0.6}), Part("hop")], table)
    [(0, 'high', (0.85, 0.9, 0.95, 1.0)), (0, 'span', (1, 2, 3, 5)), (1, 'hop', (1, 2, 3, 4, 6, 8))]
    """
    space: list[tuple[int, str, Sequence[Any]]] = []
    for number, part in enumerate(parts):
        specs = specs_of(POLICIES[part.kind]) if part.kind in POLICIES else ()
        for spec in sorted(specs, key=lambda spec: callable(spec.search)):
            values = spec.values_to_try(table)
            if values and spec.name not in part.settings:
                space.append((number, spec.name, values))
    return space


def search(
    day: Day,
    parts: Sequence[Part],
    table: OperatingTable,
    *,
    trials: int,
    seed: int = 0,
    goal: Goal = "accuracy",
    accuracy: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
    optuna: bool | None = None,
) -> SearchResult:
    """Return the best settings of a policy on a day; the same seed gives the same result.

    Args:
        parts: the policies as written.
        table: the operating table that they see.
        trials: the most settings to try.
        optuna: whether to search with Optuna; None: if it is installed.
    """
    space = space_of(parts, table)
    best: list[tuple[float, Policy, Outcome]] = []
    tried = 0

    def attempt(values: Sequence[Any]) -> float:
        nonlocal tried
        tried += 1
        policy = build_policy(_with(parts, space, values), table)
        outcome = day.run(policy)
        value = score(outcome, goal, accuracy)
        if not best or value > best[0][0]:
            best[:] = [(value, policy, outcome)]
        if progress:
            progress(tried, trials)
        return value

    use_optuna = find_spec("optuna") is not None if optuna is None else optuna
    combinations = int(np.prod([len(values) for _, _, values in space], dtype=float)) if space else 1
    if combinations <= trials:
        how = "all settings of the grid"
        for values in product(*(values for _, _, values in space)):
            attempt(values)
    elif use_optuna:
        how = "Optuna"
        _by_optuna(attempt, space, trials, seed)
    else:
        how = f"{trials} of the grid's {combinations} settings, drawn with the seed"
        rng = np.random.default_rng(seed)
        for _ in range(trials):
            attempt([values[int(rng.integers(len(values)))] for _, _, values in space])
    _, policy, outcome = best[0]
    return SearchResult(policy, outcome, tried, how)


def _with(parts: Sequence[Part], space: list[tuple[int, str, Sequence[Any]]], values: Sequence[Any]) -> list[Part]:
    settings = [dict(part.settings) for part in parts]
    for (number, key, _), value in zip(space, values, strict=True):
        settings[number][key] = value
    return [Part(part.kind, given) for part, given in zip(parts, settings, strict=True)]


def _by_optuna(
    attempt: Callable[[Sequence[Any]], float], space: list[tuple[int, str, Sequence[Any]]], trials: int, seed: int
) -> None:
    import optuna  # pyright: ignore[reportMissingImports]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(
        lambda trial: attempt(
            [trial.suggest_categorical(f"{number}.{key}", list(values)) for number, key, values in space]
        ),
        n_trials=trials,
    )
