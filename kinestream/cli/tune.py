"""``kinestream tune``: a policy tried on a scripted day over recordings, its settings searched, its rivals beside."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from kinestream.policy import Part


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "tune",
        help="try a policy on a scripted day over recordings, and search its settings",
        description="A day of battery, load, deadline and link in seconds: every subnetwork is asked once\n"
        "about every window, then policies are tried on its answers, beside every fixed subnetwork and an oracle.",
        epilog="examples:\n"
        "  kinestream tune hapt --policy battery --scenario commute --subject 7 17 26 28\n"
        "  kinestream tune monday --policy slowdown+battery --scenario day.toml --save mine.toml --picture day.svg\n"
        "  kinestream replay hapt --policy mine.toml --battery simulated",
    )
    parser.add_argument(
        "source", metavar="RECORDING|DATASET", nargs="?", help="as for replay: labelled, or accuracy is not told"
    )
    parser.add_argument("--policy", metavar="P", default="battery", help="as for run (default %(default)s)")
    parser.add_argument(
        "--scenario", metavar="S", default="commute", help="a bundled day or its file.toml (default %(default)s)"
    )
    parser.add_argument("--scenarios", action="store_true", help="list the bundled days and stop")
    parser.add_argument("--model", metavar="M", default="uci_cnn", help="a model (default %(default)s)")
    parser.add_argument(
        "--energy", metavar="E", default="nrf52840_lsm6dso", help="an energy model (default %(default)s)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where datasets lie (default $KINESTREAM_DATA)")
    parser.add_argument("--subject", nargs="+", metavar="S", default=[], help="only these people's recordings")
    parser.add_argument("--columns", metavar="MAP", help="of a CSV or Parquet file, as for replay")
    parser.add_argument("--trials", type=int, default=30, metavar="N", help="settings to try; 0: as given (default 30)")
    parser.add_argument(
        "--goal",
        choices=("accuracy", "energy"),
        default="accuracy",
        help="what to search for: the most right windows, or the least energy at an accuracy (default %(default)s)",
    )
    parser.add_argument(
        "--lose",
        type=float,
        default=0.5,
        metavar="POINTS",
        help="for --goal energy: how far below the most accurate fixed subnetwork (default %(default)s)",
    )
    parser.add_argument("--sleepless", action="store_true", help="the gyroscope never sleeps while windows are skipped")
    parser.add_argument("--seed", type=int, default=0, help="of the day and the search (default %(default)s)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the found policy as TOML")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw accuracy over energy, .svg or .png")
    parser.add_argument("--json", action="store_true", help="print JSON, every fixed subnetwork included")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Try, search, compare; the table goes to standard output, what is going on to standard error."""
    import math
    from dataclasses import replace

    from kinestream import lab
    from kinestream.core.signals import GYRO, Sensing
    from kinestream.core.source import Source
    from kinestream.energy.energy_model import read_energy_model
    from kinestream.inference import Engine, candidates, find_model, load_model, operating_table
    from kinestream.inference.measure import cache_dir
    from kinestream.lab import report
    from kinestream.launch.build_pipeline import most_accurate
    from kinestream.launch.open_source import SourceOptions, open_source
    from kinestream.policy import build_policy, named_subnets, parse_policy, save_policy, write_policy

    if args.scenarios:
        for name in lab.scenario_names():
            print(f"{name:<14} {lab.read_scenario(name).about}")
        return 0
    # All that can be wrong at once is looked at before anything is computed.
    if args.source is None:
        raise ConfigError("name a recording or a dataset (kinestream data list), or --scenarios to list the days")
    if args.trials < 0:
        raise ConfigError(f"--trials {args.trials}: expected 0 or more")
    if not args.lose >= 0:
        raise ConfigError(f"--lose {args.lose}: expected 0 or more points of accuracy")
    if args.picture and args.picture.suffix not in (".svg", ".png"):
        raise ConfigError(f"--picture {args.picture} must end in .svg or .png")
    for out in (args.save, args.picture):
        if out and not out.parent.is_dir():
            raise ConfigError(f"{out} cannot be written: there is no folder {out.parent}")
    scenario, energy = lab.read_scenario(args.scenario), read_energy_model(args.energy)
    parts = _for_the_day(parse_policy(args.policy), scenario.hours)
    model = load_model(find_model(args.model))
    engine = Engine(model)

    def opened() -> Source:
        return open_source(args.source, SourceOptions(args.data, tuple(args.subject), args.columns, math.inf))

    def answers_to(material: lab.Material, what: str) -> lab.SubnetProbs:
        return lab.compute_probs(engine, material, cache=cache_dir() / "lab", progress=_progress(what))

    source = opened()
    if source.live or math.isinf(getattr(source, "duration_s", 0.0)):
        raise ConfigError(f"{source.name} never ends; record some of it (kinestream record) and tune on that")
    material = lab.collect(source, model)
    answers = answers_to(material, "asking subnetworks")
    table = operating_table(engine, energy=energy, progress=_progress("measuring subnetworks"))
    worth = dict.fromkeys([*candidates(model), *named_subnets(parts)])
    seen = replace(table, points=tuple(table[subnet] for subnet in worth))
    reads_gyro = not set(GYRO).isdisjoint(model.input.channels)
    base_mw = energy.base_mw(Sensing(model.input.fs_hz, reads_gyro), 1 / material.hop_s)
    asleep_mw = energy.base_mw(Sensing(model.input.fs_hz, gyro=False), 1 / material.hop_s)
    draws = lab.Draws(base_mw, None if args.sleepless else asleep_mw)

    def otherwise(sensing: Sensing) -> lab.SubnetProbs:
        return answers_to(lab.collect(opened(), model, sensing).like(material), f"asking them at {sensing}")

    day = lab.Day(scenario, material, answers, table, draws, seed=args.seed, otherwise=otherwise)
    fixed = [lab.fixed(day, subnet) for subnet in model.subnets]
    policy = build_policy(parts, seen)
    policies = [day.run(policy, "as given")]
    how = ""
    if args.trials:
        needed = max(outcome.accuracy for outcome in fixed) - args.lose / 100
        found = lab.search(
            day,
            parts,
            seen,
            trials=args.trials,
            seed=args.seed,
            goal=args.goal,
            accuracy=needed,
            progress=_progress("trying settings"),
        )
        policy, how = found.policy, f"{found.tried} tried, {found.how}"
        policies.append(replace(found.outcome, name="found"))
    rows = report.rows_of(policies, fixed, str(most_accurate(model)), lab.oracle_outcome(day, lab.budget_mj(day)))
    told = {
        "source": args.source,
        "scenario": scenario.name,
        "hours": scenario.hours,
        "model": model.name,
        "energy_model": table.energy_model,
        "windows_recorded": len(material),
        "windows_of_the_day": day.steps,
        "seed": args.seed,
        "search": how,
        "given": args.policy,
        "policy": write_policy(policy),
    }
    if args.json:
        table_rows = [{**report.as_json(row.outcome), "note": row.note} for row in rows]
        print(json.dumps({**told, "rows": table_rows, "fixed": [report.as_json(outcome) for outcome in fixed]}))
    else:
        _print(told, rows)
    if args.save:
        save_policy(policy, args.save)
    if args.picture:
        report.draw(args.picture, day, policies, fixed, table.energy_model)
    return 0


