"""Messages about unknown names, with the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return a hint at the nearest known name, empty if no name is near.

    Args:
        cutoff: least similarity of the two names, 0 to 1, as ``difflib`` measures it.

    >>> did_you_mean("latncy", ["fixed", "latency"])
    " (did you mean 'latency'?)"
    """
    near = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" (did you mean '{near[0]}'?)" if near else ""


def unknown(what: str, name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return the message that ``name`` is unknown, with the nearest known name and all known names.

    Args:
        what: the kind of thing, such as ``policy``.

    >>> unknown("policy", "latncy", ["fixed", "latency"])
    "unknown policy 'latncy' (did you mean 'latency'?); known: fixed, latency"
    """
    known = list(known)
    return f"unknown {what} '{name}'{did_you_mean(name, known, cutoff)}; known: {', '.join(known)}"
