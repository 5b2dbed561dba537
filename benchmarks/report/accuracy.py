"""The report's sections on accuracy: against published figures, of other models, and by class."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from kinestream.core.signals import Subnet

from . import page as html
from .values import Group, Results, Spread, in_short, main_group, models_of

Published = Mapping[str, Any]

NETWORKS = {"cnn": "CNN", "resnet": "ResNet", "kinet": "kinet"}
DATASETS = {"uci": "UCI-HAR", "wisdm": "WISDM v1.1", "unimib": "UniMiB-SHAR, 17 activities"}
TRAINED_AS = {
    "uci_cnn": "uci",
    "uci_resnet": "resnet_uci",
    "uci_kinet": "kinet_uci",
    "wisdm_cnn": "wisdm",
    "wisdm_resnet": "resnet_wisdm",
    "unimib_cnn": "unimib",
    "unimib_resnet": "resnet_unimib",
}
"""The training name (``--model_name``) of each model with a published counterpart, and of kinet."""
PAPER_RECIPE = "_paper"
"""The suffix of a model trained by the paper's recipe instead of ours."""


def beside_published(results: Results, published: Published) -> str:
    """One table for each of the paper's datasets: our mean over seeds and the published figure."""
    parts: list[str] = []
    for dataset, title in DATASETS.items():
        models = {network: f"{dataset}_{network}" for network in NETWORKS if f"{dataset}_{network}" in TRAINED_AS}
        groups = {network: main_group(results, model) for network, model in models.items()}
        ours = next((group.first.definition for group in groups.values() if group), "")
        marks = html.mark("apart", "people apart") if ours else ""
        theirs = published["paper"]["protocols"][dataset]
        leaks = html.mark("leaky") if "leaky" in theirs else ""
        header = ["subnetwork", ">ours, %", ">alone", ">published, %", ">alone", ">MACs"]
        rows: list[str] = []
        for network, group in groups.items():
            figures = published["paper"][dataset].get(network, {})
            head = _head(NETWORKS[network], models[network], dataset, group, len(header))
            rows += [head, *_subnet_rows(group, figures, _alone(results, dataset, network))]
            if figures:
                model, name = f"{models[network]}{PAPER_RECIPE}", f"{NETWORKS[network]}, by the paper's recipe"
                by_paper = main_group(results, model)
                rows.append(_head(name, model, dataset, by_paper, len(header)))
                rows += _subnet_rows(by_paper, figures, {}) if by_paper else []
        rows += [_rival(rival) for rival in published["rivals"] if rival["dataset"] == dataset]
        parts += [
            f"<h3>{escape(title)}</h3>",
            html.paragraph(f"{html.mark('ours')} {marks} {escape(ours) or 'data not available here'}"),
            html.paragraph(f"{html.mark('published')} {leaks} {escape(theirs)}"),
            html.table(header, rows),
        ]
    paper = published["paper"]
    parts.append(
        html.paragraph(
            f'{html.mark("published")} <a href="{escape(paper["link"])}">{escape(paper["source"])}</a>. '
            f"{escape(paper['note'])} <em>Alone</em>: a network trained for that one configuration."
        )
    )
    return "\n".join(parts)


def _alone(results: Results, dataset: str, network: str) -> dict[Subnet | None, Spread | None]:
    """The accuracy of our networks trained for one configuration each; only for UCI-HAR."""
    baselines = results.tables.get("baselines")
    rows = baselines.rows if baselines and dataset == "uci" else ()
    return {r.subnet: Spread.of(r.accuracy) for r in rows if r.name == "independent" and r.network == network}


def _rival(rival: Published) -> str:
    heading = f"{escape(rival['name'])}, {escape(rival['source'])} ({escape(rival['protocol'])})"
    cells = (f"{rival['accuracy']:.2f}", None, None)
    return f'<tr><th colspan="3">{heading}</th>{"".join(html.number(cell, "theirs") for cell in cells)}</tr>'


def _head(name: str, model: str, dataset: str, group: Group | None, columns: int) -> str:
    """The heading row above a network's subnetworks: the command that was run, or the one to run."""
    if group is None:
        base = model.removesuffix(PAPER_RECIPE)
        recipe = "--recipe paper " if base != model else ""
        train = f"kinestream train --model_name {TRAINED_AS[base]} {recipe}--test --out runs/{model}"
        reason, fetch = ("not measured yet", "") if dataset == "uci" else ("data not available here", _fetch(dataset))
        return html.missing(name, columns, f"{fetch}{train} && python -m benchmarks.report runs/{model}", reason)
    held = html.mark("held", "validation people") if group.first.part != "test" else ""
    epochs = f", {group.first.epochs} epochs" if group.first.epochs else ""
    text = f"{group.over}, each on {group.first.windows} windows{epochs} {held} {html.code(group.first.command)}"
    return f'<tr class="gist"><th>{name}</th><td colspan="{columns - 1}">{text}</td></tr>'


