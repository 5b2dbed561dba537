"""The report's section on a sensor turned, or sampling at another rate."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from . import page as html
from .plots import dots, keep
from .values import Results, Worn

if TYPE_CHECKING:
    from pathlib import Path

ROBUST = "_robust"
"""Marks, in the name of a file of ways to wear a sensor, the model trained to bear them."""


def worn(results: Results, out: Path) -> str:
    """Every model turned and at other rates, beside its variant trained for that."""
    robust = {name.replace(ROBUST, ""): found for name, found in results.worn.items() if ROBUST in name}
    plain = {name: found for name, found in results.worn.items() if ROBUST not in name}
    parts = [_worn(name, found, robust.get(name), out) for name, found in plain.items()]
    command = "python benchmarks/worn.py --model uci_cnn --json benchmarks/results/worn_uci_cnn.json"
    return "\n".join(parts) or html.nothing("turned and at other rates", command)


def _worn(name: str, plain: Worn, robust: Worn | None, out: Path) -> str:
    ways, subnets = plain.ways, list(plain.ways[0].accuracy)
    shown = [subnets[0], subnets[-1]]
    sets = [name, *([f"{name}, trained robust"] if robust else [])]
    header = ["worn", ">windows", *(f">{who} {subnet}" for who in sets for subnet in shown)]
    later = {way.how: way for way in robust.ways} if robust else {}
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
    caption = f"{name}, full network. {plain.protocol}. A rate the model refuses is shown as if let through."
    commands = [f"{html.code(one.trained)}, then {html.code(one.command)}" for one in (plain, robust) if one]
    return f"<h3>{escape(name)}</h3>{html.picture(svg, caption)}" + html.folded(
        "All figures, %", html.table(header, rows) + "".join(map(html.paragraph, commands))
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"
