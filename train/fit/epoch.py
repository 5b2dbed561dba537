"""The state of a training run, and one epoch of collaborative training on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kinestream.core.errors import ConfigError
from kinestream.core.input_spec import UPRIGHT_KNOWN

from ..data.augment import prepare
from ..judge.evaluate import score
from ..network import batch_statistics
from ..network.switchable import SwitchableNet
from .checkpoint import CheckpointState, load_checkpoint, save_checkpoint
from .collaborative import draw_students, summed_gradients
from .device import PROCESSOR, device_name, number_type
from .distillation import DIVERGENCES
from .draw import draw_pairs, draw_windows, number_pairs
from .optimize import average, balanced_weights, learning_rate, make_optimizer, steps_per_epoch
from .run_folder import CHECKPOINT
from .stopping import MEASURE, best_epoch

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from rich.progress import Progress
    from torch import Tensor

    from ..data.windows import Windows
    from ..recipe.schema import Recipe

WATCH_WINDOWS = 1024
"""Training windows for the batch-norm statistics of the two subnetworks measured after every epoch."""


@dataclass
class Trainer:
    """The state that changes during training, and the windows to learn from.

    The windows are stored, drawn and augmented in this process's memory, so that every device learns from the same
    ones; only the tensors of one step or one measurement go to the device.
    """

    recipe: Recipe
    net: SwitchableNet
    averaged: dict[str, Tensor]
    """Moving average of the weights: measured after every epoch and, unless ``best`` is used, exported."""
    best: dict[str, Tensor]
    """Averaged weights after the best epoch; empty if the recipe has no patience and exports the last epoch's."""
    optimizer: torch.optim.Optimizer
    x: Tensor
    """(n, length, columns) training windows in SI units."""
    labels: Tensor
    pairs: NDArray[np.intp] | None
    """(n,) number of each window's pair of dataset and class, if every pair is drawn equally often."""
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
        """Return the state before the first step.

        Raises:
            ConfigError: a channel is constant over the training windows.
        """
        x = torch.from_numpy(train.x)
        std, mean = torch.std_mean(x, dim=(0, 1), correction=0)
        if UPRIGHT_KNOWN in recipe.input.channels:  # nearly always 1 here, but not live
            column = recipe.input.channels.index(UPRIGHT_KNOWN)
            mean[column] = std[column] = 0.5
        if not (std > 0).all():
            constant = recipe.input.channels[int(std.argmin())]
            raise ConfigError(
                f"channel {constant} never changes in the training windows; leave it out or check the data"
            )
        with torch.random.fork_rng():  # the only use of torch's global generator: the initial weights
            torch.manual_seed(recipe.seed)
            net = SwitchableNet(recipe.network.architecture).to(device)
        averaged = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        labels = torch.from_numpy(train.labels)
        balanced = recipe.training.class_weights == "balanced"
        return cls(
            recipe=recipe,
            net=net,
            averaged=averaged,
            best={name: tensor.clone() for name, tensor in averaged.items()} if recipe.training.patience else {},
            optimizer=make_optimizer(net, recipe.training),
            x=x,
            labels=labels,
            pairs=number_pairs(train, recipe.data) if recipe.training.draw == "datasets" else None,
            class_weights=balanced_weights(labels, len(recipe.data.labels)).to(device) if balanced else None,
            mean=mean,
            std=std,
            validation_x=((torch.from_numpy(validation.x) - mean) / std).to(device),
            validation_labels=validation.labels,
            device=device,
        )

    def run_epoch(self, epoch: int, progress: Progress) -> dict[str, float]:
        """Train one epoch and return its mean losses and the scores of the widest and the thinnest subnetwork.

        Raises:
            ConfigError: a loss, a weight or a probability is no longer finite.
        """
        recipe, training = self.recipe, self.recipe.training
        # Seeded by the epoch: a resumed run draws the same numbers as an uninterrupted one.
        rng = np.random.default_rng((recipe.seed, epoch))
        noise = torch.Generator().manual_seed(int(rng.integers(2**63)))
        order = torch.from_numpy(self._draw(rng, self.windows_per_epoch))
        steps = range(epoch * self.steps_per_epoch, (epoch + 1) * self.steps_per_epoch)
        losses = np.zeros(2)
        steps_bar = progress.add_task(f"epoch {epoch + 1}", total=len(steps))
        self.net.train()
        for chosen, step in zip(order.split(training.batch_size), steps, strict=False):
            x = prepare(self.x[chosen], self.mean, self.std, recipe.input.channels, recipe.augmentation, noise)
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
                dtype=self.dtype,
            )
            step_losses = [loss.item() for loss in passes]
            if not all(map(math.isfinite, step_losses)):
                raise self._diverged(f"the loss is no longer finite in epoch {epoch + 1}, step {step}")
            self.optimizer.step()
            average(list(self.averaged.values()), list(self.net.parameters()), training.ema_decay, step)
            losses += step_losses
            progress.advance(steps_bar)
        progress.remove_task(steps_bar)
        # Only the next loss would show weights spoilt by the last step, after the checkpoint had stored them.
        if not all(bool(tensor.isfinite().all()) for tensor in (*self.net.parameters(), *self.averaged.values())):
            raise self._diverged(f"the weights are no longer finite after epoch {epoch + 1}")
        teacher_loss, student_loss = losses / len(steps)
        return {
            "teacher_loss": round(teacher_loss, 4),
            "student_loss": round(student_loss, 4),
            **self._validation_scores(epoch),
        }

    def keep_best(self, history: list[dict[str, Any]]) -> None:
        """Store the averaged weights if the last epoch is the best so far."""
        if best_epoch(history) == len(history):
            for name, tensor in self.best.items():
                tensor.copy_(self.averaged[name])

    def save(self, run_dir: Path, history: list[dict[str, Any]]) -> None:
        """Write a checkpoint for ``restore``."""
        state = CheckpointState(len(history), tuple(history))
        save_checkpoint(run_dir / CHECKPOINT, state, self.net, self.averaged, self.optimizer, self.best)

    def restore(self, run_dir: Path) -> tuple[dict[str, Any], ...]:
        """Return to the state of the checkpoint; the metrics of the epochs so far."""
        return load_checkpoint(run_dir / CHECKPOINT, self.net, self.averaged, self.optimizer, self.best).history

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(self.recipe, len(self.x))

    @property
    def windows_per_epoch(self) -> int:
        full_batches = self.steps_per_epoch * self.recipe.training.batch_size
        return full_batches if self.recipe.training.epoch_windows else min(len(self.x), full_batches)

    @property
    def dtype(self) -> torch.dtype:
        """Number type of convolutions and linear layer in training."""
        return number_type(self.recipe.training.precision, self.device)

    @property
    def place(self) -> str:
        """Device and number type, for the log."""
        return f"{device_name(self.device)} in {str(self.dtype).removeprefix('torch.')}"

    def sample(self, windows: int) -> Tensor:
        """Normalised training windows for batch-norm statistics, on the device: the same ones on every call.

        They are drawn as an epoch's are, since the weights learnt from that mixture.
        """
        chosen = self._draw(np.random.default_rng(self.recipe.seed), min(windows, len(self.x)))
        return ((self.x[torch.from_numpy(chosen)] - self.mean) / self.std).to(self.device)

    def finished_net(self) -> SwitchableNet:
        """A network with the weights to export."""
        return self._net_with(self.best or self.averaged)

    def _draw(self, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
        """Indices of ``count`` training windows, as the recipe draws them."""
        if self.pairs is None:
            return draw_windows(rng, len(self.x), count)
        return draw_pairs(rng, self.pairs, count)

    def _net_with(self, weights: dict[str, Tensor]) -> SwitchableNet:
        net = SwitchableNet(self.recipe.network.architecture).to(self.device)
        net.load_state_dict(weights)
        return net.eval()

    def _validation_scores(self, epoch: int) -> dict[str, float]:
        """Accuracies of the widest and the thinnest subnetwork with averaged weights, and their mean ``MEASURE``."""
        network = self.recipe.network
        ends = {"full": network.full, "thinnest": min(network.subnets)}
        net = self._net_with(self.averaged)
        batch_statistics.record(net, self.sample(WATCH_WINDOWS), list(ends.values()))
        scores = {name: score(net, self.validation_x, self.validation_labels, end) for name, end in ends.items()}
        if not all(np.isfinite(end_score.bins).all() for end_score in scores.values()):
            raise self._diverged(f"the probabilities are no longer finite after epoch {epoch + 1}")
        accuracies = {f"{name}_accuracy": round(end_score.accuracy, 4) for name, end_score in scores.items()}
        return accuracies | {MEASURE: round(float(np.mean([end_score.macro_f1 for end_score in scores.values()])), 5)}

    def _diverged(self, problem: str) -> ConfigError:
        training = self.recipe.training
        alternative = "" if training.precision == "float32" else ", or set precision to float32"
        return ConfigError(
            f"{problem}; lower learning_rate in [training] ({training.learning_rate}){alternative}, "
            "and train again in another --out"
        )
