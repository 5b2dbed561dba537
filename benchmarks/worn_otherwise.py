"""How many wearers are noticed to wear the sensor otherwise than a model's training people, and how soon.

    python -m benchmarks.worn_otherwise --data ../shared/data

For every model, dataset and place on the body: the share of wearers who are noticed, within 60 s of walking and ever,
and the median of the seconds of walking until the notice. "Walking" is movement as ``windowing/walking_up.py`` counts
it, in blocks of 2 s. Recordings go through the live windowing and ``PlacementWatch``; the network does not run, because
the check does not depend on it. A model that also reads a gyroscope is judged on accelerometers alone for that reason.

``right`` marks the model's own test people. A model without a check gives no notice, and has one row that says so. Only
wearers who move for 20 s can be noticed; the others are counted apart (``too_short``). MobiFall is kept back for a last
look: ``--final``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kinestream.core.errors import DataMissing
from kinestream.core.signals import ACC
from kinestream.inference import Model, find_model, load_model
from kinestream.interpret.placement import SURE_BLOCKS, PlacementWatch
from kinestream.replay_data import Recording, open_dataset
from kinestream.train.data.windows import chunks_of
from kinestream.train.judge.model_card import learnt_from, recipe_of
from kinestream.train.splits.protocols import protocol_of
from kinestream.windowing.stream_windows import StreamWindows
from kinestream.windowing.walking_up import BLOCK_S, KNOWN_BLOCKS

from .elsewhere.datasets import LAST_LOOK, WORN
from .result_file import ResultFile

RESULTS = Path(__file__).parent / "results" / "worn_otherwise.json"
MODELS = ("uci_cnn", "uci_kinet", "uci_resnet", "phone_acc", "watch")
DATASETS = ("hapt", "sisfall", "umafall", "wisdm-windows", "wisdm2019-phone", *LAST_LOOK)
SOON_S = 60.0
LEAST_S = BLOCK_S * (KNOWN_BLOCKS + SURE_BLOCKS - 1)


@dataclass(frozen=True)
class Wearer:
    """One wearer's recordings, in order."""

    walked_s: float
    noticed_s: float | None
    """Seconds of walking until the first notice; None: never."""


def follow(model: Model, recordings: Iterable[Recording]) -> Wearer:
    """The wearer as the live check sees them, each recording a stream of its own."""
    walked_s, noticed_s = 0.0, None
    spec = replace(model.input, channels=ACC)
    for recording in recordings:
        assert model.placement
        watch, stream = PlacementWatch(model.placement), StreamWindows(spec)
        blocks = 0
        windows = (window for chunk in chunks_of(recording) for window in stream.push(chunk))
        for window in (*windows, *stream.flush()):
            blocks = window.up_blocks
            if watch.see(window.up, blocks) and noticed_s is None:
                noticed_s = walked_s + BLOCK_S * blocks
        walked_s += BLOCK_S * blocks
    return Wearer(walked_s, noticed_s)


def figures(wearers: Sequence[Wearer]) -> dict[str, float]:
    """The row of these wearers.

    >>> figures([Wearer(300.0, 20.0), Wearer(300.0, 90.0), Wearer(300.0, None), Wearer(8.0, None)])
    {'wearers': 3, 'too_short': 1, 'noticed_soon': 0.3333333333333333, 'noticed': 0.6666666666666666, 'median_s': 55.0}
    """
    long = [wearer for wearer in wearers if wearer.walked_s >= LEAST_S]
    times_s = [wearer.noticed_s for wearer in long if wearer.noticed_s is not None]
    row: dict[str, float] = {"wearers": len(long), "too_short": len(wearers) - len(long)}
    if long:
        row["noticed_soon"] = sum(time_s <= SOON_S for time_s in times_s) / len(long)
        row["noticed"] = len(times_s) / len(long)
    if times_s:
        row["median_s"] = statistics.median(times_s)
    return row


def groups(model: Model, name: str, subjects: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The subjects to judge: by group (``test people`` or a place), by wearer."""
    data, learnt = recipe_of(model).data, learnt_from(model)
    own = data.dataset == name
    test = set(protocol_of(data).fold(subjects, data).test) if own else set()
    judged: dict[str, dict[str, list[str]]] = {}
    for subject in subjects:
        person, _, place = subject.partition("/")
        if own and (subject not in test or subject in learnt["train"]):
            continue
        group = "test people" if own else place or WORN[name][0]
        judged.setdefault(group, {}).setdefault(person, []).append(subject)
    return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", nargs="+", metavar="NAME", default=list(MODELS))
    parser.add_argument("--final", action="store_true", help=f"judge {', '.join(LAST_LOOK)} too")
    parser.add_argument("--json", type=Path, default=RESULTS)
    args = parser.parse_args()
    about = {
        "title": "Noticing that the sensor is worn otherwise",
        "command": "python -m benchmarks.worn_otherwise --data ../shared/data --final",
        "protocol": "every wearer of a data set who moves for 20 s, through the live windowing; own data set: test "
        "people only; soon: within 60 s of walking; the limit is learnt from the model's training people",
        "part": "test",
        "leaky": False,
    }
    results = ResultFile(args.json, about)
    results.rows = [row for row in results.rows if row["model"] not in args.models or not _again(row, args.final)]
    results.save()
    print(f"{'':44}{'wearers':>8}{'<= 60 s':>9}{'ever':>9}{'median':>9}")
    for model in (load_model(find_model(name)) for name in args.models):
        if model.placement is None:
            results.add(f"{model.name}: no check", None, 0, {}, model=model.name, limit_deg=None)
            print(f"{model.name}: no check")
            continue
        for name in DATASETS if args.final else [name for name in DATASETS if name not in LAST_LOOK]:
            _judge(results, model, name, args.data)


def _again(row: dict[str, object], final: bool) -> bool:
    return final or row.get("dataset") not in LAST_LOOK


def _judge(results: ResultFile, model: Model, name: str, data_dir: Path | None) -> None:
    assert model.placement
    try:
        dataset = open_dataset(name, data_dir)
    except DataMissing as error:
        print(f"{name} is left out: {error}", file=sys.stderr)
        return
    for group, people in groups(model, name, dataset.subjects).items():
        row = figures([follow(model, dataset.select(subjects)) for subjects in people.values()])
        fixed = {"model": model.name, "dataset": name, "group": group, "right": group == "test people"}
        title = f"{model.name} on {name}, {group}"
        results.add(title, None, 0, row, **fixed, limit_deg=model.placement.limit_deg)
        shares = "".join(
            f"{100 * row[key]:>8.1f}%" if key in row else f"{'':>9}" for key in ("noticed_soon", "noticed")
        )
        median = f"{row['median_s']:>7.0f} s" if "median_s" in row else ""
        print(f"{title:44}{row['wearers']:>8.0f}{shares}{median}", flush=True)


if __name__ == "__main__":
    main()
