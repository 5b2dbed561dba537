"""The report's sections on accuracy against cost: multiply-accumulates, and measured time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from . import page as html
from .accuracy import NETWORKS, Published
from .plots import Series, accuracy_against, keep
from .values import Results, Row, Spread, main_group

if TYPE_CHECKING:
    from pathlib import Path

LINES = {"width-only": "width", "resolution-only": "length", "resolution-only, recalibrated": "length"}
"""The colour of each baseline drawn as a line."""
WIDEST = 4
"""A rival slower than this multiple of our slowest subnetwork is listed below the picture instead of drawn."""
BASELINES = (
    " Baselines of our CNN: width-only, a network cut in width alone; trained alone, one network for each "
    "configuration; resolution-only, the full one of these tested at other lengths; recalibrated, the same with "
    "batch-norm statistics for each length."
)


def against_macs(results: Results, published: Published, out: Path) -> str:
    """Accuracy on the test people against multiply-accumulates: ours, the published figures and the baselines."""
    series: list[Series] = []
    for network, label in NETWORKS.items():
        if group := main_group(results, f"uci_{network}"):
            points = [(m, mean) for subnet, mean in group.means().items() if (m := group.first.macs(subnet))]
            series.append(Series(label, network, points))
        if figures := published["paper"]["uci"].get(network):
            points = [(1e6 * values["macs"], values["accuracy"] / 100) for values in figures.values()]
            series.append(Series(f"{label}, published", network, points, published=True))
    low = min(share for line in series for _, share in line.points) - 0.004
    baselines = results.tables.get("baselines")
    rows = baselines.rows if baselines else ()
    for name, color in LINES.items():
        if points := _costs(rows, name):
            series.append(Series(name.removeprefix("resolution-only, "), color, points, "line"))
    if points := _costs(rows, "independent"):
        series.append(Series("trained alone", "rival", points, "line"))
    cost = "multiply-accumulates of one window, millions"
    parts = [_picture(series, out, "accuracy_macs", cost, _millions, low, BASELINES if rows else "")]
    if baselines is None:
        command = "python -m benchmarks.baselines --json benchmarks/results/baselines.json"
        parts.append(html.nothing("width only, resolution only, trained alone", command))
    else:
        parts.append(_saved(baselines.more.get("compute_saved", []), published))
    return "\n".join(parts)


def against_latency(results: Results, out: Path) -> str:
    """Accuracy on the test people against the measured time of one window."""
    timed = results.tables.get("front")
    if timed is None:
        command = "python benchmarks/front.py --json benchmarks/results/front.json"
        return html.nothing("latency of every subnetwork", command)
    series: list[Series] = []
    for network, label in NETWORKS.items():
        group = main_group(results, f"uci_{network}")
        means = group.means() if group else {}
        points: list[tuple[float, float]] = []
        for row in timed.rows:
            shares = [means[row.subnet]] if row.subnet in means else list(row.accuracy)
            if row.network == network and row.name == f"uci_{network}" and row.latency_us and shares:
                points.append((row.latency_us, shares[0]))
        if points:
            series.append(Series(label, network, points))
    if not series:
        return html.paragraph("No test accuracy is known for the timed models.")
    low = min(share for line in series for _, share in line.points) - 0.004
    most = WIDEST * max(cost for line in series for cost, _ in line.points)
    beyond: list[str] = []
    for row in (r for t in ("baselines", "rivals") if t in results.tables for r in results.tables[t].rows):
        spread = Spread.of(row.accuracy)
        if spread is None or row.latency_us is None or row.network or row.subnet:
            continue
        if row.latency_us > most:
            beyond.append(f"{row.name}: {spread} % in {row.latency_us:,.0f} us")
        else:
            series.append(Series(row.name, "rival", [(row.latency_us, spread.mean)], "none"))
    more = f" Too slow for the picture: {'; '.join(beyond)}." if beyond else ""
    drawn = _picture(series, out, "accuracy_latency", "measured time of one window, microseconds", _units, low, more)
    command = html.code(timed.command)
    return drawn + html.paragraph(f"Timed on {escape(timed.machine)}: {command}")


def _picture(series: Sequence[Series], out: Path, name: str, cost: str, tick: Any, low: float, more: str = "") -> str:
    caption = (
        "UCI-HAR: our figures on the windows rebuilt from HAPT, official test people, mean over the seeds; published "
        "figures (hollow, dashed) on the original windows. Dots are subnetworks; a line joins those that nothing "
        "cheaper beats on these same test people, which flatters a network with many subnetworks. Baselines below the "
        "lowest subnetwork are not drawn."
        f"{more}"
    )
    return html.picture(keep(lambda: accuracy_against(series, cost, tick, low), out, name), caption)


def _costs(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    return [(r.macs, s.mean) for r in rows if r.name == name and r.macs and (s := Spread.of(r.accuracy))]


def _saved(entries: Sequence[Mapping[str, Any]], published: Published) -> str:
    """The compute saved by the cheapest subnetwork that is as accurate as the network trained alone."""
    claims = ", ".join(f"{NETWORKS[n]} {claim['uci']:g}x" for n, claim in published["paper"]["saved"].items())
    rows: list[str] = []
    for entry in entries:
        for way, text in (("chosen", "chosen on validation people"), ("read_off_test", "read off the test people")):
            for cost, point in (entry.get(way) or {}).items():
                rival = escape(str(entry.get("against", "independent")))
                heading = f"{escape(str(entry.get('name')))}, least {escape(cost)}, against {rival}"
                rows.append(html.row(heading, html.cell(text), *_saved_cells(point or {}, entry.get("seeds"))))
    if not rows:
        command = "python -m benchmarks.baselines --saved RUNS/*.safetensors --json benchmarks/results/baselines.json"
        rows = [html.missing("compute saved", 6, command)]
    return (
        "<h3>Compute saved at the accuracy of the full network trained alone</h3>"
        + html.table(["network", "chosen", ">subnetwork", ">saved", ">test accuracy, %", ">seeds"], rows)
        + html.paragraph(f"{html.mark('published')} the paper, against tuning width alone, MACs: {escape(claims)}.")
    )


def _saved_cells(point: Mapping[str, Any], seeds: object) -> list[str]:
    """The subnetwork, its savings and its accuracy; dashes where no subnetwork is accurate enough."""
    ways = (("macs_saved", "MACs"), ("time_saved", "time"))
    saved = ", ".join(f"{point[key]}x in {cost}" for key, cost in ways if point.get(key))
    accuracy = Spread.of([point["accuracy"]] if point.get("accuracy") else [])
    return [html.number(point.get("subnet")), html.number(saved or None), html.number(accuracy), html.number(seeds)]


def _millions(value: float) -> str:
    return f"{value / 1e6:g}"


def _units(value: float) -> str:
    return f"{value:g}"
