"""The state of a training run in one ``.safetensors`` file, replaced as a whole.

Tensors: ``weights.*``, ``average.*``, ``best.*`` and ``optimizer.<index>.<name>``; the rest is JSON in the metadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from kinestream.core.atomic_file import write_atomically
from kinestream.core.errors import DataDamaged

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn

METADATA_KEY = "kinestream.checkpoint"


@dataclass(frozen=True, slots=True)
class CheckpointState:
    """The part of a run's state that is not tensors."""

    epoch: int
    """Number of finished epochs."""
    history: tuple[dict[str, Any], ...]
    """Metrics of each finished epoch."""


def save_checkpoint(
    path: Path,
    state: CheckpointState,
    net: nn.Module,
    averaged: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
) -> None:
    """Replace the checkpoint at ``path``; a kill during the write leaves the previous one intact."""
    tensors = {f"weights.{name}": tensor for name, tensor in net.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in averaged.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    metadata = {METADATA_KEY: json.dumps({"epoch": state.epoch, "history": state.history})}
    write_atomically(path, save(tensors, metadata))


def load_checkpoint(
    path: Path,
    net: nn.Module,
    averaged: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
) -> CheckpointState:
    """Restore weights, average, optimizer and best weights from the file, and return the rest of the state.

    Raises:
        DataDamaged: the file is not a checkpoint of this network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        net.load_state_dict({name: tensors[f"weights.{name}"] for name in net.state_dict()})
        for name, tensor in averaged.items():
            tensor.copy_(tensors[f"average.{name}"])
        for name, tensor in best.items():
            tensor.copy_(tensors[f"best.{name}"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key in tensors:
            kind, index, name = [*key.split(".", 2), "", ""][:3]
            if kind == "optimizer":
                moments.setdefault(int(index), {})[name] = tensors[key]
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        return CheckpointState(metadata["epoch"], tuple(metadata["history"]))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise DataDamaged(
            f"{path} is not a checkpoint of this run ({error}); remove the run folder and train again"
        ) from error
