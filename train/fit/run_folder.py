"""The folder of one training run: created once, then resumed or read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, DataDamaged

from ..recipe.recipe_toml import differences, load_recipe, to_toml

if TYPE_CHECKING:
    from pathlib import Path

    from ..recipe.schema import Recipe

CONFIG, CHECKPOINT, METRICS, LOG = "config.toml", "checkpoint.safetensors", "metrics.jsonl", "log.txt"
CURVE, HEAT_MAP = "curve.png", "heat_map.png"
SCORES = "metrics.json"
"""Scores of the finished run; ``METRICS`` holds one line per epoch."""


def open_run(run_dir: Path, recipe: Recipe, *, resume: bool) -> None:
    """Create the folder, or check that the run in it can be resumed.

    Raises:
        ConfigError: the folder holds another run, or there is nothing to resume.
    """
    config = run_dir / CONFIG
    if resume:
        if not config.exists():
            raise ConfigError(f"nothing to resume: {run_dir} has no {CONFIG}; name the run's folder with --out")
        if changes := differences(load_recipe(config), recipe):
            more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
            raise ConfigError(
                f"the run in {run_dir} has another recipe ({CONFIG}): {changes[0]}{more}; "
                "resume it with its own settings"
            )
    elif config.exists():
        raise ConfigError(f"{run_dir} already holds a run; continue it with --resume or choose another --out")
    else:
        run_dir.mkdir(parents=True, exist_ok=True)
        config.write_text(to_toml(recipe), "utf-8")


def write_scores(run_dir: Path, scores: dict[str, Any]) -> None:
    """Write the scores of the finished run, one line per key."""
    lines = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in scores.items())
    (run_dir / SCORES).write_text("{" + ",\n".join(lines) + "}\n", "utf-8")


def read_scores(run_dir: Path) -> dict[str, Any]:
    """Return the scores written by ``write_scores``.

    Raises:
        ConfigError: the folder has no scores.
        DataDamaged: the file is not a JSON table.
    """
    path = run_dir / SCORES
    try:
        scores = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{run_dir} has no {SCORES}; name the folders of finished runs") from error
    except ValueError as error:
        raise DataDamaged(f"{path} is not valid JSON: {error}; train that run again") from error
    if not isinstance(scores, dict):
        raise DataDamaged(f"{path} is not a JSON table; train that run again")
    return scores
