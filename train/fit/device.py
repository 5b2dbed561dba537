"""The device a network learns on, and the number type it computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from kinestream.core import memory
from kinestream.core.errors import ConfigError

PROCESSOR = torch.device("cpu")
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Torch's names of processor instructions that compute in bfloat16; the first two are x86's, the others ARM's."""


def choose_device(name: str | None = None) -> torch.device:
    """The device of that name: ``cpu``, ``cuda`` or ``cuda:N``; by default the first GPU, or the processor.

    >>> choose_device("cpu")
    device(type='cpu')

    Raises:
        ConfigError: the device does not exist, or torch cannot use it.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"device '{name}' is unknown; choose cpu, cuda, or one of several GPUs by its number: cuda:1"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device '{name}' is untested and not supported; choose cpu or cuda")
    gpus = torch.cuda.device_count()
    if device.type == "cuda" and not gpus:
        raise ConfigError(
            f"device '{name}': torch {torch.__version__} sees no GPU here; leave out --device to train on the "
            "processor, or install a build of torch for your GPU"
        )
    if device.type == "cuda" and (device.index or 0) >= gpus:
        raise ConfigError(
            f"device '{name}' does not exist: there are {gpus} GPUs; choose a number from 0 to {gpus - 1}"
        )
    return device


def free_bytes(device: torch.device) -> int:
    """Free memory of the device, in bytes."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available_bytes()


def number_type(precision: str, device: torch.device) -> torch.dtype:
    """The number type of convolutions and linear layer in training.

    bfloat16 if the recipe asks for it and the device computes in it natively: emulated bfloat16 is slower than float32.
    """
    if precision != "bfloat16":
        return torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # missing in older versions of torch
        native = any(capabilities.get(name, False) for name in BFLOAT16)
    return torch.bfloat16 if native else torch.float32


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A context in which convolutions and linear layer compute in ``dtype``; for float32 it changes nothing."""
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype=dtype)


def device_name(device: torch.device) -> str:
    """The device for display: with the GPU's model name.

    >>> device_name(PROCESSOR)
    'cpu'
    """
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
