"""The report's pictures, each as a PNG and as SVG whose colours follow the page's light or dark mode."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .values import front

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

INK, MUTED, LINE, SURFACE = "#1c1c1a", "#65635c", "#dedcd4", "#ffffff"
COLORS = {
    "cnn": "#0072b2",
    "resnet": "#c2500a",
    "kinet": "#00805c",
    "width": "#8a4a7f",
    "length": "#8f6a00",
    "rival": "#4d4b46",
}
"""Distinguishable without red or without green; markers and labels repeat the distinction."""
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", SURFACE: "surface", **{c: name for name, c in COLORS.items()}}
MARKERS = {"cnn": "o", "resnet": "s", "kinet": "^", "width": "v", "length": "P", "rival": "D"}
RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kinestream",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "axes.axisbelow": True,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
}


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind, and the line through them."""

    label: str
    color: str
    """A key of ``COLORS``."""
    points: Sequence[tuple[float, float]]
    """(cost, share)"""
    joined: str = "front"
    """``front``: a line through the Pareto front; ``line``: through all points; ``none``: no line."""
    published: bool = False
    """Whether others published it: hollow and dashed."""


def keep(draw: Callable[[], Figure], folder: Path, name: str) -> str:
    """The picture as SVG for the page; also written to ``folder/name.png``."""
    with matplotlib.rc_context(RC):
        figure = draw()
        figure.savefig(folder / f"{name}.png", dpi=150, facecolor=SURFACE)
        figure.set_layout_engine("none")  # reuse the layout: computing it again takes as long as drawing
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = re.sub(r"^.*?(?=<svg)", "", text.getvalue(), flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)  # ids must be unique on the page
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    width = round(float(re.search(r'width="([\d.]+)pt"', svg)[1]) * 4 / 3)  # type: ignore[index]
    # A smaller picture is unreadable; a narrow screen scrolls sideways instead.
    return svg.strip().replace("<svg ", f'<svg role="img" style="width:{width}px;min-width:{0.8 * width:.0f}px" ', 1)


def accuracy_against(series: Sequence[Series], cost: str, tick: Callable[[float], str], low: float) -> Figure:
    """Accuracy in percent against a cost on a logarithmic axis, the labels beside the lines.

    Args:
        cost: the label of the horizontal axis. tick: formats a cost.
        low: the lowest share shown.
    """
    figure = Figure(figsize=(6.9, 4.3), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    ends: list[tuple[float, float, Series]] = []
    for kind in series:
        points = sorted(kind.points)
        line = front(points) if kind.joined == "front" else points
        color, marker = COLORS[kind.color], MARKERS[kind.color]
        if kind.joined == "front":
            x, y = zip(*points, strict=True)
            axes.plot(x, np.multiply(y, 100), marker, color=color, ms=2.5, alpha=0.35, mew=0)
        x, y = np.array(line).T
        style = "none" if kind.joined == "none" else "--" if kind.published else "-"
        face = SURFACE if kind.published else color
        axes.plot(x, 100 * y, ls=style, marker=marker, color=color, ms=5.5 if kind.published else 4.5, mfc=face, lw=1.6)
        ends.append((float(x[-1]), float(100 * y[-1]), kind))
    bottom = 100 * low
    top = max(100 * share for kind in series for _, share in kind.points)
    axes.set_ylim(bottom, top + 0.08 * (top - bottom))
    axes.set_xlabel(cost)
    axes.set_ylabel("accuracy (%)")
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _label(axes, ends)
    return figure


def dots(
    rows: Sequence[str], columns: Sequence[tuple[str, str, Sequence[float | None]]], axis: str, zero: bool = False
) -> Figure:
    """A line per row with a joined dot per column: the effect of a change on a figure.

    Args:
        columns: (label, key of ``COLORS``, a share for every row) each.
        axis: the axis label; values are in percent.
        zero: draw a line at zero.
    """
    figure = Figure(figsize=(6.9, 1.15 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(rows))[::-1]
    values = np.array([[np.nan if v is None else 100 * v for v in shares] for _, _, shares in columns])
    for y, of_row in zip(at, values.T, strict=True):
        if np.isfinite(of_row).any():
            axes.plot([np.nanmin(of_row), np.nanmax(of_row)], [y, y], color=LINE, lw=3, zorder=1)
    for (label, color, _), shares in zip(columns, values, strict=True):
        axes.plot(shares, at, MARKERS[color], color=COLORS[color], ms=7, label=label, zorder=2)
    if zero:
        axes.axvline(0, color=MUTED, lw=1)
    axes.set_yticks(at, rows)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_xlabel(axis)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper left", ncols=min(3, len(columns)), frameon=False, handletextpad=0.2)
    return figure


def gains(lines: Sequence[tuple[str, str, Sequence[tuple[float, float]]]]) -> Figure:
    """Gain against minutes of labelled data; a line is (label, key of ``COLORS``, (minutes, gained share) pairs)."""
    figure = Figure(figsize=(6.9, 3.6), layout="constrained")
    axes = figure.subplots()
    ends: list[tuple[float, float, Series]] = []
    for label, color, points in lines:
        x, y = np.array(sorted(points)).T
        axes.plot(x, 100 * y, marker=MARKERS[color], color=COLORS[color], lw=1.6)
        ends.append((float(x[-1]), float(100 * y[-1]), Series(label, color, points)))
    axes.axhline(0, color=MUTED, lw=1)
    axes.set_xlabel("minutes of labelled data per activity")
    axes.set_ylabel("accuracy gained (points)")
    axes.grid(axis="y")
    _label(axes, ends)
    return figure


def _label(axes: Axes, ends: Sequence[tuple[float, float, Series]], apart: float = 0.062) -> None:
    """Write each line's name right of the axes, as close to the height of its end as the other names allow."""
    bottom, top = axes.get_ylim()
    height: dict[int, float] = {i: min(max((end[1] - bottom) / (top - bottom), 0), 1) for i, end in enumerate(ends)}
    order = sorted(height, key=lambda i: height[i])
    for below, above in pairwise(order):
        height[above] = max(height[above], height[below] + apart)
    ceiling = 1.0
    for i in reversed(order):
        height[i] = min(height[i], ceiling)
        ceiling = height[i] - apart
    for i, (x, y, line) in enumerate(ends):
        axes.annotate(
            line.label,
            xy=(x, y),
            xytext=(1.03, height[i]),
            textcoords="axes fraction",
            va="center",
            color=COLORS[line.color],
            style="italic" if line.published else "normal",
            arrowprops={"arrowstyle": "-", "color": COLORS[line.color], "lw": 0.6, "alpha": 0.6, "shrinkA": 1},
        )
