"""A day that is easy to compute by hand: four repeated windows, three subnetworks, no noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Sensing, Subnet
from kinestream.lab import Day, DevicePower, Material, Phase, Scenario, SubnetProbs, Supply

THIN, MIDDLE, WIDE = Subnet(0.1, 96), Subnet(0.5, 96), Subnet(1.0, 128)


@pytest.fixture
def table() -> OperatingTable:
    """1, 2 and 4 mJ; 10, 20 and 40 ms."""
    rows = ((THIN, 0.5, 1.0), (MIDDLE, 0.75, 2.0), (WIDE, 1.0, 4.0))
    points = tuple(OperatingPoint(s, accuracy, int(mj), mj * 10, mj * 10, mj) for s, accuracy, mj in rows)
    return OperatingTable("by_hand", "none", "by hand", points)


@pytest.fixture
def material() -> Material:
    """Four windows of two classes, one second apart and two seconds long, in one epoch."""
    truth = np.array([0, 0, 1, 1])
    return Material(np.zeros((4, 2, 1), np.float32), np.zeros(4, int), truth, np.ones(4, bool), 1.0, 2.0)


@pytest.fixture
def probs(material: Material) -> SubnetProbs:
    """The thin subnetwork is right on 2 of 4 windows, the middle one on 3, the wide one on all."""
    best = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
    return SubnetProbs((THIN, MIDDLE, WIDE), np.where(np.arange(2) == best[:, :, None], 0.9, 0.1).astype(np.float32))


class Days:
    """Makes days from that material."""

    def __init__(self, table: OperatingTable, material: Material, probs: SubnetProbs) -> None:
        self.table, self.material, self.probs = table, material, probs

    def day(
        self,
        *phases: Phase,
        seconds: int = 400,
        supply: Supply | None = None,
        power: DevicePower | None = None,
        noise: float = 0.0,
        seed: int = 0,
        table: OperatingTable | None = None,
        probs_under: Callable[[Sensing], SubnetProbs] | None = None,
    ) -> Day:
        scenario = Scenario("test", "", seconds / 3600, phases or (Phase(),), supply, noise)
        return Day(
            scenario,
            self.material,
            self.probs,
            table or self.table,
            power or DevicePower(1.0),
            seed=seed,
            probs_under=probs_under,
        )


@pytest.fixture
def days(table: OperatingTable, material: Material, probs: SubnetProbs) -> Days:
    return Days(table, material, probs)
