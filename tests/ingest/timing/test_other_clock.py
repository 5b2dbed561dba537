"""Stamps on other clocks, by simulated senders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kinestream.ingest.timing.other_clock import OtherClock, unit_of_stamps
from kinestream.ingest.timing.sender_stamps import SenderStamps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FS_HZ, SIZE = 50.0, 5


def played(
    clock: OtherClock | SenderStamps,
    stamp: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    seconds: float = 60.0,
    *,
    jitter_s: float = 0.01,
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """When the samples were taken, their times, and when time restarted; they arrive 30 ms late, or later."""
    rng = np.random.default_rng(0)
    taken = 100.0 + np.arange(int(seconds * FS_HZ)) / FS_HZ
    times: list[NDArray[np.float64]] = []
    restarts: list[float] = []
    for part in taken.reshape(-1, SIZE):
        t, restarted = clock.push(stamp(part), float(part[-1] + 0.03 + rng.exponential(jitter_s)))
        times.append(t)
        restarts += [float(part[0])] * restarted
    return taken, np.concatenate(times), restarts


@pytest.mark.parametrize(
    ("offset_s", "name"),
    [
        (1.79e9, "Unix time"),
        (-100.0, r"on a clock that is 100 s behind"),
        (0.5, r"on a clock that is 0\.\d+ s ahead"),
        (86_400.0, r"on a clock that is 8\.64e\+04 s ahead"),
        (-1e6, r"on a clock that is 1e\+06 s behind"),
    ],
)
def test_another_clock_is_recognised_by_its_first_stamps_and_mapped(offset_s: float, name: str) -> None:
    clock = OtherClock()
    taken, t, restarts = played(clock, lambda taken: taken + offset_s)
    assert not restarts
    late_s = (t - taken)[500:]
    assert late_s.min() > 0.025
    assert late_s.max() < 0.05
    assert (np.diff(t) > 0).all()
    assert float(np.abs(np.diff(t)[500:] - 0.02).max()) < 1e-3
    assert re.match(f"the stamps are {name}, not this clock: mapped to it by the fastest arrivals", clock.remark)


@pytest.mark.parametrize("offset_s", [0.0, 0.08, -0.5, -20.0])
def test_stamps_of_a_plausible_age_are_passed_on_bit_for_bit(offset_s: float) -> None:
    clock = OtherClock()
    taken, t, restarts = played(clock, lambda taken: taken + offset_s)
    assert t.tobytes() == (taken + offset_s).tobytes()
    assert (restarts, clock.remark) == ([], "")


def test_a_clock_that_drifts_is_followed() -> None:
    taken, t, restarts = played(OtherClock(), lambda taken: 1.7e9 + taken * (1 + 200e-6), 600.0)
    assert not restarts
    assert float(np.ptp((t - taken)[1000:])) < 0.02


def test_a_sender_whose_clock_steps_ahead_starts_a_new_epoch() -> None:
    clock = OtherClock()
    taken, t, restarts = played(clock, lambda taken: np.where(taken > 120.0, taken + 3600.0, taken))
    assert len(restarts) == 1
    assert 120 <= restarts[0] < 121
    assert float((t - taken)[-500:].min()) > 0.0
    assert float((t - taken)[-500:].max()) < 0.1
    assert clock.steps == 1


def test_a_sender_whose_clock_restarts_begins_a_new_epoch_within_three_arrivals() -> None:
    taken, t, restarts = played(OtherClock(), lambda taken: np.where(taken > 140.0, taken - 140.0, taken))
    assert len(restarts) == 1
    assert restarts[0] == pytest.approx(140.2, abs=0.15)
    assert 0.0 < float((t - taken)[-500:].min()) < float((t - taken)[-500:].max()) < 0.1


@pytest.mark.parametrize("step_s", [7200.0, -7200.0, 2.0, -2.0])
def test_a_mapped_clock_that_steps_starts_a_new_epoch(step_s: float) -> None:
    taken, t, restarts = played(OtherClock(), lambda taken: 1.7e9 + np.where(taken > 120.0, taken + step_s, taken))
    assert len(restarts) == 1
    assert 120 <= restarts[0] < 126
    assert float((t - taken)[-500:].min()) > 0.0
    assert float((t - taken)[-500:].max()) < 0.1


@pytest.mark.parametrize("offset_s", [0.0, 1.7e9])
def test_a_stall_of_a_minute_is_not_a_step(offset_s: float) -> None:
    """All samples of the minute come at its end, within a second."""
    clock = OtherClock()
    restarts = 0
    for part in (100.0 + np.arange(6000) / FS_HZ).reshape(-1, SIZE):
        arrived_s = part[-1] + 0.03 if not 120 < part[-1] < 180 else 180 + (part[-1] - 120) / 60
        t, restarted = clock.push(part + offset_s, max(float(arrived_s), 0.0))
        restarts += restarted
    assert restarts == 0
    assert t[-1] == pytest.approx(part[-1], abs=0.05)


def test_single_wrong_stamps_do_not_move_a_mapped_clock() -> None:
    def stamp(taken: NDArray[np.float64]) -> NDArray[np.float64]:
        wrong = 1e6 if int(taken[0]) % 10 == 5 and taken[0] % 1 < 0.09 else 0.0
        return 1.7e9 + taken + wrong

    taken, t, restarts = played(OtherClock(), stamp)
    assert not restarts
    assert float(np.abs(t - taken).max()) < 0.2


@pytest.mark.parametrize(("unit", "name"), [(1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")])
@pytest.mark.parametrize("offset_s", [1.7e9, 50.0])
def test_stamps_in_other_units_are_taken_as_such(unit: float, name: str, offset_s: float) -> None:
    stamps = SenderStamps(FS_HZ)
    taken, t, _ = played(stamps, lambda taken: (taken + offset_s) / unit)
    assert f"the stamps are in {name}: taken as such" in stamps.remarks()
    assert float(np.abs(t - taken)[500:].max()) < 0.06


def test_a_burst_of_unix_stamps_is_laid_and_mapped() -> None:
    stamps = SenderStamps(FS_HZ)
    taken, t, _ = played(stamps, lambda taken: np.full(SIZE, 1.7e9 + taken[-1]))
    assert stamps.burst_samples == SIZE
    assert len(stamps.remarks()) == 2
    assert float(np.ptp((t - taken)[500:])) < 0.02


def test_the_unit_of_sound_stamps_is_a_second() -> None:
    assert unit_of_stamps(np.array([1.7e9, 1.7e9 + 0.02]), FS_HZ) == 1.0
    assert unit_of_stamps(np.array([3.0, 3.02, 3.04]), 0.0) == 1.0
    assert unit_of_stamps(np.array([np.nan]), 50.0) == 1.0
