"""The folder of one training run: opened once, safe to come back to."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from kinestream.errors import ConfigError

from .recipe_file import load_recipe, to_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .recipe import Recipe

CONFIG, CHECKPOINT, METRICS, LOG = "config.toml", "checkpoint.safetensors", "metrics.jsonl", "log.txt"


def open_run(run_dir: Path, recipe: Recipe, *, resume: bool) -> logging.Logger:
    """Make the folder, or come back to it; the log, which also goes into its ``log.txt``.

    Raises:
        ConfigError: another run is there, or there is nothing to resume.
    """
    config = run_dir / CONFIG
    if resume:
        if not config.exists():
            raise ConfigError(f"nothing to resume: {run_dir} has no {CONFIG}; name the run's folder with --out")
        if load_recipe(config) != recipe:
            raise ConfigError(f"the run in {run_dir} has another recipe ({CONFIG}); resume it with its own settings")
    elif config.exists():
        raise ConfigError(f"{run_dir} already holds a run; continue it with --resume or choose another --out")
    else:
        run_dir.mkdir(parents=True, exist_ok=True)
        config.write_text(to_toml(recipe), "utf-8")
    log = logging.Logger(f"kinestream.train.{run_dir}")  # of its own: two runs in one process do not mix
    handler = logging.FileHandler(run_dir / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    return log


def write_metrics(run_dir: Path, history: Iterable[dict[str, Any]]) -> None:
    """All epochs anew, so that a line lost to a kill comes back and none is there twice."""
    (run_dir / METRICS).write_text("".join(json.dumps(row) + "\n" for row in history), "utf-8")
