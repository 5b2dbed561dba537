"""The folder of one training run: opened once, safe to come back to."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, DataDamaged

from ..recipe.recipe_toml import differences, load_recipe, to_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..recipe.schema import Recipe

CONFIG, CHECKPOINT, METRICS, LOG = "config.toml", "checkpoint.safetensors", "metrics.jsonl", "log.txt"
SCORES = "metrics.json"
"""What the finished run is worth; the epochs' figures are in ``METRICS``."""


def open_run(run_dir: Path, recipe: Recipe, *, resume: bool) -> None:
    """Make the folder, or come back to it.

    Raises:
        ConfigError: another run is there, or there is nothing to resume.
    """
    config = run_dir / CONFIG
    if resume:
        if not config.exists():
            raise ConfigError(f"nothing to resume: {run_dir} has no {CONFIG}; name the run's folder with --out")
        if other := differences(load_recipe(config), recipe):
            more = f" and {len(other) - 1} more" if len(other) > 1 else ""
            raise ConfigError(
                f"the run in {run_dir} has another recipe ({CONFIG}): {other[0]}{more}; resume it with its own settings"
            )
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


def write_scores(run_dir: Path, scores: dict[str, Any]) -> None:
    """What the finished run is worth, one line a key."""
    lines = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in scores.items())
    (run_dir / SCORES).write_text("{" + ",\n".join(lines) + "}\n", "utf-8")


def read_scores(run_dir: Path) -> dict[str, Any]:
    """What ``write_scores`` wrote.

    Raises:
        ConfigError: there are none.
        DataDamaged: the file is no JSON table.
    """
    path = run_dir / SCORES
    try:
        scores = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{run_dir} has no {SCORES}; name the folders of finished runs") from error
    except ValueError as error:
        raise DataDamaged(f"{path} is no JSON: {error}; train that run anew") from error
    if not isinstance(scores, dict):
        raise DataDamaged(f"{path} holds no table; train that run anew")
    return scores
