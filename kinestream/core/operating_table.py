"""The accuracy, latency and energy of each subnetwork on one machine; inference measures them, policies read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .errors import ConfigError
from .signals import Sensing, Subnet


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One row of the table: one subnetwork.

    >>> point = OperatingPoint(Subnet(0.5, 96), accuracy=0.95, macs=72_000, p50_ms=0.2, p95_ms=0.3, energy_mj=1.0)
    >>> point.subnet
    Subnet(width=0.5, resolution=96)
    """

    subnet: Subnet
    accuracy: float
    """Share of correct windows on the validation subjects, 0 to 1; NaN if not evaluated."""
    macs: int
    """Multiply-accumulates of one window in the convolutions and the linear layer."""
    p50_ms: float
    p95_ms: float
    """Median and 95th percentile of the latency of one window on this machine."""
    energy_mj: float
    """Estimated energy of one window, by the table's ``energy_model``."""


@dataclass(frozen=True, slots=True)
class SensingRow:
    """One way to run the sensor, with the accuracy it gives and the power it takes."""

    sensing: Sensing
    accuracy: Mapping[Subnet, float]
    """Share of correct windows on the validation subjects' whole recordings, for the subnetworks worth running."""
    base_mw: float = math.nan
    """Power drawn independently of the network, by the table's ``energy_model``; NaN until a model is applied."""

    @property
    def best(self) -> float:
        """Accuracy of the most accurate subnetwork."""
        return max(self.accuracy.values(), default=math.nan)


@dataclass(frozen=True)
class OperatingTable:
    """The subnetworks of one model, measured on one machine.

    Not slotted, because the front is computed once and cached.

    Raises:
        ConfigError: there is no subnetwork.

    >>> cheap = OperatingPoint(Subnet(0.5, 96), 0.93, 1_000_000, 0.1, 0.2, energy_mj=1.0)
    >>> dear = OperatingPoint(Subnet(1.0, 128), 0.91, 8_000_000, 0.5, 0.9, energy_mj=6.0)
    >>> table = OperatingTable("uci_cnn", "laptop", "busy core", (cheap, dear))
    >>> [str(point.subnet) for point in table.front]
    ['0.50x-96']
    >>> table[Subnet(1.0, 128)].energy_mj
    6.0
    """

    model: str
    machine: str
    energy_model: str
    """How ``energy_mj`` is estimated, in words."""
    points: tuple[OperatingPoint, ...]
    sensing: tuple[SensingRow, ...] = ()
    """Ways to run the sensor, the model's own first; empty if not measured."""
    hops: Mapping[int, Mapping[Subnet, float]] = field(default_factory=dict)
    """Accuracy by the number of windows that one prediction serves; empty if not measured."""
    _by_subnet: dict[Subnet, OperatingPoint] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.points:
            raise ConfigError("an operating table needs at least one subnetwork")
        object.__setattr__(self, "_by_subnet", {point.subnet: point for point in self.points})

    def __repr__(self) -> str:
        return f"<OperatingTable of {self.model}: {len(self.points)} subnetworks on {self.machine}>"

    def __getitem__(self, subnet: Subnet) -> OperatingPoint:
        """Return the row of one subnetwork.

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
        """Return the power that this way to run the sensor saves against the model's own; 0 if unknown."""
        if sensing is None or not self.sensing:
            return 0.0
        own = self.sensing[0]
        # A model that reads no gyroscope never runs one.
        wanted = Sensing(sensing.fs_hz, sensing.gyro and own.sensing.gyro)
        base_mw = {row.sensing: row.base_mw for row in self.sensing}
        saved = own.base_mw - base_mw.get(wanted, math.nan)
        return saved if math.isfinite(saved) else 0.0

    def __contains__(self, subnet: Subnet) -> bool:
        return subnet in self._by_subnet

    @cached_property
    def front(self) -> tuple[OperatingPoint, ...]:
        """The Pareto front, cheapest first: each point is more accurate than all cheaper ones."""
        front: list[OperatingPoint] = []
        for point in sorted(self.points, key=lambda p: (p.energy_mj, -p.accuracy, p.subnet)):
            if not front or point.accuracy > front[-1].accuracy:
                front.append(point)
        return tuple(front)
