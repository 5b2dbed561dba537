"""The effect of calibration, smoothing, "unknown" and episodes, over whole recordings as in a live run.

    python -m benchmarks.decisions --data ../shared/data --json benchmarks/results/decisions.json

Every window of the test people's recordings goes through the pipeline and then through the same code that runs behind
``--smooth``, ``--unknown`` and ``--episodes``. Temperatures, rates and evidence are those in the model file, which
``kinestream calibrate`` learnt from training and validation people; nothing is chosen here. ``--part validation``
compares an alternative (learning which activity follows which) on the validation people, as all other choices; its
figures are in the same file, under ``validation``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result_file import ResultFile
from kinestream.core.signals import UNKNOWN, Prediction, Subnet
from kinestream.inference import Engine, Model, find_model, load_model, macs, operating_table
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.episodes import EpisodeFinder
from kinestream.policy import make_policy
from kinestream.replay_data import Dataset
from kinestream.run.pipeline import Pipeline
from kinestream.run.tally import ConclusionTally
from kinestream.train.data.windows import chunks_of, open_data
from kinestream.train.judge.calibrate import calibrate
from kinestream.train.judge.model_card import learnt_from, recipe_of
from kinestream.train.judge.scores import calibration_error, score_of
from kinestream.train.splits.protocols import protocol_of

SUBNETS = ("1.0x-128", "0.35x-128", "0.1x-96")
THRESHOLDS = (0.5, 0.7, 0.9)
EPISODES_S = (5.0, 10.0)

Stream = list[Prediction]
"""The predictions of one session of one recording, in order."""


def streams_of(model: Model, subnet: Subnet, dataset: Dataset, people: Sequence[str]) -> dict[str, list[Stream]]:
    """The streams of each person: every window of every recording."""
    engine = Engine(model)
    table = operating_table(engine, [subnet])
    by_person: dict[str, list[Stream]] = {}
    for recording in dataset.select(people):
        pipeline = Pipeline(engine, make_policy(f"fixed:{subnet}", table), table)
        predictions = [p for chunk in chunks_of(recording) for p in pipeline.push(chunk)] + pipeline.flush()
        epochs = groupby(predictions, key=lambda p: p.session)
        by_person.setdefault(recording.subject, []).extend(list(stream) for _, stream in epochs)
    return by_person


def concluded(model: Model, calibration: Calibration, streams: Iterable[Stream], **settings: Any) -> list[Stream]:
    """The streams with the conclusions of a ``Concluder``."""
    concluder = Concluder(calibration, len(model.labels), model.input.window_s, **settings)
    return [[concluder.conclude(p) for p in stream] for stream in streams]


def tallied(streams: Iterable[Stream], labels: tuple[str, ...]) -> dict[str, Any]:
    tally = ConclusionTally(labels)
    for stream in streams:
        for prediction in stream:
            tally.add(prediction)
    return tally.summary()


def label_of(prediction: Prediction) -> str:
    return prediction.conclusion.label if prediction.conclusion else prediction.label


def is_judged(prediction: Prediction, pure: bool = False) -> bool:
    """Whether the window shows an activity that the model knows: in most of it, or ``pure``, in all of it."""
    return prediction.truth in prediction.labels and prediction.truth_share >= (1.0 if pure else 0.50001)


def errors_of(streams: Iterable[Stream]) -> dict[str, float]:
    """Expected calibration error inside one activity and with transitions."""
    errors = {}
    for name, pure in (("", True), ("_with_transitions", False)):
        judged = [p for stream in streams for p in stream if is_judged(p, pure)]
        probs = np.array([p.probs if p.conclusion is None else p.conclusion.probs for p in judged])
        truth = np.array([p.labels.index(p.truth or "") for p in judged])
        errors[f"calibration_error{name}"] = calibration_error(score_of(probs, truth, np.full(len(judged), "all")).bins)
    return errors


def delays_of(streams: Iterable[Stream]) -> dict[str, Any]:
    """The number of windows with another label before the first correct one, after each change of known activity.

    ``missed``: activities that were never recognised while they lasted.
    """
    delays: list[int] = []
    missed = 0
    for stream in streams:
        known = [p for p in stream if is_judged(p)]
        for number, (truth, bout) in enumerate(groupby(known, key=lambda p: p.truth)):
            labels = [label_of(p) for p in bout]
            if number and truth in labels:
                delays.append(labels.index(truth))
            missed += number > 0 and truth not in labels
    return {
        "changes": len(delays) + missed,
        "delay_windows": float(np.mean(delays)),
        "delay_windows_p90": float(np.percentile(delays, 90)),
        "missed_changes": missed,
    }


def jumps_of(streams: Iterable[Stream]) -> dict[str, float]:
    """Changes of the concluded label and of the true label per hour."""
    changes = true_changes = windows = 0
    hop_s = 0.0
    for stream in streams:
        pairs = list(pairwise(stream))
        hop_s = float(np.median([b.t_end_s - a.t_end_s for a, b in pairs]))
        changes += sum(label_of(a) != label_of(b) for a, b in pairs)
        known = [p.truth for p in stream if is_judged(p)]
        true_changes += sum(a != b for a, b in pairwise(known))
        windows += len(stream)
    hours = windows * hop_s / 3600
    return {"changes_told_per_hour": changes / hours, "changes_true_per_hour": true_changes / hours}


def episodes_of(streams: Iterable[Stream], min_s: float) -> dict[str, float]:
    """The episodes and true stretches of at least ``min_s``, and the shares of windows in any and in a right one."""
    count = true_stretches = judged = covered = right = 0
    for stream in streams:
        finder = EpisodeFinder(min_s)
        episodes = [episode for p in stream for episode in finder.add(p)] + finder.close()
        count += sum(episode.label != UNKNOWN for episode in episodes)
        known = [p for p in stream if is_judged(p)]
        bouts = [list(bout) for _, bout in groupby(known, key=lambda p: p.truth)]
        true_stretches += sum(bout[-1].t_end_s - bout[0].t_start_s >= min_s for bout in bouts)
        for p in known:
            middle_s = (p.t_start_s + p.t_end_s) / 2
            labels = [e.label for e in episodes if e.t_start_s <= middle_s < e.t_end_s]
            judged, covered, right = judged + 1, covered + bool(labels), right + (labels == [p.truth])
    return {
        "min_s": min_s,
        "episodes": count,
        "true_stretches": true_stretches,
        "in_an_episode": round(covered / judged, 5),
        "right": round(right / max(1, covered), 5),
    }


def rows_of(
    model: Model, people: dict[str, list[Stream]], ways: dict[str, list[Stream]], subnet: Subnet
) -> Iterator[dict[str, Any]]:
    """A row for each way of concluding, with its accuracies by person."""
    for name, streams in ways.items():
        by_person: list[dict[str, Any]] = []
        start = 0
        for own in people.values():
            by_person.append(tallied(streams[start : start + len(own)], model.labels))
            start += len(own)
        figures = {**errors_of(streams), **delays_of(streams), **jumps_of(streams)}
        total = tallied(streams, model.labels)
        yield {
            "name": name,
            "network": model.architecture.kind,
            "subnet": str(subnet),
            "macs": macs(model.architecture, subnet),
            "people": list(people),
            "seeds": list(range(1, len(people) + 1)),
            "accuracy": [summary["accuracy"] for summary in by_person],
            "accuracy_with_transitions": [summary["accuracy_with_transitions"] for summary in by_person],
            "pooled": total["accuracy"],
            "pooled_with_transitions": total["accuracy_with_transitions"],
            **{key: round(value, 5) for key, value in figures.items()},
            "episodes": [episodes_of(streams, min_s) for min_s in EPISODES_S],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="uci_cnn")
    parser.add_argument(
        "--part", choices=("test", "validation"), default="test", help="the people whose recordings are used"
    )
    parser.add_argument("--json", type=Path, help="write the figures there too")
    args = parser.parse_args()
    model = load_model(find_model(args.model))
    recipe, learnt = recipe_of(model), learnt_from(model)
    dataset = open_data(recipe.data, args.data)
    people = getattr(protocol_of(recipe.data).fold(dataset.subjects, recipe.data), args.part)
    calibration = model.calibration
    others: dict[str, Calibration] = {}
    if args.part == "validation":
        others["smoothed, order learnt"] = calibrate(model, dataset, learnt["train"], learnt["validation"], order=True)
    rows: list[dict[str, Any]] = []
    for subnet in map(Subnet.parse, SUBNETS):
        of_people = streams_of(model, subnet, dataset, people)
        streams = [stream for own in of_people.values() for stream in own]
        raw = concluded(model, Calibration(), streams)
        calibrated = concluded(model, calibration, streams)
        smoothed = concluded(model, calibration, streams, smooth=True)
        ways = {"raw": raw, "calibrated": calibrated, "smoothed": smoothed}
        ways |= {name: concluded(model, other, streams, smooth=True) for name, other in others.items()}
        rows += rows_of(model, of_people, ways, subnet)
        for name, used, settings in (
            ("raw", Calibration(), {}),
            ("calibrated", calibration, {}),
            ("smoothed", calibration, {"smooth": True}),
        ):
            for threshold in THRESHOLDS:
                summary = tallied(concluded(model, used, streams, unknown_below=threshold, **settings), model.labels)
                row = next(row for row in rows if row["name"] == name and row["subnet"] == str(subnet))
                row.setdefault("unknown_below", []).append({"threshold": threshold, **summary})
        for row in rows[-len(ways) :]:
            _print(row)
    if args.json and args.part == "validation":
        ResultFile(args.json, {"validation": rows}).save()
    elif args.json:
        file = ResultFile(
            args.json,
            {
                "title": "Decisions a person can use: calibrated, smoothed, unknown, episodes",
                "command": "python -m benchmarks.decisions --data ../shared/data --json "
                "benchmarks/results/decisions.json",
                "protocol": f"{recipe.data.description}; every window of the test people's whole recordings, "
                "posture changes and unlabelled stretches in between, through the pipeline; accuracy inside one "
                "activity, and with the windows in which one activity has the majority",
                "over": "people",
                "calibration": calibration.to_json(),
            },
        )
        file.rows = rows
        file.save()


def _print(row: dict[str, Any]) -> None:
    print(
        f"{row['subnet']:10} {row['name']:24} accuracy {row['pooled']:.2%}, with transitions "
        f"{row['pooled_with_transitions']:.2%}; calibration error {row['calibration_error']:.2%}, "
        f"{row['calibration_error_with_transitions']:.2%}; delay {row['delay_windows']:.2f} windows, p90 "
        f"{row['delay_windows_p90']:.0f}, missed {row['missed_changes']} of {row['changes']}; changes per hour "
        f"{row['changes_told_per_hour']:.0f} (true {row['changes_true_per_hour']:.0f})"
    )
    for episodes in row["episodes"]:
        print(f"{'':35} episodes {episodes}")
    for summary in row.get("unknown_below", []):
        print(
            f"{'':35} below {summary['threshold']}: labelled {summary['told']:.2%}, right {summary['accuracy']:.2%}; "
            f"with transitions labelled {summary['told_with_transitions']:.2%}, "
            f"right {summary['accuracy_with_transitions']:.2%}; "
            f"posture changes labelled {summary['told_of_other_activities']:.2%}"
        )


if __name__ == "__main__":
    main()
