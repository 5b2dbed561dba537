"""What each subnetwork costs and gains on this machine; inference measures it, policy reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from kinestream.errors import ConfigError
from kinestream.signals import Subnet


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
    _by_subnet: dict[Subnet, OperatingPoint] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.points:
            raise ConfigError("an operating table needs at least one subnetwork")
        object.__setattr__(self, "_by_subnet", {point.subnet: point for point in self.points})

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
