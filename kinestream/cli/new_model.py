"""Where a command that makes one model of another may write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def check_out(out: Path, original: Path, *, in_place: bool) -> None:
    """Refuse an ``--out`` that is no model file, or would overwrite another one.

    Args:
        in_place: the original itself may be written anew.
    Raises:
        ConfigError: it ends otherwise than a model file, or is there already.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out} must end in .safetensors")
    if not out.exists():
        return
    if not out.samefile(original):
        raise ConfigError(f"{out} is there already; choose another file with --out")
    if not in_place:
        raise ConfigError(f"{out} is the original, which stays as it is; choose another file with --out")
