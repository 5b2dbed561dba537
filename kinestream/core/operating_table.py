"""What each subnetwork costs and gains on this machine; inference measures it, policy reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .errors import ConfigError
from .signals import Sensing, Subnet


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One row of the table."""

    subnet: Subnet
    accuracy: float
    """Share of right windows on the validation subjects, 0 to 1; NaN if never evaluated."""
    macs: int
    """Multiply-accumulates of one window, convolutions and linear layer."""
    p50_ms: float
    p95_ms: float
    """Latency of one window on this machine."""
    energy_mj: float
    """Estimated energy of one window, by the table's ``energy_model``."""


@dataclass(frozen=True, slots=True)
class SensingRow:
    """What a sensor that runs in one way is worth to the model, and what it draws."""

    sensing: Sensing
    accuracy: Mapping[Subnet, float]
    """Share of right windows on the validation subjects' whole recordings, of the subnetworks worth running."""
    base_mw: float = math.nan
    """Drawn whatever the network does, by the table's ``energy_model``; NaN before one was applied."""

    @property
    def best(self) -> float:
        """The most accurate subnetwork's."""
        return max(self.accuracy.values(), default=math.nan)


@dataclass(frozen=True)
class OperatingTable:
    """All subnetworks of one model, measured on one machine.

    Not slotted: the front is computed once and kept.
    """

    model: str
    machine: str
    energy_model: str
    """How ``energy_mj`` was estimated, in words."""
    points: tuple[OperatingPoint, ...]
    sensing: tuple[SensingRow, ...] = ()
    """Ways to run the sensor, the model's own first; none where they were never measured."""
    hops: Mapping[int, Mapping[Subnet, float]] = field(default_factory=dict)
    """As a sensing row's accuracy, by how many windows one prediction has to serve."""
    _by_subnet: dict[Subnet, OperatingPoint] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.points:
            raise ConfigError("an operating table needs at least one subnetwork")
        object.__setattr__(self, "_by_subnet", {point.subnet: point for point in self.points})

    def __repr__(self) -> str:
        return f"<OperatingTable of {self.model}: {len(self.points)} subnetworks on {self.machine}>"

    def __getitem__(self, subnet: Subnet) -> OperatingPoint:
        """The row of one subnetwork.

        Raises:
            ConfigError: the table has no such subnetwork.
        """
        point = self._by_subnet.get(subnet)
        if point is None:
            widths = sorted({p.subnet.width for p in self.points})
            resolutions = sorted({p.subnet.resolution for p in self.points})
            raise ConfigError(
                f"{self.model} has no subnetwork {subnet}; widths {widths[0]:.2f} to {widths[-1]:.2f} "
                f"({len(widths)}), resolutions {', '.join(map(str, resolutions))}"
            )
        return point

    def saved_mw(self, sensing: Sensing | None) -> float:
        """What a sensor run so draws less than as it runs by itself; 0 where nobody knows."""
        if sensing is None or not self.sensing:
            return 0.0
        by_itself = self.sensing[0]
        # A model that reads no gyroscope has no way to run one.
        asked = Sensing(sensing.fs_hz, sensing.gyro and by_itself.sensing.gyro)
        base_mw = {row.sensing: row.base_mw for row in self.sensing}
        saved = by_itself.base_mw - base_mw.get(asked, math.nan)
        return saved if math.isfinite(saved) else 0.0

    def __contains__(self, subnet: Subnet) -> bool:
        return subnet in self._by_subnet

    @cached_property
    def front(self) -> tuple[OperatingPoint, ...]:
        """The Pareto front, cheapest first: no other point is as accurate for less energy."""
        front: list[OperatingPoint] = []
        for point in sorted(self.points, key=lambda p: (p.energy_mj, -p.accuracy, p.subnet)):
            if not front or point.accuracy > front[-1].accuracy:
                front.append(point)
        return tuple(front)
