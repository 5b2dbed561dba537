"""Counts that begin again from 0: which multiple of the modulus is meant."""

from __future__ import annotations

BEHIND = 0.75
"""Share of the modulus that a count may lie behind what is expected; the rest may lie ahead.

A packet can be late by any stall, but it cannot come before its time, so most of the room is behind.
"""


def unwrap(raw: int, expected: int, modulus: int | None) -> int:
    """The count congruent to ``raw`` that fits what is expected by now.

    Because ``expected`` is told by the host's clock and not by the last count alone, it does not matter
    whether the packets around a wrap arrived, nor how often the count wrapped in between.

    Args:
        raw: the count as it was sent, 0 to ``modulus`` - 1.
        expected: the unwrapped count that the time since the last packets lets expect.
        modulus: counts begin again after this many; None: they do not.
    Returns:
        a count within [``expected`` - 3/4 ``modulus``, ``expected`` + 1/4 ``modulus``).
    """
    if modulus is None:
        return raw
    lowest = expected - int(BEHIND * modulus)
    return lowest + (raw - lowest) % modulus
