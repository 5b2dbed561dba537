"""A slower sensor, or one without its gyroscope: alone, or as a limit on others, ``battery+sensing``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kinestream.core.operating_table import OperatingTable, SensingRow
from kinestream.core.signals import Decision, Sensing

from ..interface import Limit, PolicyState
from ..pareto import pareto_front, within
from ..settings import SHARE, check_settings, positive, setting


@dataclass(frozen=True, slots=True)
class SensingPolicy:
    """Runs the sensor in one mode all the time; alone, with the most accurate subnetwork.

    Without settings, the mode is the one that draws least and costs at most ``lose`` of the accuracy by the table.

    Raises:
        ConfigError: a setting outside its range.
    """

    kind: ClassVar[str] = "sensing"

    table: OperatingTable = field(repr=False)
    fs_hz: float | None = setting(
        None, "the sampling rate; open: the mode that draws least by the table", within=positive("rate in Hz")
    )
    gyro: bool = setting(True, "false: the gyroscope is off, at the model's own rate where `fs_hz` is open")
    lose: float = setting(0.005, "the share of right windows that may be lost where both are left alone", within=SHARE)

    def __post_init__(self) -> None:
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        limit = self.limit(state)
        points, deadline = within(limit.points, state.deadline_ms)
        return Decision(pareto_front(points)[-1].subnet, limit.reason + deadline, sensing=limit.sensing)

    def limit(self, state: PolicyState) -> Limit:
        choices = state.choices(self.table)
        fs_hz = self.fs_hz
        if fs_hz is None and not self.gyro and self.table.sensing:
            fs_hz = self.table.sensing[0].sensing.fs_hz
        if fs_hz is not None:
            sensing = Sensing(fs_hz, self.gyro)
            return Limit(choices, f"sensor at {sensing}, as set", sensing=sensing)
        row = thriftiest(self.table, self.lose)
        if row is None:
            return Limit(choices, "sensor unchanged: no thriftier mode in the table is accurate enough")
        return Limit(choices, f"sensor at {describe(self.table, row)}", sensing=row.sensing)


def thriftiest(table: OperatingTable, lose: float) -> SensingRow | None:
    """The sensor mode that draws least, of those that cost at most ``lose``; None: unchanged."""
    rows = _accurate(table, lose)
    best = min(rows, key=lambda row: -table.saved_mw(row.sensing), default=None)
    return best if best and table.saved_mw(best.sensing) > 0 else None


def sparsest(table: OperatingTable, lose: float) -> SensingRow | None:
    """The sensor mode that sends the fewest values, of those that cost at most ``lose``; None: unchanged."""
    rows = _accurate(table, lose)
    best = min(rows, key=lambda row: row.sensing.fs_hz * (6 if row.sensing.gyro else 3), default=None)
    return best if best != next(iter(rows), None) else None


def _accurate(table: OperatingTable, lose: float) -> list[SensingRow]:
    """The rows that cost at most ``lose``, the model's own mode first."""
    return [row for row in table.sensing if row.best >= table.sensing[0].best - lose]


def describe(table: OperatingTable, row: SensingRow) -> str:
    """A sensor mode in words, with its cost and its saving."""
    lost, saved_mw = table.sensing[0].best - row.best, table.saved_mw(row.sensing)
    saves = f", saves {saved_mw:.3g} mW" if saved_mw > 0 else ""
    return f"{row.sensing}: costs {100 * max(lost, 0.0):.1f} points{saves}"