def _subnet_rows(group: Group | None, figures: Published, alone: Mapping[Subnet | None, Spread | None]) -> list[str]:
    """A network's figures beside the published ones; without published ones, its full and smallest subnetwork."""
    rows: list[str] = []
    published = {Subnet.parse(name): values for name, values in figures.items()}
    ends = [] if group is None or published else [group.subnets[-1], group.subnets[0]]
    for subnet in [*published, *ends]:
        values = published.get(subnet, {})
        cost = values["macs"] * 1e6 if values else group.first.macs(subnet) if group else None
        spread = group.accuracy(subnet) if group else None
        rows.append(
            html.row(
                str(subnet),
                html.number(spread, "mine"),
                html.number(alone.get(subnet)),
                html.number(f"{values['accuracy']:.2f}" if values else None, "theirs"),
                html.number(f"{values['independent']:.2f}" if "independent" in values else None, "theirs"),
                html.number(html.macs(cost)),
            )
        )
    return rows


def _fetch(dataset: str) -> str:
    return f"kinestream data fetch {dataset} && "


def other_models(results: Results) -> str:
    """The full and smallest subnetwork of each model without a published counterpart."""
    rows: list[str] = []
    for model in models_of(results):
        group = main_group(results, model)
        if model.removesuffix(PAPER_RECIPE) in TRAINED_AS or group is None:
            continue
        for subnet in dict.fromkeys((group.subnets[-1], group.subnets[0])):
            numbers = map(html.number, (group.accuracy(subnet), group.macro_f1(subnet)))
            protocol = html.words(in_short(group.first.definition))
            rows.append(html.row(f"{model} {subnet}", *numbers, html.cell(group.over), protocol))
    return html.table(["model", ">accuracy, %", ">macro F1, %", "over", "windows of"], rows)


def classes(results: Results) -> str:
    """The class scores and confusion of every model, for its full and its smallest subnetwork."""
    parts: list[str] = []
    for model in models_of(results):
        group = main_group(results, model)
        subnets = sorted({s for run in group.runs for s in run.scores if "confusion" in run.scores[s]}) if group else []
        parts.append(f"<h3>{escape(model)}</h3>")
        if group is None or not subnets:
            command = f"kinestream evaluate {model} --json > benchmarks/results/{model}.json"
            parts.append(html.nothing("classes and confusion", command))
            continue
        parts += [_confusion(group, subnet) for subnet in dict.fromkeys((subnets[-1], subnets[0]))]
    return "\n".join(parts)


def _confusion(group: Group, subnet: Subnet) -> str:
    runs = [run.scores[subnet] for run in group.runs if "confusion" in run.scores.get(subnet, {})]
    labels = list(runs[0]["classes"])
    runs = [score for score in runs if list(score["classes"]) == labels]
    counts = np.sum([score["confusion"] for score in runs], axis=0)
    letters = [_letter(i) for i in range(len(labels))]
    rows: list[str] = []
    for label, letter, line in zip(labels, letters, counts, strict=True):
        values = ([s["classes"][label][kind] for s in runs] for kind in ("precision", "recall", "f1"))
        spreads = [Spread.of([value for value in measured if value is not None]) for measured in values]
        shares = line / max(1, line.sum())
        cells = [_shaded(int(n), float(share)) for n, share in zip(line, shares, strict=True)]
        rows.append(html.row(f"{letter} {escape(label)}", *map(html.number, spreads), *cells))
    header = ["class", ">precision", ">recall", ">F1", *(f">{letter}" for letter in letters)]
    over = f"{len(runs)} run" + ("s, windows summed" if len(runs) > 1 else "")
    caption = f"{subnet}: scores of each class in percent, and the labels its windows received ({over})"
    return html.folded(caption, html.table(header, rows, "confusion"))


def _letter(i: int) -> str:
    return chr(ord("a") + i)


def _shaded(n: int, share: float) -> str:
    ink = ";color:var(--surface)" if share > 0.55 else ""
    style = f"background:color-mix(in srgb, var(--cnn) {100 * share:.0f}%, transparent){ink}"
    return f'<td style="{style}">{n}</td>'
