"""Unwrapping of counters that wrap to 0."""

from __future__ import annotations

BEHIND = 0.75
"""Share of the modulus by which a count may lie behind the expected count; the rest may lie ahead.

A stall can delay a packet by any time, but no packet arrives early, so most of the range lies behind.
"""


def unwrap(raw: int, expected: int, modulus: int | None) -> int:
    """The count congruent to ``raw`` that lies nearest to the expected count.

    ``expected`` comes from the host's clock, not from the last count alone, so lost packets around a wrap do not
    matter, nor does the number of wraps in between.

    Args:
        raw: the count as sent, 0 to ``modulus`` - 1.
        expected: the unwrapped count expected from the time since the last packets.
        modulus: counts wrap to 0 after this many; None: they do not wrap.
    Returns:
        A count within [``expected`` - 3/4 ``modulus``, ``expected`` + 1/4 ``modulus``).

    >>> unwrap(2, expected=255, modulus=256)
    258
    """
    if modulus is None:
        return raw
    lowest = expected - int(BEHIND * modulus)
    return lowest + (raw - lowest) % modulus
