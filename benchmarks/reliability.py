"""How far to trust a model elsewhere: what its confidence is worth on datasets left out when it was learnt.

    python -m benchmarks.reliability --model phone_acc --elsewhere turned umafall sisfall wisdm-windows \
        --json benchmarks/results/reliability_phone_acc.json

Each dataset is left out in turn: the reliability is learnt from the others and the model's own validation people, then
all windows of the dataset go through the pipeline and the code behind ``--unknown`` and ``--smooth``. The rows compare
the softmax with its temperature, reliabilities that know less, and the whole one. MobiFall takes no part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.result_file import ResultFile
from kinestream.core.signals import Prediction
from kinestream.inference import Engine, Model, find_model, load_model, operating_table
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.reliability import Reliability
from kinestream.policy import make_policy
from kinestream.replay_data import Dataset, open_dataset
from kinestream.run.pipeline import Pipeline
from kinestream.train.data.windows import chunks_of, open_data
from kinestream.train.judge.model_card import learnt_from, recipe_of
from kinestream.train.judge.reliability import fit_reliability
from kinestream.train.judge.unseen import NEVER_TAUGHT, OTHER, Unseen, class_of, unseen

THRESHOLDS = (0.7, 0.9)
LEFT_OUT = {"log-odds only": (1, 2, 3, 4), "without position": (1, 3, 4), "without movement": (1, 2)}
"""By row: the features that the reliability may not use."""
KEYS = ("shown", "confident_errors", "never_taught_shown")
"""The figures that are printed for each threshold."""

Stream = list[Prediction]


def streams_of(model: Model, dataset: Dataset) -> list[Stream]:
    """Every recording's predictions of the full network."""
    engine = Engine(model)
    table = operating_table(engine, [model.full])
    streams: list[Stream] = []
    for recording in dataset.select(dataset.subjects):
        pipeline = Pipeline(engine, make_policy(f"fixed:{model.full}", table), table)
        streams.append([p for chunk in chunks_of(recording) for p in pipeline.push(chunk)] + pipeline.flush())
    return streams


def judged(model: Model, calibration: Calibration, streams: Iterable[Stream], smooth: bool) -> dict[str, float]:
    """Shares of known windows shown and shown wrongly, of never-taught ones shown, by threshold; calibration error."""
    concluder = Concluder(calibration, len(model.labels), model.input.window_s, smooth=smooth)
    known: list[tuple[float, bool]] = []
    never: list[float] = []
    for stream in streams:
        for prediction in map(concluder.conclude, stream):
            if prediction.truth is None or prediction.truth_share < 1.0:
                continue
            code = class_of(prediction.truth, model.labels)
            assert prediction.conclusion is not None
            if code >= 0:
                known.append((prediction.conclusion.confidence, prediction.conclusion.label == model.labels[code]))
            elif code == NEVER_TAUGHT:
                never.append(0.0 if prediction.conclusion.label == OTHER else prediction.conclusion.confidence)
    confidence, right = np.array(known, np.float64).T
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs((confidence - right)[bins == b].sum()) for b in range(10)]
    figures = {"accuracy": float(right.mean()), "calibration_error": float(sum(gaps) / len(right))}
    for threshold in THRESHOLDS:
        shown = confidence >= threshold
        figures[f"shown_{threshold}"] = float(shown.mean())
        figures[f"confident_errors_{threshold}"] = float((shown & (right == 0)).mean())
        if never:
            figures[f"never_taught_shown_{threshold}"] = float((np.array(never) >= threshold).mean())
    return figures


def learnt_without(
    source: str, parts: Sequence[Unseen], model: Model, learnt: Sequence[Unseen], features: Sequence[int] = ()
) -> Reliability:
    """The full network's reliability, learnt from all datasets but one and without these features."""
    others = [part for part in parts if part.source != source]
    full, _ = fit_reliability(others, model.labels, model.widths[-1:], learnt, without=features)
    return replace(full, weights=dict.fromkeys(model.widths, full.weights[model.widths[-1]]))


def main() -> None:
    """Print the rows and add them to the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="phone_acc")
    parser.add_argument("--elsewhere", nargs="+", default=["turned", "umafall", "sisfall", "wisdm-windows"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model = load_model(find_model(args.model))
    own, people = open_data(recipe_of(model).data, args.data), learnt_from(model)
    opened = {name: open_dataset(name, args.data) for name in args.elsewhere if name != "turned"}
    learnt = [unseen(model, own, people["train"], source="training", answers=False)]
    parts = [unseen(model, own, people["validation"], source="own", at_home=True)]
    if "turned" in args.elsewhere:
        parts.append(unseen(model, own, people["validation"], source="turned", turned=True))
    parts += [unseen(model, dataset, dataset.subjects, source=name) for name, dataset in opened.items()]
    command = f"python -m benchmarks.reliability --model {model.name} --elsewhere {' '.join(args.elsewhere)}"
    file = ResultFile(
        args.json,
        {
            "title": f"What the confidence of {model.name} is worth on datasets left out when it was learnt",
            "command": command + (f" --json {args.json}" if args.json else ""),
            "protocol": "each dataset left out in turn; all its windows inside one activity; the full network",
            "over": "datasets",
            "datasets": list(opened),
        },
    )
    file.rows = []
    print(f"{'':34}accuracy  cal. error | known shown, of them all wrong, never taught shown, at {THRESHOLDS}")
    for number, (name, dataset) in enumerate(opened.items()):
        whole = learnt_without(name, parts, model, learnt)
        # Movement is read only by a pipeline whose model has a reliability.
        reading = replace(model, calibration=replace(model.calibration, reliability=whole))
        streams = streams_of(reading, dataset)
        ways = {"softmax, own temperature": replace(model.calibration, reliability=None)}
        for row, features in LEFT_OUT.items():
            ways[row] = replace(model.calibration, reliability=learnt_without(name, parts, model, learnt, features))
        ways["reliability"] = reading.calibration
        for row, calibration in ways.items():
            for smooth in (False, True):
                figures = judged(model, calibration, streams, smooth)
                file.add(row + (", smoothed" if smooth else ""), None, number, figures)
                shares = "  ".join(
                    " ".join(f"{figures.get(f'{key}_{t}', float('nan')):6.1%}" for key in KEYS) for t in THRESHOLDS
                )
                label = f"{name} {row}{', smoothed' if smooth else ''}"
                print(f"{label:44}{figures['accuracy']:6.1%} {figures['calibration_error']:6.1%} | {shares}")


if __name__ == "__main__":
    main()
