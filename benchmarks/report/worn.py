"""The report's section on a turned sensor, and on other sampling rates."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from . import page as html
from .plots import dots, keep
from .values import Results, Worn

if TYPE_CHECKING:
    from pathlib import Path

ROBUST = "_robust"
"""Part of the file name for a model trained with turned sensors."""


def worn(results: Results, out: Path) -> str:
    """Every model with its sensor turned and at other rates, next to the variant trained for that."""
    robust = {name.replace(ROBUST, ""): results.worn[name] for name in results.worn if ROBUST in name}
    plain = {name: measured for name, measured in results.worn.items() if ROBUST not in name}
    parts = [_worn(name, measured, robust.get(name), out) for name, measured in plain.items()]
    command = "python benchmarks/worn.py --model uci_cnn --json benchmarks/results/worn_uci_cnn.json"
    return "\n".join(parts) or html.nothing("turned sensors and other rates", command)


def _worn(name: str, plain: Worn, robust: Worn | None, out: Path) -> str:
    ways, subnets = plain.ways, list(plain.ways[0].accuracy)
    shown = [subnets[0], subnets[-1]]
    models = [name, *([f"{name}, trained robust"] if robust else [])]
    header = ["worn", ">windows", *(f">{model} {subnet}" for model in models for subnet in shown)]
    robust_ways = {way.how: way for way in robust.ways} if robust else {}
    rows: list[str] = []
    for way in ways:
        measured = [way, *([robust_ways.get(way.how)] if robust else [])]
        cells = [html.number(_percent(entry and entry.accuracy.get(s))) for entry in measured for s in shown]
        note = " <em>(the model refuses this rate; measured with the check off)</em>" if way.refused else ""
        rows.append(html.row(escape(way.how) + note, html.number(way.windows), *cells))
    full = shown[0]
    columns = [("as shipped", "cnn", [way.accuracy.get(full) for way in ways])]
    if robust:
        shares = [robust_ways[way.how].accuracy.get(full) if way.how in robust_ways else None for way in ways]
        columns.append(("trained with turned sensors", "kinet", shares))
    svg = keep(lambda: dots([way.how for way in ways], columns, "accuracy (%)"), out, f"worn_{name}")
    caption = f"{name}, full network. {plain.protocol}. Rates the model refuses are measured with the check off."
    commands = [f"{html.code(m.trained)}, then {html.code(m.command)}" for m in (plain, robust) if m]
    return f"<h3>{escape(name)}</h3>{html.picture(svg, caption)}" + html.folded(
        "All figures, %", html.table(header, rows) + "".join(map(html.paragraph, commands))
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"
