"""Two plots of a run: its learning curve, and the accuracy of every subnetwork."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from kinestream.core.signals import Subnet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def draw_curve(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write a plot of losses and validation accuracies over the epochs."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for axes, keys, label in (
        (losses, ("teacher_loss", "student_loss"), "loss"),
        (accuracies, ("full_accuracy", "thinnest_accuracy"), "validation accuracy"),
    ):
        for key in keys:
            axes.plot(epochs, [row[key] for row in history], label=key.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def draw_heat_map(path: Path, accuracy: Mapping[Subnet, float], title: str) -> None:
    """Write ``heat_map`` to an image file."""
    heat_map(accuracy, title).savefig(path, dpi=120)


def heat_map(accuracy: Mapping[Subnet, float], title: str) -> Figure:
    """A figure with the accuracy of every (width, resolution), in percent."""
    widths = sorted({subnet.width for subnet in accuracy})
    resolutions = sorted({subnet.resolution for subnet in accuracy})
    grid = np.array([[100 * accuracy[Subnet(w, r)] for w in widths] for r in resolutions])
    figure = Figure(figsize=(2 + 0.55 * len(widths), 1.6 + 0.35 * len(resolutions)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(grid, aspect="auto", origin="lower", cmap="viridis")
    axes.set_xticks(range(len(widths)), [f"{width:.2f}" for width in widths], rotation=60)
    axes.set_yticks(range(len(resolutions)), [str(resolution) for resolution in resolutions])
    axes.set_xlabel("width")
    axes.set_ylabel("resolution (samples)")
    axes.set_title(title)
    middle = (grid.min() + grid.max()) / 2
    for (row, column), value in np.ndenumerate(grid):
        color = "white" if value < middle else "black"
        axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7, color=color)
    figure.colorbar(image, label="accuracy (%)")
    return figure
