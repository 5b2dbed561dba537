"""Memory checks before an allocation: the system kills a process that takes more than there is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from .errors import NotEnoughMemory

_CGROUP = Path("/sys/fs/cgroup")
_REFUSALS = ("allocate memory", "out of memory", "could not create a primitive")
"""Phrases in the messages of torch, CUDA and oneDNN, which have no exception class for this on a processor."""


def available_bytes() -> int:
    """Bytes this process can still allocate: the least that the machine, its container and its own limit allow.

    >>> available_bytes() > 0
    True
    """
    free = [psutil.virtual_memory().available]
    with suppress(OSError, ValueError):  # Linux only; "max" means no limit
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        cache = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        free.append(limit - used + int(cache.get("inactive_file", 0)))
    with suppress(AttributeError, OSError):  # not every system limits processes
        process = psutil.Process()
        limit, _ = process.rlimit(psutil.RLIMIT_AS)
        if limit != psutil.RLIM_INFINITY:
            free.append(limit - process.memory_info().vms)
    return max(0, min(free))


def require_memory(needed_bytes: float, what: str, advice: str, *, available: int | None = None) -> None:
    """Raise an error if ``needed_bytes`` do not fit.

    >>> require_memory(1, "one byte", "close other programs")

    Args:
        what: the task that needs the memory, for the message.
        advice: the way out, for the message.
        available: free bytes of another memory, such as a GPU's; by default those of this process.
    Raises:
        NotEnoughMemory: more bytes are needed than are available.
    """
    available = available_bytes() if available is None else available
    if needed_bytes > available:
        raise NotEnoughMemory(
            f"{what}: {needed_bytes / 1e9:.2f} GB of memory are needed, {available / 1e9:.2f} GB are available; "
            f"{advice}"
        )


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch raised this error because an allocation was refused.

    >>> ran_out_of_memory(RuntimeError("CUDA out of memory")), ran_out_of_memory(RuntimeError("other"))
    (True, False)
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _REFUSALS)
    )
