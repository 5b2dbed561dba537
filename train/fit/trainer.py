"""The training loop: from labelled windows to a trained model, in a run folder that survives a kill.

The folder holds ``config.toml`` (the whole recipe), ``log.txt``, ``metrics.jsonl`` (one line per epoch),
``checkpoint.safetensors``, ``curve.png``, ``heat_map.png`` and, at the end, ``<name>.safetensors``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from kinestream.core.errors import ConfigError
from kinestream.inference.model_file import Model, save_model

from ..data.windows import missing_classes
from ..judge.evaluate import score_grid, summary
from ..judge.plots import draw_heat_map
from ..network import batch_statistics
from ..network.export import to_model
from .device import PROCESSOR
from .epoch import Trainer
from .run_folder import CHECKPOINT, HEAT_MAP, open_run
from .run_log import RunLog
from .stopping import best_epoch, out_of_patience

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ..data.windows import Windows
    from ..recipe.schema import Recipe


def fit(
    recipe: Recipe,
    train: Windows,
    validation: Windows,
    run_dir: Path,
    *,
    card: dict[str, Any],
    resume: bool = False,
    device: torch.device = PROCESSOR,
    progress: Progress | None = None,
) -> Model:
    """Train, recompute the batch-norm statistics, measure on the validation subjects, and write the model.

    On a processor, the same recipe, windows, machine and number of threads give the same weights, interrupted or not. A
    GPU draws the same windows, students and noise, but adds up in a different order each time.

    Args:
        card: contents of the model's card, as JSON values; the validation figures are added.
        resume: continue from the folder's checkpoint, whichever device wrote it.
        device: where the network learns.
        progress: draws the bars; none by default.
    Raises:
        ConfigError: the folder holds another run, there is nothing to resume, or the loss is no longer finite.
        DataDamaged: the checkpoint does not fit this network.
    """
    progress = progress or Progress(disable=True)
    open_run(run_dir, recipe, resume=resume)
    log = RunLog(run_dir)
    history: list[dict[str, Any]] = []
    trainer = Trainer.begin(recipe, train, validation, device)
    if (run_dir / CHECKPOINT).exists():
        history += trainer.restore(run_dir)
        log.write(f"resumed after epoch {len(history)}")
    log.write(f"{recipe.name}: {len(train)} training windows, {len(validation)} for validation, on {trainer.place}")
    if missing := missing_classes(train, recipe.data.labels):
        log.write(f"no training window of {', '.join(missing)}: this network cannot learn it")
    epochs_bar = progress.add_task("epochs", total=recipe.training.epochs, completed=len(history))

    for epoch in range(len(history), recipe.training.epochs):
        if out_of_patience(history, recipe.training.patience):
            log.write(f"stopped: the best epoch was {best_epoch(history)}")
            break
        started_s = time.monotonic()
        try:
            metrics = trainer.run_epoch(epoch, progress)
        except ConfigError as error:
            log.write(str(error))
            rescue = f"; {run_dir / CHECKPOINT} keeps the state after epoch {epoch}, the last good one" if epoch else ""
            raise ConfigError(f"{error}{rescue}") from error
        history.append({"epoch": epoch + 1, **metrics, "seconds": round(time.monotonic() - started_s, 1)})
        trainer.keep_best(history)
        trainer.save(run_dir, history)
        log.add_epoch(history)
        progress.advance(epochs_bar)

    log.draw_curve(history)
    return _finish(trainer, validation, run_dir, card, progress)


def _finish(trainer: Trainer, validation: Windows, run_dir: Path, card: dict[str, Any], progress: Progress) -> Model:
    """Record statistics and accuracy of every subnetwork, write the model file and return the model."""
    recipe = trainer.recipe

    def track(description: str) -> batch_statistics.Track:
        return lambda subnets: progress.track(subnets, description=description)

    net = trainer.finished_net()
    sample = trainer.sample(recipe.training.statistics_windows)
    batch_statistics.record(net, sample, recipe.network.subnets, track=track("statistics"))
    model = to_model(recipe, net, trainer.mean, trainer.std, card)
    scores = score_grid(model, validation.x, validation.labels, validation.subjects, track=track("validation"))
    accuracy = {subnet: subnet_score.accuracy for subnet, subnet_score in scores.items()}
    model = replace(model, accuracy=accuracy, card={**card, "validation": summary(scores, recipe.data.labels)})
    save_model(run_dir / f"{recipe.name}.safetensors", model)
    draw_heat_map(run_dir / HEAT_MAP, model.accuracy, f"{recipe.name}: accuracy on validation subjects")
    return model
