"""Where a network learns and in which numbers: on a GPU if there is one, else on the processor."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from kinestream.core import memory
from kinestream.core.errors import ConfigError

PROCESSOR = torch.device("cpu")
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""What torch calls instructions of a processor that compute in bfloat16; the first two are x86's, the others ARM's."""


def choose_device(asked: str | None = None) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:N``; nothing asked: the first GPU if torch can use one.

    Raises:
        ConfigError: there is no such device, or torch cannot use it.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise ConfigError(f"device '{asked}' is unknown; choose cpu, cuda, or a GPU by its number as cuda:1") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device '{asked}' was never tried and is not supported; choose cpu or cuda")
    found = torch.cuda.device_count()
    if device.type == "cuda" and not found:
        raise ConfigError(
            f"device '{asked}': torch {torch.__version__} sees no GPU here; leave out --device to train on the "
            "processor, or install a build of torch for your GPU"
        )
    if device.type == "cuda" and (device.index or 0) >= found:
        raise ConfigError(f"device '{asked}': there are {found} GPUs, numbered from 0")
    return device


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken where the network learns."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available_bytes()


def number_type(precision: str, device: torch.device) -> torch.dtype:
    """Of convolutions and linear layer in training: bfloat16 where the recipe wants it and the device computes in it.

    Elsewhere it would be put together from float32, which takes longer than float32 itself.
    """
    if precision != "bfloat16":
        return torch.float32
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch cannot tell
        has = any(able.get(name, False) for name in BFLOAT16)
    return torch.bfloat16 if has else torch.float32


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Convolutions and linear layer run in these numbers within; float32 is what they run in anyway."""
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype=dtype)


def device_name(device: torch.device) -> str:
    """For people: the GPU's own name too."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
