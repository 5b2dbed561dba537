"""The values of the report: runs, comparisons, ways to wear a sensor, and their means and fronts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from kinestream.core.signals import Subnet
from kinestream.inference.architecture import Architecture, macs


@dataclass(frozen=True, slots=True)
class Spread:
    """Several values of one figure."""

    mean: float
    sd: float | None
    """The sample standard deviation (n - 1); None for a single value."""
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None for no values."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values)) if values else None

    def __str__(self) -> str:
        """In percent: 97.32 \u00b1 0.02."""
        return f"{100 * self.mean:.2f}" + ("" if self.sd is None else f" \u00b1 {100 * self.sd:.2f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One evaluation of one trained network."""

    model: str
    protocol: str
    """official, holdout, groups, loso or leaky."""
    definition: str
    """The sentence that defines the scores: whose windows, cut how."""
    part: str
    """``test``, or ``validation`` for a run that was never tested."""
    leaky: bool
    seen: bool
    """Whether some of the test people were in training."""
    seed: int
    fold: int
    folds: int
    windows: int | None
    accuracy: Mapping[Subnet, float]
    scores: Mapping[Subnet, Mapping[str, Any]]
    """All measures, the classes and the confusion of some subnetworks."""
    architecture: Architecture | None
    epochs: int | None
    """The epochs of the recipe."""
    command: str

    def macs(self, subnet: Subnet) -> int | None:
        return None if self.architecture is None else macs(self.architecture, subnet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a comparison."""

    name: str
    network: str
    subnet: Subnet | None
    macs: float | None
    latency_us: float | None
    accuracy: tuple[float, ...]
    """A share for each seed, fold or person."""
    macro_f1: tuple[float, ...]
    validation: tuple[float, ...]
    """Accuracies on the validation people."""
    minutes: float | None
    """Minutes of labelled data per class, where a model was adapted."""
    interval: tuple[float, ...]
    """Low and high end of the 95 % interval of the gain from adapting; empty if not given."""
    note: str
    leaky: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A file of the common shape."""

    title: str
    command: str
    protocol: str
    part: str
    over: str
    machine: str
    rows: tuple[Row, ...]
    more: Mapping[str, Any]
    """The file's other keys."""


@dataclass(frozen=True, slots=True)
class Way:
    """A model's accuracy with its sensor worn one way."""

    how: str
    windows: int
    refused: bool
    accuracy: Mapping[Subnet, float]


@dataclass(frozen=True, slots=True)
class Worn:
    """The accuracy of one model with its sensor worn in several ways."""

    ways: tuple[Way, ...]
    """The way it was recorded comes first."""
    command: str
    trained: str
    """The command that trained the model, with its seed."""
    protocol: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was read; tables and ways to wear a sensor by file name without ``.json``."""

    runs: list[Run] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    worn: dict[str, Worn] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """The reason for each file, or row of a file, that the report leaves out."""


@dataclass(frozen=True, slots=True)
class Group:
    """Comparable runs of one model under one protocol: its seeds, its folds, or both."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        return self.runs[0]

    @property
    def over(self) -> str:
        """The runs that the spread covers: ``2 seeds``."""
        folds, seeds = len({run.fold for run in self.runs}), len({run.seed for run in self.runs})
        if folds > 1:
            return f"{len(self.runs)} runs: {folds} of {self.first.folds} folds, {_counted(seeds, 'seed')}"
        return _counted(seeds, "seed")

    @property
    def subnets(self) -> list[Subnet]:
        return sorted({subnet for run in self.runs for subnet in run.accuracy})

    def accuracy(self, subnet: Subnet) -> Spread | None:
        return Spread.of([run.accuracy[subnet] for run in self.runs if subnet in run.accuracy])

    def macro_f1(self, subnet: Subnet) -> str | None:
        """The macro F1 in percent, with the number of runs that have one if some have none; None without any."""
        values = [run.scores[subnet].get("macro_f1") for run in self.runs if subnet in run.scores]
        spread = Spread.of([value for value in values if value is not None])
        few = spread is not None and spread.n < len(self.runs)
        return None if spread is None else f"{spread}" + (f" ({spread.n} of {len(self.runs)})" if few else "")

    def means(self) -> dict[Subnet, float]:
        """The mean accuracy of every subnetwork."""
        return {subnet: spread.mean for subnet in self.subnets if (spread := self.accuracy(subnet))}


def grouped(runs: Iterable[Run]) -> list[Group]:
    """Groups of runs that share a mean: same model, protocol and kind of people."""
    groups: dict[tuple[str, str, bool, bool, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.model, run.protocol, run.leaky, run.seen, run.part), []).append(run)
    return [Group(tuple(sorted(members, key=lambda run: (run.fold, run.seed)))) for members in groups.values()]


PREFERRED = ("official", "holdout", "groups", "loso")
"""The order in which a model's main protocol is chosen."""


def main_group(results: Results, model: str) -> Group | None:
    """The runs that represent a model: their test people were not in training."""
    candidates = [g for g in grouped(results.runs) if g.first.model == model and not g.first.leaky and not g.first.seen]
    candidates.sort(key=lambda g: (g.first.part != "test", [*PREFERRED, g.first.protocol].index(g.first.protocol)))
    return candidates[0] if candidates else None


def models_of(results: Results) -> list[str]:
    """The models' names, those of UCI-HAR first."""
    return sorted({run.model for run in results.runs}, key=lambda name: (not name.startswith("uci_"), name))


def in_short(definition: str) -> str:
    """The definition of a score without the way its windows are cut."""
    return definition.split("; windows of")[0]


def on_front(rows: Iterable[Row]) -> list[Row]:
    """The rows that no faster row (without times: no row of fewer MACs) beats on the validation people."""
    validated = [row for row in rows if row.validation]
    cost = {id(row): row.latency_us or row.macs or 0.0 for row in validated}
    best = set(front((cost[id(row)], fmean(row.validation)) for row in validated))
    return [row for row in validated if (cost[id(row)], fmean(row.validation)) in best]


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) pairs that gain more than all pairs of the same or a lower cost, cheapest first."""
    best: list[tuple[float, float]] = []
    for cost, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or gain > best[-1][1]:
            best.append((cost, gain))
    return best


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
