"""The accuracy a model loses if its sensor is turned, or samples at another rate than in training.

    python benchmarks/worn.py [--model uci_cnn] [--data ../shared/data] [--json FILE]

The recordings of the model's own test people go through the live code: turned by 90 and 180 degrees about each axis
(``ChannelMap``), or resampled as if the sensor had run at another rate, then windowed and put to the network. The
subnetworks are the full one, the full one at the lowest resolution, and the smallest.

A rate that the model refuses (``InputMismatch``) is marked as refused, with the accuracy that the sensor would have had
if it had been accepted as just fast enough.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from kinestream.core.errors import InputMismatch
from kinestream.core.input_spec import MIN_RATE_SHARE, InputSpec
from kinestream.core.signals import SampleChunk, Subnet
from kinestream.inference import Engine, Model, find_model, load_model
from kinestream.replay_data import Dataset, Recording
from kinestream.train.data.windows import chunks_of, open_data
from kinestream.train.judge.coarse_classes import membership
from kinestream.train.judge.model_card import recipe_of
from kinestream.train.splits.protocols import protocol_of
from kinestream.windowing import ChannelMap, Segmenter

TURNS = {
    "90 about x": "x -z y",
    "180 about x": "x -y -z",
    "90 about y": "z y -x",
    "180 about y": "-x y -z",
    "90 about z": "-y x z",
    "180 about z": "-x -y z",
}
RATES_HZ = (25.0, 37.5, 100.0)


@dataclass(frozen=True)
class Row:
    """How often each subnetwork was right on the test people, worn one way."""

    worn: str
    windows: int
    accuracy: dict[Subnet, float]
    """Empty if there is no window."""
    groups: dict[Subnet, float]
    """The same among the recipe's coarser classes, if it has any."""
    refused: bool = False


def at_rate(chunk: SampleChunk, fs_hz: float) -> SampleChunk:
    """The chunk as a sensor of another rate would give it: band-limited, every sample's time and label kept in step."""
    ratio = Fraction(fs_hz / chunk.fs_hz).limit_denominator(100)
    x = resample_poly(chunk.x.astype(np.float64), ratio.numerator, ratio.denominator, axis=0, padtype="line")
    index = np.arange(len(x)) / float(ratio)
    index = index[index <= len(chunk) - 1]
    labels = None if chunk.labels is None else chunk.labels[np.rint(index).astype(int)]
    t = np.interp(index, np.arange(len(chunk)), chunk.t)
    return replace(chunk, t=t, x=x[: len(index)].astype(np.float32), labels=labels, fs_hz=fs_hz)


def live_windows(
    spec: InputSpec, people: Sequence[Recording], axes: ChannelMap, fs_hz: float | None, forced: bool
) -> Iterator[tuple[NDArray[np.float32], str]]:
    """Each window that lies within one labelled activity, and that activity.

    Raises:
        InputMismatch: the rate is too low for the model, and not ``forced``.
    """
    for recording in people:
        segmenter = Segmenter(spec)
        for chunk in chunks_of(recording):
            turned = axes.apply(chunk if fs_hz is None else at_rate(chunk, fs_hz))
            if forced:
                turned = replace(turned, fs_hz=max(turned.fs_hz, MIN_RATE_SHARE * spec.fs_hz))
            for window in [*segmenter.push(turned), *segmenter.flush()]:
                if window.truth is not None and window.truth_share == 1.0:
                    yield window.x, window.truth


def measure(
    engine: Engine,
    subnets: Sequence[Subnet],
    groups: dict[str, tuple[str, ...]],
    people: Sequence[Recording],
    worn: str,
    axes: ChannelMap | None = None,
    fs_hz: float | None = None,
    forced: bool = False,
) -> Row:
    """One row of the table. Raises: InputMismatch, as ``live_windows``."""
    model = engine.model
    labelled_windows = live_windows(model.input, people, axes or ChannelMap(), fs_hz, forced)
    pairs = [(x, model.labels.index(truth)) for x, truth in labelled_windows if truth in model.labels]
    if not pairs:  # at some rates, a stretch of the length of one window gives none
        return Row(worn, 0, {}, {}, forced)
    x, truth = np.stack([x for x, _ in pairs]), np.array([code for _, code in pairs])
    member = membership(model.labels, groups)
    probs = {subnet: engine.predict_batch(x, subnet) for subnet in subnets}
    return Row(
        worn,
        len(x),
        {subnet: float(np.mean(predicted.argmax(axis=1) == truth)) for subnet, predicted in probs.items()},
        {
            subnet: float(np.mean((predicted @ member).argmax(axis=1) == member[truth].argmax(axis=1)))
            for subnet, predicted in probs.items()
            if groups
        },
        forced,
    )


