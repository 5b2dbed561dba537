"""``kinestream tune``: tries a policy on a scripted day, searches its settings, and compares it with rivals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .run_options import PLACES
from .terminal import progress, safe_console, say, show

if TYPE_CHECKING:
    import argparse

    from kinestream.policy import Part


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "tune",
        help="try a policy on a scripted day over recordings, and search its settings",
        description="Simulate a day of battery, load, deadline and link in seconds: every subnetwork runs once on\n"
        "every window, then policies decide on the results and are compared with every fixed subnetwork and an oracle.",
        epilog="examples:\n"
        "  kinestream tune hapt --policy battery --scenario commute --subject 7 17 26 28\n"
        "  kinestream tune monday --policy slowdown+battery --scenario day.toml --save mine.toml --picture day.svg\n"
        "  kinestream replay hapt --policy mine.toml --battery simulated",
    )
    parser.add_argument("source", metavar="RECORDING|DATASET", nargs="?", help="as for replay; accuracy needs labels")
    parser.add_argument("--policy", metavar="P", default="battery", help="as for run (default %(default)s)")
    parser.add_argument(
        "--scenario", metavar="S", default="commute", help="a bundled day or a TOML file (default %(default)s)"
    )
    parser.add_argument("--scenarios", action="store_true", help="list the bundled days and exit")
    parser.add_argument("--model", metavar="M", help="a model (default: by the source and --worn)")
    parser.add_argument("--worn", metavar="PLACE", help=f"where the sensor was worn: {PLACES} (default)")
    parser.add_argument(
        "--energy", metavar="E", default="nrf52840_lsm6dso", help="an energy model (default %(default)s)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the datasets (default $KINESTREAM_DATA)")
    parser.add_argument("--subject", nargs="+", metavar="S", default=[], help="only the recordings of these people")
    parser.add_argument("--columns", metavar="MAP", help="the columns of a CSV or Parquet file, as for replay")
    parser.add_argument("--trials", type=int, default=30, metavar="N", help="settings to try; 0: none (default 30)")
    parser.add_argument(
        "--goal",
        choices=("accuracy", "energy"),
        default="accuracy",
        help="the most right windows, or the least energy at an accuracy (default %(default)s)",
    )
    parser.add_argument(
        "--lose",
        type=float,
        default=0.5,
        metavar="POINTS",
        help="for --goal energy: allowed loss against the most accurate fixed subnetwork (default %(default)s)",
    )
    parser.add_argument("--sleepless", action="store_true", help="keep the gyroscope on while windows are skipped")
    parser.add_argument("--seed", type=int, default=0, help="seed of the day and of the search (default %(default)s)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the best policy as TOML")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw accuracy over energy, .svg or .png")
    parser.add_argument("--json", action="store_true", help="print JSON, including every fixed subnetwork")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Try, search and compare; the table goes to standard output, progress to standard error."""
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
    from kinestream.launch.default_model import assumed_model, default_model
    from kinestream.launch.open_source import SourceOptions, open_source
    from kinestream.policy import build_policy, named_subnets, parse_policy, save_policy, write_policy

    if args.scenarios:
        for name in lab.scenario_names():
            show(f"{name:<14} {lab.read_scenario(name).about}")
        return 0
    # Every option is checked before the computation, which takes time.
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

    def opened() -> Source:
        return open_source(args.source, SourceOptions(args.data, tuple(args.subject), args.columns, math.inf))

    def probs_of(material: lab.Material, task: str) -> lab.SubnetProbs:
        return lab.compute_probs(engine, material, cache=cache_dir() / "lab", progress=progress(task))

    source = opened()
    if source.live or math.isinf(getattr(source, "duration_s", 0.0)):
        raise ConfigError(f"{source.name} never ends; record a part of it (kinestream record) and tune on that")
    name = args.model
    if name is None:
        choice = default_model(source, args.worn, axes=None) or assumed_model(args.worn)
        say(str(choice))
        name = choice.name
    model = load_model(find_model(name))
    engine = Engine(model)
    material = lab.collect(source, model)
    for line in material.notices:
        say(line)
    probs = probs_of(material, "running subnetworks")
    table = operating_table(engine, energy=energy, progress=progress("measuring subnetworks"))
    useful = dict.fromkeys([*candidates(model), *named_subnets(parts)])
    policy_table = replace(table, points=tuple(table[subnet] for subnet in useful))
    reads_gyro = not set(GYRO).isdisjoint(model.input.channels)
    base_mw = energy.base_mw(Sensing(model.input.fs_hz, reads_gyro), 1 / material.hop_s)
    asleep_mw = energy.base_mw(Sensing(model.input.fs_hz, gyro=False), 1 / material.hop_s)
    draws = lab.DevicePower(base_mw, None if args.sleepless else asleep_mw)

    def probs_under(sensing: Sensing) -> lab.SubnetProbs:
        return probs_of(lab.collect(opened(), model, sensing).like(material), f"running them at {sensing}")

    day = lab.Day(scenario, material, probs, table, draws, seed=args.seed, probs_under=probs_under)
    fixed = [lab.fixed(day, subnet) for subnet in model.subnets]
    policy = build_policy(parts, policy_table)
    policies = [day.run(policy, "as given")]
    how = ""
    if args.trials:
        needed = max(outcome.accuracy for outcome in fixed) - args.lose / 100
        best = lab.search(
            day,
            parts,
            policy_table,
            trials=args.trials,
            seed=args.seed,
            goal=args.goal,
            accuracy=needed,
            progress=progress("trying settings"),
        )
        policy, how = best.policy, f"{best.tried} tried, {best.how}"
        policies.append(replace(best.outcome, name="found"))
    rows = report.rows_of(policies, fixed, str(most_accurate(model)), lab.oracle_outcome(day, lab.budget_mj(day)))
    about = {
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
        show(json.dumps({**about, "rows": table_rows, "fixed": [report.as_json(outcome) for outcome in fixed]}))
    else:
        _print(about, rows)
    if args.save:
        save_policy(policy, args.save)
    if args.picture:
        report.draw(args.picture, day, policies, fixed, table.energy_model)
    return 0


def _for_the_day(parts: tuple[Part, ...], hours: float) -> list[Part]:
    """The parts with battery policies set to last the day unless they name their hours."""
    return [
        replace(part, settings={"hours": hours, **part.settings}) if part.kind == "battery" else part for part in parts
    ]


def _print(about: dict[str, Any], rows: list[Any]) -> None:
    from rich import box
    from rich.table import Table

    from kinestream.lab import report

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, head in enumerate(report.HEADS):
        table.add_column(head, justify="right" if number else "left", no_wrap=number > 0, min_width=0 if number else 10)
    for row in rows:
        table.add_row(*report.cells(row))
    console = safe_console()
    console.print(table)
    console.print(
        "accuracy: windows inside one activity; changes: also windows over a change; network: energy of inference"
    )
    for row in rows:
        if row.note:
            console.print(f"{row.outcome.name}: {row.note}")
    console.print(f"as given: {about['given']}", soft_wrap=True)
    if about["search"]:
        console.print(f"found: {about['policy']}", soft_wrap=True)
    recorded = f"{about['windows_recorded']} recorded windows, repeated in random order"
    console.print(f"{about['scenario']}: {about['windows_of_the_day']} windows of {about['model']} from {recorded}")
    console.print(f"energy {about['energy_model']}", soft_wrap=True)
    if about["search"]:
        console.print(f"search: {about['search']}; judged on the recordings it searched")
