"""``kinestream calibrate``: fit a trained model's confidence, and measure it with a slower sensor."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError

from .adapt import check_out
from .extras import extra_for
from .terminal import safe_console, show

if TYPE_CHECKING:
    import argparse

    from rich.progress import Progress

    from kinestream.inference import Model
    from kinestream.interpret.placement import Placement
    from kinestream.replay_data import Dataset


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "calibrate",
        help="fit confidence and smoothing, and measure a slower sensor, without training again",
        description="Fit the model's confidence and the rates at which activities change, for --smooth and --unknown;\n"
        "measure its accuracy with a slower sensor and without gyroscope, for policies; and learn how the training\n"
        "people wore the sensor, to notice a wearer who wears it otherwise.\n"
        "Uses the model's training and validation people, never test people; or your recordings. The weights stay "
        "unchanged.",
        epilog="examples:\n"
        "  kinestream calibrate runs/uci/uci_cnn.safetensors\n"
        "  kinestream calibrate mine.safetensors monday.csv tuesday.csv --out mine_calibrated.safetensors\n"
        "  kinestream calibrate phone_acc --elsewhere turned umafall sisfall wisdm-windows\n"
        "  kinestream calibrate all.safetensors --elsewhere sisfall=fold2.safetensors umafall=fold3.safetensors\n"
        "  kinestream calibrate uci_cnn --placement\n"
        "  kinestream replay hapt --subject 2 --smooth --unknown 0.7 --episodes",
    )
    parser.add_argument("model", metavar="M", help="name of a bundled model, or a model file")
    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="RECORDINGS",
        help="labelled CSV or Parquet files or folders of them, on which the model was NOT trained (default: the "
        "model's own dataset)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the new file (default: M itself; for a bundled model, a copy here)"
    )
    parser.add_argument(
        "--order",
        action="store_true",
        help="also learn which activity follows which; only for recordings of daily life, not of a script",
    )
    parser.add_argument(
        "--elsewhere",
        nargs="+",
        metavar="DATA[=M]",
        help="learn instead how far to trust the model on people of datasets it never saw, or of your recordings; "
        "=M names a network of the same kind that never saw them, if M did; 'turned': its own validation people, the "
        "sensor turned at random",
    )
    parser.add_argument(
        "--placement",
        action="store_true",
        help="learn only how the training people wore the sensor; everything else stays",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the dataset (default $KINESTREAM_DATA)")
    parser.add_argument(
        "--columns",
        metavar="MAP",
        help="meaning of the files' columns, as for replay: 'time=ts:ms; acc=X,Y,Z:g; label=activity'",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate a model; print the file's path to standard output and the results to standard error."""
    from rich.progress import Progress

    from kinestream.inference import find_model, load_model, save_model

    path = find_model(args.model)
    model = load_model(path)
    bundled = not Path(args.model).is_file()
    out = args.out or (Path(f"{model.name}_calibrated.safetensors") if bundled else path)
    check_out(out, path, in_place=True)
    console = safe_console(stderr=True, soft_wrap=True)
    learn = _with_placement if args.placement else _with_reliability if args.elsewhere else _calibrated
    with (
        extra_for("train", "kinestream calibrate"),
        Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        model, lines = learn(args, model, progress)
    save_model(out, model)
    for line in lines:
        console.print(line)
    show(out)
    return 0


def _with_placement(args: argparse.Namespace, model: Model, _: Progress) -> tuple[Model, list[str]]:
    """The model with a check of how the sensor is worn, and the lines that describe it."""
    if args.recordings or args.elsewhere or args.order:
        raise ConfigError("--placement reads the model's own training people; leave the other options out")
    model = replace(model, placement=_placement(args, model))
    return model, [_placement_text(model)]


def _with_reliability(args: argparse.Namespace, model: Model, progress: Progress) -> tuple[Model, list[str]]:
    """The model with a reliability learnt elsewhere, and the line that describes it."""
    from kinestream.inference import find_model, load_model
    from kinestream.train.judge.calibrate_elsewhere import Elsewhere, accuracy_elsewhere, calibrate_elsewhere

    if args.recordings or args.order:
        raise ConfigError("--elsewhere takes no other recordings and no --order; name all data behind --elsewhere")
    named = []
    for text in args.elsewhere:
        data, equals, network = text.partition("=")
        if not data or (equals and not network):
            raise ConfigError(f"'{text}'; write DATA, or DATA=M for a network M that never saw DATA")
        named.append(Elsewhere(data, load_model(find_model(network)) if network else None))
    calibration = calibrate_elsewhere(
        model,
        named,
        data_dir=args.data,
        columns=args.columns,
        track=lambda recordings: progress.track(recordings, description="predicting recordings"),
    )
    lines = [calibration.about]
    if accuracy := accuracy_elsewhere(named):
        model = replace(model, accuracy=accuracy)
        best = max(accuracy, key=lambda subnet: accuracy[subnet])
        lines.append(f"accuracy of each subnetwork: the mean over these datasets; best {accuracy[best]:.1%} at {best}")
    return replace(model, calibration=calibration), lines


def _calibrated(args: argparse.Namespace, model: Model, progress: Progress) -> tuple[Model, list[str]]:
    """The model calibrated and measured on its own people or on recordings, and the lines that describe it."""
    from kinestream.inference import candidates
    from kinestream.train.judge.calibrate import calibrate
    from kinestream.train.judge.measure_levers import measure_levers
    from kinestream.train.judge.model_card import recipe_of

    dataset, learnt, validated = _people(args, model)
    if not args.recordings and not args.order and len(recipe_of(model).data.datasets) > 1:
        learnt = ()  # each dataset has a script of its own
    for line in dataset.notices:
        progress.console.print(line)
    calibration = calibrate(
        model,
        dataset,
        learnt,
        validated,
        order=args.order,
        track=lambda recordings: progress.track(recordings, description="predicting recordings"),
    )
    levers = measure_levers(
        model,
        dataset,
        validated,
        candidates(model),
        track=lambda recordings: progress.track(recordings, description="measuring other sensor settings"),
    )
    placement = model.placement if args.recordings else _placement(args, model)
    forgotten = (
        [f"{model.name}: how far to trust it among strangers is not kept; learn it again with --elsewhere"]
        if model.calibration.reliability
        else []
    )
    model = replace(model, calibration=calibration, levers=levers, placement=placement)
    return model, [*forgotten, *_results(model)]


def _placement(args: argparse.Namespace, model: Model) -> Placement | None:
    """How the model's own training people wore the sensor."""
    from kinestream.train.judge.model_card import recipe_of
    from kinestream.train.judge.placement import learn_placement

    if not model.input.reads_sensor_axes:
        return None
    dataset, learnt, _ = _people(args, model)
    return learn_placement(dataset, recipe_of(model).data, model.input, learnt)


def _placement_text(model: Model) -> str:
    from kinestream.train.judge.placement import LEAST_PEOPLE

    if model.placement is None:
        why = (
            f"its training people wore it anyhow, or fewer than {LEAST_PEOPLE} of them were seen walking"
            if model.input.reads_sensor_axes
            else "it reads acceleration in no fixed direction of the sensor, and needs none"
        )
        return f"{model.name}: no check of how the sensor is worn: {why}"
    up = ", ".join(f"{number:.2f}" for number in model.placement.up)
    return (
        f"{model.name}: up is ({up}) in the sensor's axes of {model.placement.people} training people; beyond "
        f"{model.placement.limit_deg:.0f} degrees from it the sensor is worn otherwise"
    )


def _people(args: argparse.Namespace, model: Model) -> tuple[Dataset, tuple[str, ...], tuple[str, ...]]:
    """The recordings, the people for the rates of change, and the people for confidence and smoothing."""
    if args.recordings:
        from kinestream.replay_data import ColumnMap
        from kinestream.train.data.own_recordings import open_own_recordings

        columns = ColumnMap.parse(args.columns) if args.columns else None
        dataset, _ = open_own_recordings(args.recordings, columns, args.data)
        return dataset, dataset.subjects, dataset.subjects
    from kinestream.train.data.windows import open_data
    from kinestream.train.judge.model_card import learnt_from, recipe_of
    from kinestream.train.recipe.data_settings import OWN_RECORDINGS

    recipe = recipe_of(model)
    if recipe.data.dataset == OWN_RECORDINGS:
        raise ConfigError(
            f"{model.name} was trained on a user's own recordings, which it does not store; "
            + (
                "training it again learns the check of how the sensor is worn"
                if args.placement
                else "name labelled ones that it was NOT trained on: kinestream calibrate M RECORDINGS"
            )
        )
    dataset = open_data(recipe.data, args.data)
    learnt = learnt_from(model)
    return dataset, tuple(learnt["train"]), tuple(learnt["validation"])


def _results(model: Model) -> list[str]:
    calibration, sensing, hops = model.calibration, model.levers.sensing, model.levers.hops
    durations_s = 1 / calibration.rates(len(model.labels)).sum(1)
    durations = ", ".join(f"{label} {seconds:.0f} s" for label, seconds in zip(model.labels, durations_s, strict=True))
    temperatures = calibration.temperature.values()
    return [
        calibration.about,
        _placement_text(model),
        f"mean duration of an activity: {durations}",
        f"temperature {min(temperatures):.2f} to {max(temperatures):.2f} (below 1: the model was underconfident); "
        f"weight of a window's evidence: {calibration.evidence:g} x its share of new samples",
        *(f"sensor at {setting}: {max(accuracy.values()):.1%} correct" for setting, accuracy in sensing.items()),
        *(
            f"every {'window' if hop == 1 else f'{hop} windows'}: {max(accuracy.values()):.1%} correct"
            for hop, accuracy in hops.items()
        ),
    ]