def table(model: Model, people: Sequence[Recording], groups: dict[str, tuple[str, ...]]) -> list[Row]:
    """As worn for training first, then every turn, then every rate."""
    low, high = model.resolutions[0], model.resolutions[-1]
    subnets = (Subnet(model.widths[-1], high), Subnet(model.widths[-1], low), Subnet(model.widths[0], low))
    engine = Engine(model)
    rows = [measure(engine, subnets, groups, people, "as recorded")]
    for worn, axes in TURNS.items():
        rows.append(measure(engine, subnets, groups, people, f"turned {worn}", ChannelMap.parse(axes)))
    for fs_hz in RATES_HZ:
        condition = f"sensor at {fs_hz:g} Hz"
        try:
            rows.append(measure(engine, subnets, groups, people, condition, fs_hz=fs_hz))
        except InputMismatch:
            rows.append(measure(engine, subnets, groups, people, condition, fs_hz=fs_hz, forced=True))
    return rows


def show(rows: Sequence[Row]) -> str:
    """Accuracy in percent and, in brackets, the points lost or won against the first row."""
    subnets = list(rows[0].accuracy)
    columns = [("", "accuracy"), ("groups ", "groups")] if rows[0].groups else [("", "accuracy")]
    heads = [f"{prefix}{subnet}" for prefix, _ in columns for subnet in subnets]
    lines = [f"| worn | windows | {' | '.join(heads)} |", f"|---|---:|{'---:|' * len(heads)}"]
    for row in rows:
        cells = [] if row.windows else ["-"] * len(heads)
        for _, kind in columns if row.windows else []:
            for subnet in subnets:
                value, base = (100 * getattr(one, kind)[subnet] for one in (row, rows[0]))
                cells.append(f"{value:.1f}" if row is rows[0] else f"{value:.1f} ({value - base:+.1f})")
        note = ", refused; if let through:" if row.refused else ""
        lines.append(f"| {row.worn}{note} | {row.windows} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="uci_cnn", help="a bundled model's name, or a model file")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    args = parser.parse_args()
    model = load_model(find_model(args.model))
    data = recipe_of(model).data
    dataset = open_data(data, args.data)
    for name in data.datasets:
        part = [entry for entry in dataset.entries if len(data.datasets) == 1 or entry.name.startswith(f"{name}/")]
        own = Dataset(name, dataset.label_names, part)
        test = [one for one in protocol_of(data).fold(dataset.subjects, data).test if one in own.subjects]
        people = list(own.select(test))
        rows = table(model, people, data.groups)
        print(f"{model.name} on {len(test)} test people of {name}, recorded at {people[0].fs_hz:g} Hz; accuracy, %:\n")
        print(show(rows) + "\n", flush=True)
        if args.json:
            path = args.json if len(data.datasets) == 1 else args.json.with_stem(f"{args.json.stem}_{name}")
            content = about(model, args.model, f"{len(test)} test people of {name}") | {
                "ways": [as_json(row) for row in rows]
            }
            path.write_text(json.dumps(content, indent=1) + "\n")


def about(model: Model, name_or_file: str, people: str) -> dict[str, object]:
    """The model of these figures, its origin, and the command that reproduces them."""
    recipe = recipe_of(model)
    return {
        "model": model.name,
        "command": f"python benchmarks/worn.py --model {Path(name_or_file).name}",
        "trained": model.card["command"],
        "seed": recipe.seed,
        "protocol": f"{recipe.data.description}; {protocol_of(recipe.data).name} protocol, {people}, every window of "
        "their recordings that lies within one activity",
    }


def as_json(row: Row) -> dict[str, object]:
    """The row with the subnetworks written out."""
    figures = {
        kind: {str(subnet): round(share, 5) for subnet, share in getattr(row, kind).items()}
        for kind in ("accuracy", "groups")
    }
    return {"worn": row.worn, "windows": row.windows, "refused": row.refused, **figures}


if __name__ == "__main__":
    main()
