"""Where a run stands, in one ``.safetensors`` file that appears whole or not at all.

Tensors: ``weights.*``, ``average.*``, ``best.*`` and ``optimizer.<index>.<name>``; the rest is JSON in the metadata.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from kinestream.core.errors import DataDamaged

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn

METADATA_KEY = "kinestream.checkpoint"


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a run is not in its weights."""

    epoch: int
    """Epochs that are done."""
    history: tuple[dict[str, Any], ...]
    """The metrics of each of them."""


def save_checkpoint(
    path: Path,
    standing: Standing,
    net: nn.Module,
    averaged: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
) -> None:
    """Write where the run stands; a kill while writing leaves the checkpoint before this one."""
    tensors = {f"weights.{name}": tensor for name, tensor in net.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in averaged.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    metadata = {METADATA_KEY: json.dumps({"epoch": standing.epoch, "history": standing.history})}
    aside = path.with_suffix(".part")
    save_file(tensors, aside, metadata)
    os.replace(aside, path)


def load_checkpoint(
    path: Path,
    net: nn.Module,
    averaged: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
) -> Standing:
    """Set weights, average, optimizer and best weights to what the file holds.

    Raises:
        DataDamaged: the file is no checkpoint of this network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        net.load_state_dict({name: tensors[f"weights.{name}"] for name in net.state_dict()})
        for name, tensor in averaged.items():
            tensor.copy_(tensors[f"average.{name}"])
        for name, tensor in best.items():
            tensor.copy_(tensors[f"best.{name}"])
        state: dict[int, dict[str, Tensor]] = {}
        for key in tensors:
            kind, index, name = [*key.split(".", 2), "", ""][:3]
            if kind == "optimizer":
                state.setdefault(int(index), {})[name] = tensors[key]
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        return Standing(told["epoch"], tuple(told["history"]))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise DataDamaged(
            f"{path} is no checkpoint of this run ({error}); remove the run folder and start anew"
        ) from error
