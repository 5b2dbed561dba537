"""A small operating table whose figures are easy to work out by hand."""

from __future__ import annotations

from math import nan

import pytest

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Subnet


def point(name: str, accuracy: float, energy_mj: float, p50_ms: float, p95_ms: float, macs: int = 0) -> OperatingPoint:
    return OperatingPoint(Subnet.parse(name), accuracy, macs, p50_ms, p95_ms, energy_mj)


@pytest.fixture
def table() -> OperatingTable:
    """Four points on the front, a dominated one (0.5x-96) and one never evaluated (0.9x-128).

    Energies 1, 2, 4, 8 mJ; typical latencies 10, 20, 40, 80 ms.
    """
    points = (
        point("1x-128", 0.97, 8.0, 80.0, 88.0),
        point("0.25x-128", 0.95, 2.0, 20.0, 22.0),
        point("0.5x-96", 0.94, 3.0, 30.0, 33.0),
        point("0.9x-128", nan, 6.0, 60.0, 66.0),
        point("0.5x-128", 0.96, 4.0, 40.0, 44.0),
        point("0.1x-96", 0.93, 1.0, 10.0, 11.0),
    )
    return OperatingTable("test_cnn", "by hand", "0.1 mJ a millisecond", points)
