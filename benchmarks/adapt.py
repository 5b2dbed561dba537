"""The gain from a few labelled minutes of one person: ``kinestream adapt``, one test person at a time.

    python -m benchmarks.adapt --data ../shared/data --json benchmarks/results/adapt.json

The model adapts to each test person alone: it learns from the earliest minutes of each activity and is tested, before
and after, on the same windows, which start one window's length after the longest of these stretches. ``--search`` chose
the strength on the models' validation people, which include no test person; its figures are in the same file, under
``search``. Rows of models that are not named remain.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinestream.core.signals import Subnet
from kinestream.inference import Model, find_model, load_model, macs
from kinestream.train.data.windows import Windows, open_data, windows_of
from kinestream.train.judge.evaluate import score, spanning
from kinestream.train.judge.model_card import recipe_of
from kinestream.train.network.export import from_model, normalised
from kinestream.train.personal.adapt import Strength, adapt
from kinestream.train.splits.protocols import protocol_of
from kinestream.train.splits.time_blocks import apart, earliest

MINUTES = (0.5, 1.0, 2.0, 5.0)
MODELS = ("uci_cnn", "uci_kinet", "phone_acc", "watch")
STRENGTHS = tuple(
    Strength(statistics, layer)
    for statistics in (100.0, 400.0, 1600.0, inf)
    for layer in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, inf)
    if layer >= 1 or statistics >= 1600
)
"""The strengths to try; two infinities are the original model."""
MIN_TESTED = 4
"""Windows left of each activity, or a person has too little for that many minutes."""


@dataclass(frozen=True)
class Person:
    """One person's windows to learn from, by minutes, and to test on."""

    name: str
    learn: dict[float, Windows]
    test: Windows


def people_of(model: Model, data_dir: Path | None, part: str) -> Iterator[tuple[str, list[Person], list[float]]]:
    """The people of each dataset of the model, those with enough for the most minutes that most of them have; and how
    many minutes of the activity of which there is least each person has."""
    recipe = recipe_of(model)
    dataset = open_data(recipe.data, data_dir)
    names = getattr(protocol_of(recipe.data).fold(dataset.subjects, recipe.data), part)
    windows = windows_of(dataset, model.input, model.labels, names)
    subjects = np.array(windows.subjects)
    for source in recipe.data.datasets:
        own = [name for name in names if len(recipe.data.datasets) == 1 or name.startswith(f"{source}/")]
        windows_by_name = {name: windows.take(np.flatnonzero(subjects == name)) for name in own}
        least = [
            min(n for n in np.bincount(part.labels) if n) * model.input.hop_s / 60 for part in windows_by_name.values()
        ]
        best: list[Person] = []
        for most in MINUTES:
            parts = (part_person(model, name, own_windows, most) for name, own_windows in windows_by_name.items())
            people = [person for person in parts if person]
            if 2 * len(people) > len(own):
                best = people
        yield source, best, least


def part_person(model: Model, name: str, windows: Windows, most: float) -> Person | None:
    """The person with up to ``most`` minutes to learn from, or None if too little is left to test."""

    def first(minutes: float) -> np.ndarray:
        return earliest(windows.labels, [round(60 * minutes / model.input.hop_s)] * len(model.labels))

    rest = apart(windows, ~first(most), first(most), model.input.window_s)
    shown, left = (np.bincount(windows.labels[mask], minlength=len(model.labels)) for mask in (first(most), rest))
    if (left[shown > 0] < MIN_TESTED).any():
        return None
    learn = {minutes: windows.take(np.flatnonzero(first(minutes))) for minutes in MINUTES if minutes <= most}
    return Person(name, learn, windows.take(np.flatnonzero(rest)))


