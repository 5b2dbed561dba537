"""The report's section on a sensor turned, or sampling at another rate."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from kinestream.replay_data.datasets import DATASETS

from . import report_page as html
from .report_plots import dots, keep
from .report_values import Results, Worn

if TYPE_CHECKING:
    from pathlib import Path

ROBUST = "_robust"
"""Marks, in the name of a file of ways to wear a sensor, the model trained to bear them."""


def worn(results: Results, out: Path) -> str:
    """Every model turned and at other rates, beside its variant trained for that."""
    robust = {name.replace(ROBUST, ""): ways for name, ways in results.worn.items() if ROBUST in name}
    plain = {name: ways for name, ways in results.worn.items() if ROBUST not in name and ways}
    parts = [_worn(name, ways, robust.get(name, ()), out) for name, ways in plain.items()]
    return "\n".join(parts) or html.nothing("turned and at other rates", _command("uci_cnn"))


def _command(name: str) -> str:
    """What makes the file anew: it is called after its model and, where that has several, the dataset."""
    model = next((name.removesuffix(f"_{one}") for one in DATASETS if name.endswith(f"_{one}")), name)
    return f"python benchmarks/worn.py --model {model} --json benchmarks/results/worn_{model}.json"


def _worn(name: str, ways: Sequence[Worn], robust: Sequence[Worn], out: Path) -> str:
    subnets = list(ways[0].accuracy)
    shown = [subnets[0], subnets[-1]]
    sets = [(name, ways, {})] + ([(f"{name}, trained robust", robust, {})] if robust else [])
    header = ["worn", ">windows", *(f">{who} {subnet}" for who, _, _ in sets for subnet in shown)]
    later = {way.how: way for way in robust}
    rows: list[str] = []
    for way in ways:
        found = [way, *([later.get(way.how)] if robust else [])]
        cells = [html.number(_percent(one and one.accuracy.get(s))) for one in found for s in shown]
        note = " <em>(refused; if it were let through)</em>" if way.refused else ""
        rows.append(html.row(escape(way.how) + note, html.number(way.windows), *cells))
    full = shown[0]
    columns = [("as shipped", "cnn", [way.accuracy.get(full) for way in ways])]
    if robust:
        told = [later[way.how].accuracy.get(full) if way.how in later else None for way in ways]
        columns.append(("trained to be turned", "kinet", told))
    svg = keep(lambda: dots([way.how for way in ways], columns, "accuracy (%)"), out, f"worn_{name}")
    caption = f"{name}, full network, on its own test people. A rate the model refuses is shown as if let through."
    command = html.code(_command(name))
    return f"<h3>{escape(name)}</h3>{html.picture(svg, caption)}" + html.folded(
        "All figures, %", html.table(header, rows) + html.paragraph(command)
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"
