"""The settings under which a policy makes most of a day: by Optuna where it is installed, else over a grid."""

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
class Found:
    """The best of a search."""

    policy: Policy
    outcome: Outcome
    tried: int
    how: str


def score(outcome: Outcome, goal: Goal, accuracy: float) -> float:
    """The higher, the better.

    Args:
        goal: ``accuracy``: the most right windows; an empty battery makes wrong ones. ``energy``: the least energy at
            no less than ``accuracy``.
    """
    late = max(outcome.missed - MISSED, 0.0)
    if goal == "accuracy":
        return outcome.accuracy - late
    lacking = max(accuracy - outcome.accuracy, 0.0)
    return -outcome.energy_j if not lacking and not late else -1e6 * (1.0 + lacking + late)


def space_of(parts: Sequence[Part], table: OperatingTable) -> list[tuple[int, str, Sequence[Any]]]:
    """Return the settings that can be tried: the number of the part, the key, and its values.

    A setting that a person has given is kept. Settings whose values depend on the table come after the others of
    their part.
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
) -> Found:
    """Try settings of a policy on a day; the same seed finds the same.

    Args:
        parts: the policies as written. table: what they see.
        trials: at most so many are tried.
        optuna: whether to search by it; None: if it is installed.
    """
    space = space_of(parts, table)
    best: list[tuple[float, Policy, Outcome]] = []
    tried = 0

    def attempt(values: Sequence[Any]) -> float:
        nonlocal tried
        tried += 1
        policy = build_policy(_with(parts, space, values), table)
        outcome = day.run(policy)
        found = score(outcome, goal, accuracy)
        if not best or found > best[0][0]:
            best[:] = [(found, policy, outcome)]
        if progress:
            progress(tried, trials)
        return found

    use = find_spec("optuna") is not None if optuna is None else optuna
    combinations = int(np.prod([len(values) for _, _, values in space], dtype=float)) if space else 1
    if combinations <= trials:
        how = "all settings of the grid"
        for values in product(*(values for _, _, values in space)):
            attempt(values)
    elif use:
        how = "Optuna"
        _by_optuna(attempt, space, trials, seed)
    else:
        how = f"{trials} of the grid's {combinations} settings, drawn with the seed"
        rng = np.random.default_rng(seed)
        for _ in range(trials):
            attempt([values[int(rng.integers(len(values)))] for _, _, values in space])
    _, policy, outcome = best[0]
    return Found(policy, outcome, tried, how)


def _with(parts: Sequence[Part], space: list[tuple[int, str, Sequence[Any]]], values: Sequence[Any]) -> list[Part]:
    settings = [dict(part.settings) for part in parts]
    for (number, key, _), value in zip(space, values, strict=True):
        settings[number][key] = value
    return [Part(part.kind, one) for part, one in zip(parts, settings, strict=True)]


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
