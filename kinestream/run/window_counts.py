"""Numbers of windows in words, for notices and summaries."""

from __future__ import annotations


def windows_text(count: int) -> str:
    """Return ``3 windows``, or ``1 window``.

    >>> windows_text(1), windows_text(3)
    ('1 window', '3 windows')
    """
    return f"{count} window{'s' * (count != 1)}"


def so_far(windows: int) -> str:
    """Return how many windows a notice is about; it comes up with the first, which needs no count.

    >>> so_far(1), so_far(3)
    ('', ' (3 windows so far)')
    """
    return f" ({windows_text(windows)} so far)" if windows > 1 else ""