def three(model: Model) -> tuple[Subnet, ...]:
    """The full, a middle and the smallest subnetwork."""
    widths, resolutions = model.widths, model.resolutions
    middle = Subnet(widths[len(widths) // 2], resolutions[len(resolutions) // 2])
    return (model.full, middle, Subnet(widths[0], resolutions[0]))


def judged(model: Model, test: Windows) -> dict[Subnet, tuple[float, float]]:
    """Accuracy and macro F1 of the three subnetworks."""
    net, x = from_model(model), normalised(model, test.x)
    scores = {subnet: score(net, x, test.labels, subnet) for subnet in three(model)}
    return {subnet: (score.accuracy, score.macro_f1) for subnet, score in scores.items()}


def fitted(model: Model, learn: Windows, strength: Strength) -> Model:
    """Adapted, with the statistics of no more subnetworks than are judged or fitted for."""
    if strength == Strength(inf, inf):
        return model
    return adapt(model, learn, strength=strength, subnets=tuple(dict.fromkeys([*three(model), *spanning(model)])))


def interval(values: Sequence[float]) -> list[float] | None:
    """95 % interval of the mean over people, by drawing people with replacement."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).choice(np.asarray(values), (2000, len(values))).mean(1)
    return [round(float(end), 5) for end in np.percentile(drawn, (2.5, 97.5))]


def rows_of(model: Model, data_dir: Path | None) -> Iterator[dict[str, Any]]:
    """The table's rows: before (0 minutes) and after, by subnetwork, over the test people."""
    several = len(recipe_of(model).data.datasets) > 1
    for source, people, least in people_of(model, data_dir, "test"):
        name = f"{model.name}, {source}" if several else model.name
        had = f"{min(least):.1f} to {max(least):.1f} min of the rarest activity"
        if not people:
            yield {"name": name, "minutes": 0, "people": [], "seeds": [], "accuracy": [], "note": f"too little: {had}"}
            continue
        before = {one.name: judged(model, one.test) for one in people}
        minutes = list(people[0].learn)
        shown = sorted({model.labels[code] for one in people for code in np.unique(one.test.labels)})
        missing = [label for label in model.labels if label not in shown]
        note = f"{had}; tested on {np.mean([len(one.test) for one in people]):.0f} windows a person"
        note += f"; never shown, so statistics stay: {', '.join(missing)}" if missing else ""
        after = {
            m: {one.name: judged(fitted(model, one.learn[m], Strength()), one.test) for one in people} for m in minutes
        }
        for subnet in three(model):
            base = [before[one.name][subnet][0] for one in people]
            for m, measured in {0.0: before, **after}.items():
                accuracy, f1 = zip(*(measured[person.name][subnet] for person in people), strict=True)
                gains = [now - then for now, then in zip(accuracy, base, strict=True)]
                row = {
                    "name": name,
                    "network": model.architecture.kind,
                    "subnet": str(subnet),
                    "macs": macs(model.architecture, subnet),
                    "minutes": m,
                    "people": [one.name for one in people],
                    "seeds": list(range(1, len(people) + 1)),
                    "accuracy": [round(value, 5) for value in accuracy],
                    "macro_f1": [round(value, 5) for value in f1],
                    "mean": round(float(np.mean(accuracy)), 5),
                    "interval_95_over_people": interval(accuracy),
                    "note": note,
                }
                if m:
                    row |= {"gain": round(float(np.mean(gains)), 5), "gain_interval_95": interval(gains)}
                    change = f"{np.mean(base):7.2%} -> {row['mean']:7.2%}  gain {100 * row['gain']:+.2f} points"
                    print(f"{name:32} {subnet!s:12} {m:3g} min {len(people):2d} people {change}", flush=True)
                yield row


def search(models: Sequence[Model], data_dir: Path | None, known: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean gain of every strength over validation people, minutes and subnetworks, by model; best on the whole first.

    Args:
        known: rows of an earlier search, which are not computed again.
    """
    gains = {(row["statistics_windows"], row["last_layer"]): dict(row["gains"]) for row in known}
    for model in models:
        for source, people, _ in people_of(model, data_dir, "validation"):
            name = f"{model.name}, {source}"
            untried = [strength for strength in STRENGTHS if people and name not in gains.get(_key(strength), {})]
            changes: dict[Strength, list[float]] = {strength: [] for strength in untried}
            for person in people:
                before = judged(model, person.test)
                for learn in list(person.learn.values())[-2:]:
                    for strength in untried:
                        after = judged(fitted(model, learn, strength), person.test)
                        changes[strength] += [after[subnet][0] - before[subnet][0] for subnet in before]
            for strength in untried:
                gains.setdefault(_key(strength), {})[name] = round(float(np.mean(changes[strength])), 5)
            print(model.name, source, len(people), "people", flush=True)
    rows = [
        {
            "statistics_windows": statistics,
            "last_layer": layer,
            "gain": round(float(np.mean(list(by_model.values()))), 5),
            "worst": min(by_model.values()),
            "gains": by_model,
        }
        for (statistics, layer), by_model in gains.items()
    ]
    return sorted(rows, key=lambda row: -row["gain"])


def _key(strength: Strength) -> tuple[float | None, float | None]:
    """The strength as in the JSON file: None for infinity, which keeps that part of the original."""
    statistics, layer = (None if n == inf else n for n in (strength.statistics_windows, strength.last_layer))
    return statistics, layer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--search", action="store_true", help="try strengths on validation people instead of testing")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = [load_model(find_model(name)) for name in args.models]
    content = json.loads(args.json.read_text("utf-8")) if args.json and args.json.exists() else {}
    if args.search:
        content["search"] = search(models, args.data, content.get("search", []))
        for row in content["search"]:
            print(row)
        save(args.json, content)
        return
    strength, renewed = Strength(), {model.name for model in models}
    content = {
        "title": "Adapting a model to one person",
        "command": "python -m benchmarks.adapt --data ../shared/data --json benchmarks/results/adapt.json",
        "protocol": "each test person of each model alone: the earliest minutes of every activity are learnt from, "
        "tested is what comes a window's length or more after the longest of these; the same windows before and "
        "after. No test person was trained on, and none chose the strength. What is tested was recorded in the same "
        "sessions as what was learnt from: another day may gain less",
        "over": "people",
        "strength": dict(zip(("statistics_windows", "last_layer"), _key(strength), strict=True)),
        "rows": [row for row in content.get("rows", []) if row["name"].split(",")[0] not in renewed],
        "search": content.get("search", []),
    }
    for model in models:
        content["rows"] += rows_of(model, args.data)
        save(args.json, content)


def save(path: Path | None, content: dict[str, Any]) -> None:
    """Write the file with one line for each key and row."""
    if path is not None:
        lines = [f"{json.dumps(key)}: {_lines(value)}" for key, value in content.items()]
        path.write_text("{" + ",\n".join(lines) + "}\n", "utf-8")


def _lines(value: Any) -> str:
    """JSON with one row a line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join("  " + json.dumps(row) for row in value) + "\n]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
