"""How the training people wore the sensor, and whether a wearer wears it otherwise.

A network that reads the sensor's own axes knows one way of wearing it. On a sensor worn in another way it is wrong and
sure of it, and its probabilities do not show it; the direction of up in the sensor's axes does, as soon as the wearer
moves (``windowing/walking_up.py``). ``train/judge/placement.py`` learns the usual direction and the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinestream.core.signals import Vector

SURE_BLOCKS = 5
"""Consecutive blocks of movement, of 2 s each, beyond the limit that make it sure: single estimates stray further."""
WIDEST_DEG = 90.0
"""A limit beyond this says nothing: the training people wore the sensor anyhow."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The direction of up of a model's training people, and how far from it a sensor still counts as worn like theirs.

    Raises:
        ConfigError: ``up`` has no direction, or a number is out of range.

    >>> placement = Placement(up=(1.0, 0.0, 0.0), limit_deg=50.0, people=17)
    >>> round(placement.angle_deg((0.0, 1.0, 0.0)), 6)
    90.0
    """

    up: Vector
    """Unit vector in the axes of the training people's sensors."""
    limit_deg: float
    people: int
    """Number of the training people who were seen moving."""

    def __post_init__(self) -> None:
        length = math.hypot(*self.up) if len(self.up) == 3 else math.nan
        if not 0.99 < length < 1.01:
            raise ConfigError(f"up is {self.up}; expected a unit vector")
        if not 0 < self.limit_deg <= WIDEST_DEG or self.people < 1:
            raise ConfigError(
                f"limit_deg is {self.limit_deg:g}, people {self.people}; expected above 0 to {WIDEST_DEG:g}, at least 1"
            )

    def angle_deg(self, up: Vector) -> float:
        """Return the angle between a wearer's up and the training people's, 0 to 180."""
        cosine = sum(a * b for a, b in zip(self.up, up, strict=True)) / (math.hypot(*self.up) * math.hypot(*up))
        return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"up": list(self.up), "limit_deg": self.limit_deg, "people": self.people}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Placement:
        """Return the placement that ``to_json`` wrote.

        Raises:
            ConfigError: as the constructor.
            KeyError, TypeError, ValueError: the fields are not those of a placement.

        >>> placement = Placement((0.0, 1.0, 0.0), 40.0, 9)
        >>> Placement.from_json(placement.to_json()) == placement
        True
        """
        x, y, z = (float(number) for number in fields["up"])
        return cls((x, y, z), float(fields["limit_deg"]), int(fields["people"]))


class PlacementWatch:
    """Follows one stream: whether its sensor is surely worn otherwise.

    It is from the moment at which up has lain beyond the limit for ``SURE_BLOCKS`` blocks of movement, until up lies
    within it, or is unknown because the sensor was turned. Up is known after 12 s of movement, so a wearer who walks is
    noticed after 20 s. Standing still proves nothing: up rests on the same blocks as before.

    >>> watch = PlacementWatch(Placement((1.0, 0.0, 0.0), 50.0, 17))
    >>> [watch.see((0.0, 1.0, 0.0), blocks) for blocks in (6, 7, 8, 8, 9, 10)]
    [False, False, False, False, False, True]
    >>> watch.see((1.0, 0.0, 0.0), 11)
    False
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._since: int | None = None  # the blocks when up was first seen beyond the limit; None while it is within
        self.angle_deg = math.nan
        """The angle of the newest up; NaN while it is unknown."""

    def see(self, up: Vector | None, blocks: int) -> bool:
        """Take the next window of the stream; return whether the sensor is surely worn otherwise.

        Args:
            up: at the window's end; None while unknown.
            blocks: ``Window.up_blocks``.
        """
        self.angle_deg = math.nan if up is None else self._placement.angle_deg(up)
        if not self.angle_deg > self._placement.limit_deg:
            self._since = None
        elif self._since is None:
            self._since = blocks
        return self._since is not None and blocks - self._since >= SURE_BLOCKS - 1

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere, as plain values."""
        return {"since": self._since, "angle_deg": self.angle_deg}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self._since, self.angle_deg = state["since"], state["angle_deg"]
