"""Whether something fits into memory, asked before it is tried: the system kills a process that finds out too late."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from .errors import NotEnoughMemory

_CGROUP = Path("/sys/fs/cgroup")
_REFUSALS = ("allocate memory", "out of memory", "could not create a primitive")
"""Words of torch, CUDA and oneDNN, which have no exception of their own for a processor's memory."""


def available_bytes() -> int:
    """What this process can still take: of the machine's memory, its container's, and its own limit."""
    free = [psutil.virtual_memory().available]
    with suppress(OSError, ValueError):  # only Linux has it, and "max" is no number
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        cache = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        free.append(limit - used + int(cache.get("inactive_file", 0)))
    with suppress(AttributeError, OSError):  # not every system has limits
        own = psutil.Process()
        limit, _ = own.rlimit(psutil.RLIMIT_AS)
        if limit != psutil.RLIM_INFINITY:
            free.append(limit - own.memory_info().vms)
    return max(0, min(free))


def require_memory(needed_bytes: float, what: str, advice: str, *, available: int | None = None) -> None:
    """Refuse what does not fit.

    Args:
        available: bytes, where it is not this process's own memory that is asked for.
    Raises:
        NotEnoughMemory: ``what`` needs more than there is; ``advice`` says what to do.
    """
    available = available_bytes() if available is None else available
    if needed_bytes > available:
        raise NotEnoughMemory(
            f"{what}: {needed_bytes / 1e9:.2f} GB of memory are needed, {available / 1e9:.2f} GB are available; "
            f"{advice}"
        )


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether this is what Python or torch raises when memory is refused."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _REFUSALS)
    )
