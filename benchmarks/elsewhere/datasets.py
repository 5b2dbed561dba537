"""What the benchmarks know of each dataset beside its samples: the place of the sensor, and who may look at it."""

from __future__ import annotations

from collections.abc import Mapping

LAST_LOOK = ("mobifall",)
"""Datasets that no choice may look at."""
WORN: Mapping[str, tuple[str, ...]] = {
    "hapt": ("waist",),
    "uci-har": ("waist",),
    "wisdm": ("pocket",),
    "wisdm-windows": ("pocket",),
    "wisdm2019": ("wrist",),
    "wisdm2019-phone": ("pocket",),
    "unimib": ("pocket",),
    "unimib-falls51": ("pocket",),
    "sisfall": ("waist",),
    "umafall": ("waist", "pocket"),
    "mobifall": ("pocket",),
}
"""Where the people of each dataset wore the sensor; of several places, the subjects' names say which."""
