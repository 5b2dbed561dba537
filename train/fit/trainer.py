"""From labelled windows to a trained model, in a run folder that survives a kill.

The folder holds ``config.toml`` (the whole recipe), ``log.txt``, ``metrics.jsonl`` (one line an epoch),
``checkpoint.safetensors``, ``curve.png``, ``heat_map.png`` and, in the end, ``<name>.safetensors``.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.progress import Progress

from kinestream.core.errors import ConfigError
from kinestream.inference.model_file import Model, save_model

from ..data.augment import prepare, triads
from ..judge.evaluate import score, score_grid, summary
from ..judge.plots import draw_curve, draw_heat_map
from ..network import batch_statistics
from ..network.export import to_model
from ..network.switchable import SwitchableNet
from .checkpoint import Standing, load_checkpoint, save_checkpoint
from .collaborative import draw_students, summed_gradients
from .device import PROCESSOR, device_name, number_type
from .distillation import DIVERGENCES
from .optimize import average, balanced_weights, learning_rate, make_optimizer, steps_per_epoch
from .run_folder import CHECKPOINT, note, open_run, write_metrics
from .stopping import MEASURE, best_epoch, out_of_patience

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from ..data.windows import Windows
    from ..recipe.schema import Recipe

CURVE_EVERY_S = 10.0
"""The least time between two drawings of the learning curve: one takes as long as an epoch of a small network."""
WATCH_WINDOWS = 1024
"""Training windows over which the statistics of an epoch's two watched subnetworks are taken."""


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
    """Train, recompute the statistics, measure on the validation subjects, and write the model.

    The same recipe, windows, machine and number of threads give the same weights on a processor, interrupted or not. A
    GPU draws the same windows, students and noise, but does not add up in the same order each time.

    Args:
        card: what the model's card says, as JSON values; the validation figures are added.
        resume: go on where the folder's checkpoint stands, whichever device it was left by.
        device: where the network learns.
        progress: draws the bars; none by default.
    Raises:
        ConfigError: the folder holds another run, there is nothing to resume, or the loss is no longer finite.
        DataDamaged: the checkpoint is not of this network.
    """
    progress = progress or Progress(disable=True)
    open_run(run_dir, recipe, resume=resume)
    trainer = Trainer.begin(recipe, train, validation, device)
    history: list[dict[str, Any]] = []
    drawn_s = time.monotonic()
    if (run_dir / CHECKPOINT).exists():
        history += trainer.restore(run_dir)
        note(run_dir, f"resumed after epoch {len(history)}")
    numbers = str(number_type(recipe.training.precision, device)).removeprefix("torch.")
    where = f"{device_name(device)} in {numbers}"
    note(run_dir, f"{recipe.name}: {len(train)} training windows, {len(validation)} for validation, on {where}")
    task = progress.add_task("epochs", total=recipe.training.epochs, completed=len(history))
    for epoch in range(len(history), recipe.training.epochs):
        if out_of_patience(history, recipe.training.patience):
            note(run_dir, f"stopped: the best epoch was {best_epoch(history)}")
            break
        began_s = time.monotonic()
        try:
            measured = trainer.run_epoch(epoch, progress)
        except ConfigError as error:
            note(run_dir, str(error))
            kept = f"the state after epoch {epoch}, the last good one, is kept in {run_dir / CHECKPOINT}"
            raise ConfigError(f"{error}; {kept}" if epoch else str(error)) from error
        history.append({"epoch": epoch + 1, **measured, "seconds": round(time.monotonic() - began_s, 1)})
        trainer.keep_best(history)
        trainer.save(run_dir, history)
        write_metrics(run_dir, history)
        if time.monotonic() - drawn_s > CURVE_EVERY_S:
            draw_curve(run_dir / "curve.png", history)
            drawn_s = time.monotonic()
        note(run_dir, "  ".join(f"{key} {value}" for key, value in history[-1].items()))
        progress.advance(task)
    draw_curve(run_dir / "curve.png", history)
    return _finish(trainer, validation, run_dir, card, progress)


