"""What the report is made of: runs, comparisons, ways to wear a sensor, and the means and fronts of them."""

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
    """Of a sample: divided by one less; None for a single value."""
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
    """One trained network, judged once."""

    model: str
    protocol: str
    """Its name: official, holdout, groups, loso, leaky."""
    words: str
    """Whose windows judged, in words."""
    part: str
    """``test``, or ``validation`` for a run that was never tested."""
    leaky: bool
    seen: bool
    """Some of the people who judged were in training."""
    seed: int
    fold: int
    folds: int
    windows: int | None
    accuracy: Mapping[Subnet, float]
    scores: Mapping[Subnet, Mapping[str, Any]]
    """All measures, classes and the confusion, of some subnetworks."""
    architecture: Architecture | None
    epochs: int | None
    """What the recipe allows."""
    command: str
    file: str

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
    seeds: tuple[int, ...]
    accuracy: tuple[float, ...]
    """One a seed, fold or person; shares."""
    macro_f1: tuple[float, ...]
    validation: tuple[float, ...]
    """Accuracy on the people who validate."""
    minutes: float | None
    """Of labelled data per class, where a model was adapted."""
    interval: tuple[float, ...]
    """Low and high end of the 95 % interval of what adapting gained; empty where not told."""
    note: str
    command: str
    protocol: str
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
    """What else the file says."""


@dataclass(frozen=True, slots=True)
class Way:
    """A model's accuracy with its sensor worn one way."""

    how: str
    windows: int
    refused: bool
    accuracy: Mapping[Subnet, float]


@dataclass(frozen=True, slots=True)
class Worn:
    """What one model is worth with its sensor worn in several ways."""

    ways: tuple[Way, ...]
    """As recorded first."""
    command: str
    trained: str
    """The command that trained the model, with its seed."""
    protocol: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was found, by the name of its file without ``.json``."""

    runs: list[Run] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    worn: dict[str, Worn] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """File, or file and row: why it is not in the report."""


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one model under one protocol, judged on the same kind of people: its seeds, its folds, or both."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        return self.runs[0]

    @property
    def over(self) -> str:
        """What the spread is over, counted: ``2 seeds``."""
        folds, seeds = len({run.fold for run in self.runs}), len({run.seed for run in self.runs})
        if folds > 1:
            return f"{len(self.runs)} runs: {folds} of {self.first.folds} folds, {_counted(seeds, 'seed')}"
        return _counted(seeds, "seed")

    @property
    def subnets(self) -> list[Subnet]:
        return sorted({subnet for run in self.runs for subnet in run.accuracy})

    def accuracy(self, subnet: Subnet) -> Spread | None:
        return Spread.of([run.accuracy[subnet] for run in self.runs if subnet in run.accuracy])

    def measure(self, subnet: Subnet, name: str) -> str | None:
        """Of the scores told in full, ``macro_f1`` or ``calibration_error``; says so if not every run told them."""
        told = [run.scores[subnet].get(name) for run in self.runs if subnet in run.scores]
        spread = Spread.of([value for value in told if value is not None])
        few = spread is not None and spread.n < len(self.runs)
        return None if spread is None else f"{spread}" + (f" ({spread.n} of {len(self.runs)})" if few else "")

    def means(self) -> dict[Subnet, float]:
        """The mean accuracy of every subnetwork."""
        return {subnet: spread.mean for subnet in self.subnets if (spread := self.accuracy(subnet))}


def grouped(runs: Iterable[Run]) -> list[Group]:
    """Runs that may stand in one mean."""
    groups: dict[tuple[str, str, bool, bool, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.model, run.protocol, run.leaky, run.seen, run.part), []).append(run)
    return [Group(tuple(sorted(found, key=lambda run: (run.fold, run.seed)))) for found in groups.values()]


PREFERRED = ("official", "holdout", "groups", "loso")
"""Which protocol a model's figure is shown under, where it was judged under several."""


def main_group(results: Results, model: str) -> Group | None:
    """The runs that stand for a model: test people of whom none was in training."""
    own = [g for g in grouped(results.runs) if g.first.model == model and not g.first.leaky and not g.first.seen]
    own.sort(key=lambda g: (g.first.part != "test", [*PREFERRED, g.first.protocol].index(g.first.protocol)))
    return own[0] if own else None


def models_of(results: Results) -> list[str]:
    """Those of UCI-HAR first."""
    return sorted({run.model for run in results.runs}, key=lambda name: (not name.startswith("uci_"), name))


def in_short(words: str) -> str:
    """The sentence that defines a figure, up to how its windows were cut."""
    return words.split("; windows of")[0]


def on_front(rows: Iterable[Row]) -> list[Row]:
    """The rows that nothing faster (where none was timed: of fewer MACs) beats on the people who validate."""
    told = [row for row in rows if row.validation]
    cost = {id(row): row.latency_us or row.macs or 0.0 for row in told}
    kept = set(front((cost[id(row)], fmean(row.validation)) for row in told))
    return [row for row in told if (cost[id(row)], fmean(row.validation)) in kept]


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) pairs that gain more than everything at most as costly, cheapest first."""
    kept: list[tuple[float, float]] = []
    for cost, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or gain > kept[-1][1]:
            kept.append((cost, gain))
    return kept


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")
