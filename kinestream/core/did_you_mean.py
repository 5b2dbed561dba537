"""What is said of a name nobody knows: with the nearest one that is known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`` (did you mean 'X'?)``, or nothing where none is near.

    Args:
        cutoff: how alike the two must be, 0 to 1, as of ``difflib``.
    """
    near = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" (did you mean '{near[0]}'?)" if near else ""


def unknown(what: str, name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The complaint: what it is, its name, the nearest known one, and all that are known."""
    known = list(known)
    return f"unknown {what} '{name}'{did_you_mean(name, known, cutoff)}; known: {', '.join(known)}"
