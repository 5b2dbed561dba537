"""The dashboard's colours: one dark theme, and the ramp from a share to a colour."""

from __future__ import annotations

import math

from textual.color import Color, Gradient
from textual.theme import Theme

BACKGROUND = "#0d1320"
SURFACE = "#131b2c"
LINE = "#2c3b57"
TEXT = "#d5deee"
MUTED = "#71809f"
FAINT = "#3c4b69"
ACCENT = "#5ccfd6"
GOOD = "#7fdc9a"
WARN = "#ffc266"
BAD = "#ff6f83"
TRACES = ("#5ccfd6", "#ffb870", "#b79cff")
"""Colours of the axes x, y and z."""
LABELS = ("#5ccfd6", "#7fdc9a", "#ffc266", "#b79cff", "#ff9ab0", "#8fb4ff", "#d6e06c", "#e0a878")
"""Colours of the activities, in the model's order; they repeat for further activities."""

THEME = Theme(
    name="kinestream",
    primary=ACCENT,
    secondary="#b79cff",
    accent=ACCENT,
    success=GOOD,
    warning=WARN,
    error=BAD,
    foreground=TEXT,
    background=BACKGROUND,
    surface=SURFACE,
    panel=SURFACE,
    dark=True,
    variables={
        "line": LINE,
        "muted": MUTED,
        "footer-background": BACKGROUND,
        "footer-key-foreground": ACCENT,
        "footer-description-foreground": MUTED,
    },
)

_RAMP = Gradient(
    (0.0, Color.parse("#1c2a4b")),
    (0.3, Color.parse("#23527f")),
    (0.6, Color.parse("#279390")),
    (0.85, Color.parse("#8ccf6b")),
    (1.0, Color.parse("#f5df6a")),
    quality=64,
)


def ramp(share: float) -> str:
    """Return the colour of ``share`` (0 to 1) on the ramp from dark blue to yellow; faint grey for NaN."""
    if math.isnan(share):
        return FAINT
    return _RAMP.get_color(min(max(share, 0.0), 1.0)).hex


def level(share: float, warn: float, bad: float) -> str:
    """Return the colour of a share where higher is better: good, warning or bad.

    >>> level(0.95, warn=0.9, bad=0.75) == GOOD
    True
    """
    return BAD if share < bad else WARN if share < warn else GOOD
