"""The report's comparisons: protocols, rivals, changes to the recipe, adapting to a person."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING, Any

from . import page as html
from .accuracy import DATASETS
from .plots import dots, gains, keep
from .values import Group, Results, Row, Spread, Table, grouped, in_short, models_of, on_front

if TYPE_CHECKING:
    from pathlib import Path

    from kinestream.core.signals import Subnet

LINES = ("cnn", "kinet", "width", "length", "resnet", "rival")
"""The colours of lines that do not stand for a network, in order of use."""


def protocols(results: Results, published: Mapping[str, Any]) -> str:
    """Every model under every protocol it was tested under; leaky protocols are marked."""
    rows: list[str] = []
    models = models_of(results)
    groups = sorted(grouped(results.runs), key=lambda g: (models.index(g.first.model), g.first.leaky, g.first.protocol))
    for group in groups:
        full, least = group.subnets[-1], group.subnets[0]
        rows.append(
            html.row(
                escape(group.first.model),
                html.cell(f"{escape(group.first.protocol)} {_marks(group)}"),
                html.number(group.accuracy(full)),
                html.number(group.macro_f1(full)),
                html.number(group.accuracy(least)),
                html.cell(group.over),
                html.words(in_short(group.first.definition)),
            )
        )
    have = {(group.first.model, group.first.protocol) for group in groups}
    for protocol in ("leaky", "groups"):
        if ("uci_cnn", protocol) not in have:
            fold = " --fold 1" if protocol == "groups" else ""
            run = f"runs/uci_{protocol}"
            command = f"kinestream train --model_name uci --protocol {protocol}{fold} --test --out {run}"
            command += f" && cp {run}/metrics.json benchmarks/results/uci_cnn_{protocol}.json"
            rows.append(html.missing(f"uci_cnn, {protocol}", 7, command))
    paper = published["paper"]
    for dataset, words in paper["protocols"].items():
        figures = list(paper[dataset]["cnn"].values())
        marks = html.mark("published") + (" " + html.mark("leaky") if "leaky" in words else "")
        numbers = (f"{figures[0]['accuracy']:.2f}", None, f"{figures[-1]['accuracy']:.2f}")
        cells = (html.cell(marks), *map(html.number, numbers), html.cell(""), html.words(words))
        rows.append(html.row(f"the paper's CNN, {DATASETS[dataset]}", *cells))
    header = ["model", "protocol", ">full, %", ">macro F1, %", ">smallest, %", "over", "windows of"]
    return html.table(header, rows)


def _marks(group: Group) -> str:
    run = group.first
    marks = [html.mark("leaky")] if run.leaky else [html.mark("apart", "people apart")]
    if run.seen and not run.leaky:
        marks = [html.mark("leaky", "people seen in training")]
    if run.part != "test":
        marks.append(html.mark("held", "validation people"))
    return " ".join([html.mark("ours"), *marks])


def arena(results: Results, published: Mapping[str, Any]) -> str:
    """Macro F1 under the protocol of WHAR Arena: our figures among the published ones."""
    figures = published["arena"]
    entries: list[tuple[float, str]] = []
    for name, percent in figures["macro_f1"].items():
        cells = (html.cell(html.mark("published")), html.number(f"{percent:.1f}"), *map(html.number, (None, None)))
        entries.append((percent, html.row(escape(name), *cells, html.words("as published"))))
    table = results.tables.get("arena_hapt")
    shown = on_front(table.rows) or table.rows if table else ()
    for row in shown:
        if spread := Spread.of(row.macro_f1):
            over = f"{spread.n} {table.over}" if table else ""
            numbers = (spread, html.macs(row.macs), _microseconds(row.latency_us))
            cells = (html.cell(html.mark("ours")), *map(html.number, numbers), html.words(f"{over}. {row.note}"))
            entries.append((100 * spread.mean, html.row(escape(_named(row)), *cells)))
    entries.sort(key=lambda entry: -entry[0])
    rows = [text for _, text in entries]
    if table is None:
        command = "python -m benchmarks.arena --json benchmarks/results/arena_hapt.json"
        rows.insert(0, html.missing("ours", 6, command))
    header = ["model", "by", ">macro F1, %", ">MACs", ">time of a window", ""]
    return (
        html.paragraph(f"{html.mark('published')} HAPT, 12 classes; {escape(figures['protocol'])}.")
        + (html.paragraph(f"{html.mark('ours')} {escape(table.protocol)} {html.code(table.command)}") if table else "")
        + html.table(header, rows)
        + (_arena_more(table) if table else "")
        + html.paragraph(
            f'{html.mark("published")} <a href="{escape(figures["link"])}">{escape(figures["source"])}</a>. '
            f"{escape(figures['note'])}"
        )
    )


def _arena_more(table: Table) -> str:
    rival = table.more.get("rival_us")
    timed = f" A network built like TinierHAR takes {rival:g} us in the same run on {table.machine}." if rival else ""
    text = "Our rows are those that nothing faster beats on the validation people of the folds." + timed
    return html.paragraph(escape(text)) + html.folded("All our subnetworks", any_table(table))


def ablation(results: Results, out: Path) -> str:
    """The cost of each change to the recipe, on the validation people."""
    table = results.tables.get("ablation")
    if table is None or not table.rows:
        command = "python -m benchmarks.ablation --json benchmarks/results/ablation.json"
        return html.nothing("one change to the recipe at a time", command)
    names = list(dict.fromkeys(row.name for row in table.rows))
    subnets = list(dict.fromkeys(row.subnet for row in table.rows))
    spreads = {(row.name, row.subnet): Spread.of(row.accuracy) for row in table.rows}
    rows: list[str] = []
    drops: dict[Subnet | None, list[float | None]] = {subnet: [] for subnet in subnets}
    for name in names:
        cells: list[str] = []
        for subnet in subnets:
            spread, base = spreads.get((name, subnet)), spreads.get((names[0], subnet))
            drop = spread.mean - base.mean if spread and base else None
            drops[subnet].append(drop)
            cells += [html.number(spread), html.number(None if drop is None else f"{100 * drop:+.2f}")]
        rows.append(html.row(escape(name), *cells))
    header = ["recipe", *(text for subnet in subnets for text in (f">{subnet or 'all'}, %", ">change"))]
    colors = dict(zip(dict.fromkeys((subnets[0], subnets[-1])), ("cnn", "kinet"), strict=False))
    columns = [(str(subnet), color, drops[subnet][1:]) for subnet, color in colors.items()]
    picture = ""
    if len(names) > 1:
        axis = "change of accuracy against the complete recipe (points)"
        picture = keep(lambda: dots(names[1:], columns, axis, zero=True), out, "ablation")
        picture = html.picture(picture, _caption(table))
    return picture + html.table(header, rows) + _source(table)


def adapting(results: Results, out: Path) -> str:
    """The gain from a few minutes of one person's labelled data."""
    table = results.tables.get("adapt")
    if table is None or not table.rows:
        return html.nothing("adapting to one person", "python -m benchmarks.adapt --json benchmarks/results/adapt.json")
    lines: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.accuracy:
            lines.setdefault(_named(row), []).append(row)
    largest = {row.name: max(r.macs or 0 for r in table.rows if r.name == row.name) for row in table.rows}
    rows: list[str] = []
    drawn: list[tuple[str, str, list[tuple[float, float]]]] = []
    for name, line in lines.items():
        line.sort(key=lambda row: row.minutes or 0)
        gained = [fmean(row.accuracy) - fmean(line[0].accuracy) for row in line]
        for row, gain in zip(line, gained, strict=True):
            ends = f" [{100 * row.interval[0]:+.1f}, {100 * row.interval[1]:+.1f}]" if row.interval else ""
            numbers = (f"{row.minutes or 0:g}", Spread.of(row.accuracy), len(row.accuracy))
            change = f"{100 * gain:+.2f}{ends}" if row.minutes else None
            cells = (*map(html.number, (*numbers, change)), html.words(row.note if row is line[0] else ""))
            rows.append(html.row(escape(name), *cells))
        if len(line) > 1 and (line[0].macs or 0) == largest[line[0].name]:
            color = LINES[len(drawn) % len(LINES)]
            drawn.append((name, color, [(row.minutes or 0.0, gain) for row, gain in zip(line, gained, strict=True)]))
    picture = html.picture(keep(lambda: gains(drawn), out, "adapt"), _caption(table)) if drawn else ""
    header = ["model", ">minutes", ">accuracy, %", f">{table.over}", ">gain [95 % interval]", ""]
    rows += [html.missing(_named(row), len(header), table.command, row.note) for row in table.rows if not row.accuracy]
    return picture + html.table(header, rows) + _source(table)


def any_table(table: Table) -> str:
    """All rows of a comparison, in the file's order."""
    rows = [
        html.row(
            escape(_named(row)),
            html.cell(html.mark("leaky") if row.leaky else ""),
            *map(html.number, (Spread.of(row.accuracy), Spread.of(row.macro_f1), len(row.accuracy) or None)),
            *map(html.number, (html.macs(row.macs), _microseconds(row.latency_us))),
            html.words(row.note),
        )
        for row in table.rows
    ]
    header = ["", "", ">accuracy, %", ">macro F1, %", f">{table.over}", ">MACs", ">time of a window", ""]
    return html.table(header, rows) + _source(table)


def _named(row: Row) -> str:
    return f"{row.name} {row.subnet}" if row.subnet else row.name


def _caption(table: Table) -> str:
    part = "validation people" if table.part == "validation" else "test people"
    return f"{table.title}. {table.protocol}; tested on {part}."


def _source(table: Table) -> str:
    return html.paragraph(f"{html.mark('ours')} {escape(_caption(table))} {html.code(table.command)}")


def _microseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} us"