def _for_the_day(parts: tuple[Part, ...], hours: float) -> list[Part]:
    """A battery that was not told how long to last shall last the day."""
    return [
        replace(part, settings={"hours": hours, **part.settings}) if part.kind == "battery" else part for part in parts
    ]


def _print(told: dict[str, Any], rows: list[Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from kinestream.lab import report

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, head in enumerate(report.HEADS):
        table.add_column(head, justify="right" if number else "left", no_wrap=number > 0, min_width=0 if number else 10)
    for row in rows:
        table.add_row(*report.cells(row))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(
        "accuracy: windows inside one activity; changes: also those over a change; network: energy of inference"
    )
    for row in rows:
        if row.note:
            console.print(f"{row.outcome.name}: {row.note}")
    console.print(f"as given: {told['given']}", soft_wrap=True)
    if told["search"]:
        console.print(f"found: {told['policy']}", soft_wrap=True)
    recorded = f"{told['windows_recorded']} recorded windows, played over and over in random order"
    console.print(f"{told['scenario']}: {told['windows_of_the_day']} windows of {told['model']} out of {recorded}")
    console.print(f"energy {told['energy_model']}", soft_wrap=True)
    if told["search"]:
        console.print(f"search: {told['search']}; judged on the recordings it was searched on")


def _progress(what: str) -> Any:
    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{what}: {done / total:4.0%} ", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
