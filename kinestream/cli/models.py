"""``kinestream models`` and ``kinestream table``: list and show models, and measure their subnetworks here."""

from __future__ import annotations

import json
import math
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .terminal import safe_console, show

if TYPE_CHECKING:
    import argparse

    from kinestream.core.operating_table import OperatingTable
    from kinestream.inference import Model
    from kinestream.inference.zoo_table import BundledModel

MOST_SHOWN = 20
"""Largest group of the card that is printed; larger ones (people, accuracy by subnetwork) appear only in JSON."""
FOR_PROGRAMS = ("confusion", "confusion_by_subject", "confidence_bins", "recipe")
"""Entries of the card that are for programs and not printed."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add both commands."""
    models = subparsers.add_parser(
        "models",
        help="list the models or show one",
        description="List what the bundled models are good for, or show one. Without --model, a run uses the one\n"
        "that fits the source's channels and rate, and the place of the sensor (--worn).",
        epilog="examples:\n  kinestream models\n  kinestream models show phone_acc\n  kinestream models list --json",
    )
    models.set_defaults(run=run_list, json=False)
    actions = models.add_subparsers(metavar="list|show")
    listing = actions.add_parser("list", help="list the bundled models")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="show what a model reads and recognises, and what it was trained on")
    show.set_defaults(run=run_show)
    table = subparsers.add_parser("table", help="accuracy, latency and energy of every subnetwork on this machine")
    table.add_argument(
        "--power", type=float, metavar="W", help="power of a busy core in watts, for the energy estimate"
    )
    table.add_argument("--energy", metavar="E", help="estimate by this energy model (kinestream energy) or a file.toml")
    table.add_argument("--front", action="store_true", help="only the subnetworks on the Pareto front")
    table.add_argument("--fresh", action="store_true", help="measure again even if cached")
    table.set_defaults(run=run_table)
    for parser in (show, table):
        parser.add_argument("model", metavar="M", help="name of a bundled model, or a model file")
    for parser in (listing, show, table):
        parser.add_argument("--json", action="store_true", help="print JSON")


def run_list(args: argparse.Namespace) -> int:
    """Print what each bundled model is good for."""
    from kinestream.inference import list_models, load_model
    from kinestream.inference.zoo_table import zoo

    entries = {entry.name: entry for entry in zoo()}
    rows = [
        {**_brief(load_model(path)), **_worth(entries[name]), "path": str(path)} for name, path in list_models().items()
    ]
    if args.json:
        show(json.dumps(rows))
        return 0
    table = _rich_table("model", "good for", "elsewhere")
    for row in rows:
        table.add_row(row["name"], row["good_for"], _elsewhere(row["elsewhere"]))
    _print(table)
    show("elsewhere: accuracy on datasets that the model never saw (docs/results.md)")
    show("kinestream models show NAME: what it reads, recognises and learned from")
    return 0


def _worth(entry: BundledModel) -> dict[str, Any]:
    """What the table of bundled models says about one."""
    return {
        "good_for": entry.good_for,
        "needs": entry.needs,
        "places": list(entry.places),
        "elsewhere": dict(entry.elsewhere),
    }


def _elsewhere(figures: dict[str, float]) -> str:
    """The lowest and the highest accuracy, in percent."""
    shares = sorted({f"{100 * accuracy:.0f}" for accuracy in figures.values()}, key=int)
    return f"{'-'.join(dict.fromkeys((shares[0], shares[-1])))} %" if shares else "not measured"


def run_show(args: argparse.Namespace) -> int:
    """Print the contents of a model file."""
    from kinestream.inference import find_model, load_model

    path = find_model(args.model)
    model = load_model(path)
    facts: dict[str, Any] = {
        **_brief(model),
        "calibration": model.calibration.about or "none; learn it with kinestream calibrate",
        "path": str(path),
        "fingerprint": model.fingerprint,
        "card": model.card,
    }
    if args.json:
        show(json.dumps(facts))
        return 0
    table = _rich_table("", "", header=False)
    for key, value in facts.items():
        if key == "card":
            continue
        listed = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(key, _percent(model.accuracy.get(model.full)) if key == "accuracy" else listed)
    for key, value in model.card.items():
        table.add_row(f"card: {key}", "shown with --json" if key in FOR_PROGRAMS else _card_text(value))
    _print(table)
    return 0


def _card_text(value: Any) -> str:
    """A value of the card for people: short items on one line, long items and groups on a line each."""
    if isinstance(value, dict):
        if not any(isinstance(inner, (dict, list)) for inner in value.values()) and len(str(value)) <= 300:
            return ", ".join(f"{key} {_card_text(inner)}" for key, inner in value.items()) or "none"
        if len(value) > MOST_SHOWN:
            return f"{len(value)} figures, shown with --json"
        return "\n".join(_entry(key, inner) for key, inner in value.items())
    if isinstance(value, list):
        if len(value) > MOST_SHOWN:
            return f"{len(value)} entries, shown with --json"
        texts = [_card_text(inner) for inner in value]
        long = any(isinstance(inner, (dict, list)) or len(text) > 40 for inner, text in zip(value, texts, strict=True))
        return ("\n" if long else ", ").join(texts) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _entry(key: str, value: Any) -> str:
    if key == "scores" and len(value) > 1:
        first, *others = value
        value = {first: value[first], f"{len(others)} other subnetworks": "shown with --json"}
    text = "shown with --json" if key in FOR_PROGRAMS else _card_text(value)
    return f"{key}:\n{textwrap.indent(text, '  ')}" if "\n" in text else f"{key}: {text}"


