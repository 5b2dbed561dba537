"""The reports of a training run in its folder: log lines, epoch metrics and the learning curve."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..judge.plots import draw_curve
from .run_folder import CURVE, LOG, METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CURVE_INTERVAL_S = 10.0
"""Minimum time between two drawings of the learning curve: one takes as long as an epoch of a small network."""


class RunLog:
    """Reports of one run, refreshed after every epoch."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._drawn_s = time.monotonic()

    def write(self, text: str) -> None:
        """Append a line with date and time to the log file."""
        with (self.run_dir / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}\n")

    def add_epoch(self, history: Sequence[dict[str, Any]]) -> None:
        """Report the last epoch of ``history``.

        The metrics file is rewritten in full: a line lost to a kill comes back, and no line appears twice.
        """
        rows = "".join(json.dumps(row) + "\n" for row in history)
        (self.run_dir / METRICS).write_text(rows, "utf-8")
        if time.monotonic() - self._drawn_s > CURVE_INTERVAL_S:
            self.draw_curve(history)
        self.write("  ".join(f"{key} {value}" for key, value in history[-1].items()))

    def draw_curve(self, history: Sequence[dict[str, Any]]) -> None:
        """Draw the learning curve of all epochs."""
        draw_curve(self.run_dir / CURVE, history)
        self._drawn_s = time.monotonic()
