"""The result of a day as a table, as JSON and as a picture."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import MissingExtra

from .rivals import best_fixed, cheapest_as_accurate, oracle, rest_j

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .day import Day
    from .outcome import Outcome

ORACLE_POINTS = 25


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    outcome: Outcome
    note: str = ""


def rows_of(policies: Sequence[Outcome], fixed: Sequence[Outcome], likely: str, oracle: Outcome) -> list[Row]:
    """The rows of the policies, then those of the rivals that the last policy is compared with.

    Args:
        likely: the subnetwork most accurate on the validation people, which runs by default.
    """
    last = policies[-1]
    rows = [Row(outcome) for outcome in policies]
    by_name = {outcome.name: outcome for outcome in fixed}
    rivals = [
        (by_name.get(likely), "fixed: the most accurate on validation people"),
        (best_fixed(list(fixed), last.energy_j), "fixed: the most accurate at no more energy, known afterwards"),
        (cheapest_as_accurate(list(fixed), last.accuracy), "fixed: the cheapest as accurate, known afterwards"),
        (oracle, "knows the day and each subnetwork's accuracy beforehand"),
    ]
    for outcome, note in rivals:
        if outcome is None:
            continue
        same = next((i for i, row in enumerate(rows) if row.outcome is outcome), None)
        if same is None:
            rows.append(Row(outcome, note))
        else:
            rows[same] = Row(outcome, f"{rows[same].note}; {note.removeprefix('fixed: ')}")
    return rows


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Plain JSON values; NaN and infinity become None."""
    return {
        key: (round(value, 6) if math.isfinite(value) else None) if isinstance(value, float) else value
        for key, value in asdict(outcome).items()
    }


def cells(row: Row) -> tuple[str, ...]:
    """The row's cells, in the order of ``HEADS``."""
    outcome = row.outcome
    hours = "-" if math.isinf(outcome.hours) else f"{'empty ' if outcome.empty else ''}{outcome.hours:.1f} h"
    return (
        outcome.name,
        _percent(outcome.accuracy),
        _percent(outcome.accuracy_with_transitions),
        _percent(outcome.missed),
        f"{outcome.energy_j:.1f} J",
        f"{outcome.processor_j:.1f} J",
        hours,
        str(outcome.switches),
    )


HEADS = ("", "accuracy", "changes", "missed", "energy", "network", "battery", "switches")


def draw(path: Path, day: Day, policies: Sequence[Outcome], fixed: Sequence[Outcome], energy_model: str) -> None:
    """Draw accuracy over energy: fixed subnetworks, policies and the oracle. SVG or PNG, by the suffix.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra("tune", "a picture") from None
    from matplotlib import rc_context

    # No date and no random ids: the same run draws the same bytes.
    with rc_context({"svg.hashsalt": "kinestream", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        axes.scatter(*_points(fixed), s=12, c="#9aa5b1", label="fixed subnetworks")
        greatest_j = max(outcome.processor_j for outcome in fixed)
        budgets_j = np.linspace(0, greatest_j, ORACLE_POINTS)[1:]
        best = [100 * oracle(day, 1000 * budget) for budget in budgets_j]
        axes.plot(rest_j(day) + budgets_j, best, c="#2f855a", lw=1, label="oracle at equal energy")
        for outcome, colour in zip(policies, ("#dd6b20", "#c53030", "#6b46c1"), strict=False):
            axes.scatter(*_points([outcome]), s=60, c=colour, zorder=3, label=outcome.name)
        lowest = min((outcome.accuracy for outcome in [*policies, *fixed] if not outcome.empty), default=0.0)
        axes.set_ylim(100 * lowest - 1, min(100.0, max(best) + 1))
        axes.set_xlabel("\n".join(["energy of the whole day, J", *wrap(energy_model, 120)]), fontsize=8)
        axes.set_ylabel("accuracy inside one activity, %")
        axes.set_title(f"{day.scenario.name}: {day.scenario.hours:g} h of {day.table.model}")
        axes.legend(fontsize=8)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _points(outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    return [outcome.energy_j for outcome in outcomes], [100 * outcome.accuracy for outcome in outcomes]


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"