def run_table(args: argparse.Namespace) -> int:
    """Print the operating table, measured or cached, with the Pareto front marked."""
    from rich.progress import Progress

    from kinestream.energy.energy_model import read_energy_model
    from kinestream.inference import Engine, find_model, load_model, operating_table
    from kinestream.inference.measure import POWER_W

    if args.energy and args.power is not None:
        raise ConfigError("--power and --energy both set the energy of a window; give one of them")
    energy = read_energy_model(args.energy) if args.energy else None
    engine = Engine(load_model(find_model(args.model)))
    with Progress(console=safe_console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("measuring")
        table = operating_table(
            engine,
            power_w=POWER_W if args.power is None else args.power,
            energy=energy,
            fresh=args.fresh,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    rows = [row for row in _rows(table) if row["front"] or not args.front]
    if args.json:
        facts = {"model": table.model, "machine": table.machine, "energy_model": table.energy_model}
        show(json.dumps(facts | {"points": rows, "sensing": _sensing_rows(table), "hops": _hop_rows(table)}))
        return 0
    shown = _rich_table("", "subnetwork", "accuracy", "million MACs", "p50 ms", "p95 ms", "mJ")
    for row in rows:
        shown.add_row(
            "*" if row["front"] else "",
            row["subnet"],
            _percent(row["accuracy"]),
            f"{row['macs'] / 1e6:.2f}",
            f"{row['p50_ms']:.3f}",
            f"{row['p95_ms']:.3f}",
            f"{row['energy_mj']:.3f}",
        )
    _print(shown)
    if table.sensing:
        sensors = _rich_table("sensor", "best", "narrowest", "mW without inference")
        for row in _sensing_rows(table):
            # A model of a processor alone has no sensor.
            power = f"{row['base_mw']:.3f}" if row["base_mw"] else "not in this energy model"
            sensors.add_row(row["sensing"], _percent(row["best"]), _percent(row["narrowest"]), power)
        _print(sensors)
        hops = _rich_table("predicted", "best", "narrowest")
        for row in _hop_rows(table):
            every = "every window" if row["hop"] == 1 else f"every {row['hop']} windows"
            hops.add_row(every, _percent(row["best"]), _percent(row["narrowest"]))
        _print(hops)
    show(
        f"{table.model} on {table.machine}",
        f"energy: {table.energy_model}",
        "* Pareto front of accuracy and energy",
    )
    return 0


def _brief(model: Model) -> dict[str, Any]:
    arch = model.architecture
    return {
        "name": model.name,
        "kind": arch.kind,
        "labels": list(model.labels),
        "channels": list(model.input.channels),
        "fs_hz": model.input.fs_hz,
        "length": model.input.length,
        "hop": model.input.hop,
        "widths": list(model.widths),
        "resolutions": list(model.resolutions),
        "accuracy": model.accuracy.get(model.full),
    }


def _rows(table: OperatingTable) -> list[dict[str, Any]]:
    front = {point.subnet for point in table.front}
    return [
        {
            "subnet": str(point.subnet),
            "width": point.subnet.width,
            "resolution": point.subnet.resolution,
            "accuracy": None if math.isnan(point.accuracy) else point.accuracy,
            "macs": point.macs,
            "p50_ms": point.p50_ms,
            "p95_ms": point.p95_ms,
            "energy_mj": point.energy_mj,
            "front": point.subnet in front,
        }
        for point in table.points
    ]


def _sensing_rows(table: OperatingTable) -> list[dict[str, Any]]:
    """Accuracies with a slower sensor, on the validation people's whole recordings."""
    return [
        {
            "sensing": str(row.sensing),
            "fs_hz": row.sensing.fs_hz,
            "gyro": row.sensing.gyro,
            "best": row.best,
            "narrowest": row.accuracy[min(row.accuracy)],
            "base_mw": row.base_mw,
        }
        for row in table.sensing
    ]


def _hop_rows(table: OperatingTable) -> list[dict[str, Any]]:
    """Accuracies when one prediction serves several windows, on the same recordings."""
    return [
        {"hop": hop, "best": max(accuracy.values()), "narrowest": accuracy[min(accuracy)]}
        for hop, accuracy in table.hops.items()
    ]


def _percent(share: float | None) -> str:
    return "not evaluated" if share is None else f"{100 * share:.2f} %"


def _rich_table(*columns: str, header: bool = True) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_header=header)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column.endswith(("ms", "mJ", "MACs")) else "left")
    return table


def _print(table: Any) -> None:

    safe_console().print(table)
