"""The folder of one training run: opened once, safe to come back to."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kinestream.errors import ConfigError

from .recipe_file import load_recipe, to_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .recipe import Recipe

CONFIG, CHECKPOINT, METRICS, LOG = "config.toml", "checkpoint.safetensors", "metrics.jsonl", "log.txt"


def open_run(run_dir: Path, recipe: Recipe, *, resume: bool) -> None:
    """Make the folder, or come back to it.

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


def note(run_dir: Path, text: str) -> None:
    """A line in the folder's log."""
    with (run_dir / LOG).open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}\n")


def write_metrics(run_dir: Path, history: Iterable[dict[str, Any]]) -> None:
    """All epochs anew, so that a line lost to a kill comes back and none is there twice."""
    (run_dir / METRICS).write_text("".join(json.dumps(row) + "\n" for row in history), "utf-8")