@dataclass
class Trainer:
    """What changes while training, and the windows it learns from.

    Windows wait, are drawn and are augmented in this process's memory, so that every device learns from the same ones;
    only what a step or a judgement needs goes to the device.
    """

    recipe: Recipe
    net: SwitchableNet
    averaged: dict[str, Tensor]
    """The moving average of the weights: what is measured and, but for ``best``, exported."""
    best: dict[str, Tensor]
    """The averaged weights after the best epoch; empty if the recipe has no patience and takes the last epoch's."""
    optimizer: torch.optim.Optimizer
    x: Tensor
    """(n, length, columns) training windows in SI units."""
    labels: Tensor
    class_weights: Tensor | None
    mean: Tensor
    std: Tensor
    """(columns,) over the training windows."""
    validation_x: Tensor
    """(n, length, columns) normalised, on the device."""
    validation_labels: NDArray[np.int64]
    device: torch.device

    @classmethod
    def begin(cls, recipe: Recipe, train: Windows, validation: Windows, device: torch.device = PROCESSOR) -> Trainer:
        x = torch.from_numpy(train.x)
        std, mean = torch.std_mean(x, dim=(0, 1), correction=0)
        if not (std > 0).all():
            dead = recipe.input.channels[int(std.argmin())]
            raise ConfigError(f"channel {dead} never changes in the training windows; leave it out or check the data")
        with torch.random.fork_rng():  # the only use of torch's global generator: the initial weights
            torch.manual_seed(recipe.seed)
            net = SwitchableNet(recipe.network.architecture).to(device)
        averaged = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        best = {name: tensor.clone() for name, tensor in averaged.items()} if recipe.training.patience else {}
        optimizer = make_optimizer(net, recipe.training)
        validation_x = ((torch.from_numpy(validation.x) - mean) / std).to(device)
        labels = torch.from_numpy(train.labels)
        balanced = recipe.training.class_weights == "balanced"
        weights = balanced_weights(labels, len(recipe.data.labels)).to(device) if balanced else None
        judging = validation_x, validation.labels, device
        return cls(recipe, net, averaged, best, optimizer, x, labels, weights, mean, std, *judging)

    def restore(self, run_dir: Path) -> tuple[dict[str, Any], ...]:
        """Go back to where the checkpoint stands; the metrics of the epochs before."""
        return load_checkpoint(run_dir / CHECKPOINT, self.net, self.averaged, self.optimizer, self.best).history

    def save(self, run_dir: Path, history: list[dict[str, Any]]) -> None:
        """Leave a checkpoint that ``restore`` goes back to."""
        standing = Standing(len(history), tuple(history))
        save_checkpoint(run_dir / CHECKPOINT, standing, self.net, self.averaged, self.optimizer, self.best)

    def keep_best(self, history: list[dict[str, Any]]) -> None:
        """Remember the weights if the last epoch was the best."""
        if best_epoch(history) == len(history):
            for name, tensor in self.best.items():
                tensor.copy_(self.averaged[name])

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(self.recipe, len(self.x))

    def run_epoch(self, epoch: int, progress: Progress) -> dict[str, float]:
        """One epoch; its mean losses, and what the widest and the thinnest subnetwork are worth after it."""
        recipe, training = self.recipe, self.recipe.training
        # Seeded by the epoch, so that a resumed run draws what the uninterrupted one would have drawn.
        rng = np.random.default_rng((recipe.seed, epoch))
        noise = torch.Generator().manual_seed(int(rng.integers(2**63)))
        starts = triads(recipe.input.channels)
        dtype = number_type(training.precision, self.device)
        order = torch.from_numpy(rng.permutation(len(self.x)))
        steps = range(epoch * self.steps_per_epoch, (epoch + 1) * self.steps_per_epoch)
        losses = np.zeros(2)
        task = progress.add_task(f"epoch {epoch + 1}", total=len(steps))
        self.net.train()
        for chosen, step in zip(order.split(training.batch_size), steps, strict=False):
            x = prepare(self.x[chosen], self.mean, self.std, starts, recipe.augmentation, noise)
            students = draw_students(rng, training.passes, recipe.network.widths, recipe.network.resolutions)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(training, step, self.steps_per_epoch)
            self.optimizer.zero_grad()
            passes = summed_gradients(
                self.net,
                x.to(self.device),
                self.labels[chosen].to(self.device),
                recipe.network.full,
                students,
                distillation=training.distillation,
                divergence=DIVERGENCES[training.divergence],
                ensemble=training.teacher == "ensemble",
                label_smoothing=training.label_smoothing,
                class_weights=self.class_weights,
                dtype=dtype,
            )
            found = [loss.item() for loss in passes]
            if not all(map(math.isfinite, found)):
                raise self._diverged(f"the loss is no longer finite in epoch {epoch + 1}, step {step}")
            self.optimizer.step()
            average(list(self.averaged.values()), list(self.net.parameters()), training.ema_decay, step)
            losses += found
            progress.advance(task)
        progress.remove_task(task)
        # The last step may have spoilt what the next loss would have shown: no checkpoint is to hold that.
        if not all(bool(tensor.isfinite().all()) for tensor in (*self.net.parameters(), *self.averaged.values())):
            raise self._diverged(f"the weights are no longer finite after epoch {epoch + 1}")
        teacher, student = losses / len(steps)
        return {"teacher_loss": round(teacher, 4), "student_loss": round(student, 4), **self._watch(epoch)}

    def _diverged(self, what: str) -> ConfigError:
        training = self.recipe.training
        rather = "" if training.precision == "float32" else ", or set precision to float32"
        return ConfigError(
            f"{what}; lower learning_rate in [training] ({training.learning_rate}){rather}, "
            "and train anew in another --out"
        )

    def finished_net(self) -> SwitchableNet:
        """A network with the weights to export."""
        return self._net_of(self.best or self.averaged)

    def _net_of(self, weights: dict[str, Tensor]) -> SwitchableNet:
        net = SwitchableNet(self.recipe.network.architecture).to(self.device)
        net.load_state_dict(weights)
        return net.eval()

    def sample(self, windows: int) -> Tensor:
        """Normalised training windows for batch-norm statistics, on the device: the same ones every time."""
        chosen = np.random.default_rng(self.recipe.seed).permutation(len(self.x))[:windows]
        return ((self.x[torch.from_numpy(chosen)] - self.mean) / self.std).to(self.device)

    def _watch(self, epoch: int) -> dict[str, float]:
        network = self.recipe.network
        ends = {"full": network.full, "thinnest": min(network.subnets)}
        net = self._net_of(self.averaged)
        batch_statistics.record(net, self.sample(WATCH_WINDOWS), list(ends.values()))
        scores = {name: score(net, self.validation_x, self.validation_labels, at) for name, at in ends.items()}
        if not all(np.isfinite(found.bins).all() for found in scores.values()):
            raise self._diverged(f"the probabilities are no longer finite after epoch {epoch + 1}")
        accuracies = {f"{name}_accuracy": round(found.accuracy, 4) for name, found in scores.items()}
        return accuracies | {MEASURE: round(float(np.mean([found.macro_f1 for found in scores.values()])), 5)}


def _finish(trainer: Trainer, validation: Windows, run_dir: Path, card: dict[str, Any], progress: Progress) -> Model:
    """Statistics and accuracy of every subnetwork, and the model file."""
    recipe = trainer.recipe

    def track(what: str) -> batch_statistics.Track:
        return lambda items: progress.track(items, description=what)

    net = trainer.finished_net()
    sample = trainer.sample(recipe.training.statistics_windows)
    batch_statistics.record(net, sample, recipe.network.subnets, track=track("statistics"))
    model = to_model(recipe, net, trainer.mean, trainer.std, card)
    scores = score_grid(model, validation.x, validation.labels, validation.subjects, track=track("validation"))
    accuracy = {subnet: score.accuracy for subnet, score in scores.items()}
    model = replace(model, accuracy=accuracy, card={**card, "validation": summary(scores, recipe.data.labels)})
    save_model(run_dir / f"{recipe.name}.safetensors", model)
    draw_heat_map(run_dir / "heat_map.png", model.accuracy, f"{recipe.name}: accuracy on validation subjects")
    return model
