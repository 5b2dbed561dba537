"""One scripted day over recorded windows: a policy decides window by window, as in the pipeline.

No network runs here: the probabilities of every subnetwork are looked up. Latencies are the table's, times the
script's load, times log-normal noise with a seed. Energies are the table's whatever the load, because a shared core
computes no more. Skipped windows keep the last label; with an empty battery there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Prediction
from kinestream.policy import BatteryReading
from kinestream.run.decision_loop import DecisionLoop

from .outcome import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.operating_table import OperatingTable
    from kinestream.core.signals import Decision, Sensing, Subnet
    from kinestream.policy import Policy

    from .material import Material
    from .scenario import Scenario
    from .subnet_probs import SubnetProbs

STREAM = "day"
"""The name of the one stream."""
NO_LABEL = -1
"""The label of a window with an empty battery, or before the first prediction."""


@dataclass(frozen=True, slots=True)
class DevicePower:
    """The device's power without inference.

    >>> DevicePower(base_mw=2.0).wake_s
    0.3
    """

    base_mw: float
    """While it samples."""
    asleep_mw: float | None = None
    """While no coming window needs the gyroscope, which sleeps then; None: it never sleeps."""
    wake_s: float = 0.3
    """How early the gyroscope wakes: data sheets give 35 to 80 ms to turn on, the rest is for the filters."""


class Day:
    """A scenario laid out over recorded windows, the same for every policy tried on it.

    Args:
        material: the windows.
        probs: every subnetwork's probabilities for them.
        table: latency, energy and validation accuracy of each subnetwork, as policies see it.
        power: sensor, radio and the sleeping processor.
        seed: for the order of the recordings and the noise.
        probs_under: the probabilities for the same windows under another sensor setting, called at most once for each.
            Without it a policy's request for another setting changes nothing.
    Raises:
        ConfigError: the table lacks a subnetwork of ``probs``.

    >>> import math
    >>> from kinestream import lab
    >>> from kinestream.inference import Engine, find_model, load_model, operating_table
    >>> from kinestream.policy import make_policy
    >>> from kinestream.replay_data import Wearer
    >>> model = load_model(find_model("uci_kinet"))
    >>> engine, subnets = Engine(model), model.subnets[-2:]
    >>> material = lab.collect(Wearer(seed=1, duration_s=60, speed=math.inf), model)
    >>> table = operating_table(engine, subnets)
    >>> scenario = lab.parse_scenario("mine", "hours = 0.1")
    >>> day = Day(scenario, material, lab.compute_probs(engine, material, subnets), table, lab.DevicePower(1.0))
    >>> outcome, rival = day.run(make_policy(f"fixed:{model.full}", table)), lab.fixed(day, model.full)
    >>> outcome.accuracy == rival.accuracy <= lab.oracle(day, lab.budget_mj(day))
    True
    """

    def __init__(
        self,
        scenario: Scenario,
        material: Material,
        probs: SubnetProbs,
        table: OperatingTable,
        power: DevicePower,
        *,
        seed: int = 0,
        probs_under: Callable[[Sensing], SubnetProbs] | None = None,
    ) -> None:
        self._probs_under = probs_under
        self._probs_of: dict[Sensing | None, SubnetProbs] = {None: probs}
        self.scenario, self.material, self.probs, self.table, self.power = scenario, material, probs, table, power
        self.subnets: tuple[Subnet, ...] = probs.subnets
        self.best: NDArray[np.int64] = probs.best
        """(subnets, n) the label each subnetwork gives each window of the material."""
        missing = [subnet for subnet in self.subnets if subnet not in table]
        if missing:
            raise ConfigError(f"{table.model}: the operating table lacks {missing[0]}; measure it again")
        self.full = table[max(self.subnets)]
        hop_s = material.hop_s
        self.steps = n = max(int(scenario.hours * 3600 / hop_s), 1)
        rng = np.random.default_rng(seed)
        self.window: NDArray[np.int64] = _order(material, rng, n)
        """(steps,) the window of each step: whole epochs in random order, repeated."""
        at_h = np.arange(n) * hop_s / 3600
        self.phase: NDArray[np.int64] = np.searchsorted([p.from_h for p in scenario.phases], at_h, side="right") - 1
        noise = rng.normal(0.0, scenario.noise, n) if scenario.noise else np.zeros(n)
        self.slowdown: NDArray[np.float64] = np.array([p.load for p in scenario.phases])[self.phase] * np.exp(noise)
        """(steps,) latency relative to the table's."""
        self.deadline_ms = [
            p.deadline_ms if p.deadline is None else p.deadline * self.full.p50_ms for p in scenario.phases
        ]
        """One value a phase."""
        self.capacity_j = self._capacity_j()
        self.window_hops = round(material.window_s / hop_s)
        self.truth = material.truth[self.window]
        self.pure = material.pure[self.window]

    def _capacity_j(self) -> float | None:
        supply = self.scenario.supply
        if supply is None:
            return None
        if supply.lasts_h is None:
            return supply.capacity_j
        full_mw = self.power.base_mw + self.full.energy_mj / self.material.hop_s
        return full_mw / 1000.0 * supply.lasts_h * 3600.0

    @property
    def initial_j(self) -> float:
        """Energy in the battery at the start; infinite without a battery."""
        supply = self.scenario.supply
        return float("inf") if supply is None or self.capacity_j is None else supply.frac * self.capacity_j

    def run(self, policy: Policy, name: str | None = None) -> Outcome:
        """The outcome of the day under a policy."""
        rows = {subnet: row for row, subnet in enumerate(self.subnets)}
        labels = self.material.labels or tuple(f"{code}" for code in range(self.probs.probs.shape[2]))
        phases, supply = self.scenario.phases, self.scenario.supply
        hop_s, capacity_j, left_j = self.material.hop_s, self.capacity_j, self.initial_j
        loop = DecisionLoop(hop_s)
        predicted = np.full(self.steps, NO_LABEL)
        counts: Counter[Subnet] = Counter()
        last: Decision | None = None
        probs, sensing = self.probs, None
        label = NO_LABEL
        missed = due = switches = 0
        energy_j = processor_j = 0.0
        empty_step: int | None = None
        for k, (window, slowdown) in enumerate(zip(self.window.tolist(), self.slowdown.tolist(), strict=True)):
            phase = phases[self.phase[k]]
            drawn_j = (self.base_mw(loop.to_skip(STREAM), sensing) + phase.extra_mw) * hop_s / 1000.0
            if capacity_j is not None:
                left_j += phase.charge_mw * hop_s / 1000.0 - (drawn_j if left_j > 0 else 0.0)
                left_j = min(left_j, capacity_j)
            if left_j <= 0:
                empty_step = k if empty_step is None else empty_step
                label = NO_LABEL
                loop.wake(STREAM)
                continue
            energy_j += drawn_j
            if loop.skips(STREAM):
                predicted[k] = label
                continue
            now_s = (k + 1) * hop_s
            deadline_ms = self.deadline_ms[self.phase[k]]
            reading = None
            if supply is not None and capacity_j is not None:
                frac = left_j / capacity_j
                reading = BatteryReading(
                    frac - frac % supply.gauge if supply.gauge else frac,
                    capacity_j if supply.tells_capacity else None,
                    phase.charge_mw > 0,
                    self.base_mw(0, sensing) * supply.tells_base,
                    phase.temperature_c,
                )
            state = loop.state(
                STREAM, now_s=now_s, deadline_ms=deadline_ms, battery=reading, coverage=1.0 - phase.missing
            )
            decision = policy.decide(state)
            point, row = self.table[decision.subnet], rows[decision.subnet]
            latency_ms = point.p50_ms * slowdown
            if deadline_ms is not None:
                due += 1
                missed += latency_ms > deadline_ms
            left_j -= point.energy_mj / 1000.0
            processor_j += point.energy_mj / 1000.0
            switches += last is not None and last.subnet != decision.subnet
            counts[decision.subnet] += 1
            window_probs = probs.probs[row, window]
            label = predicted[k] = int(window_probs.argmax())
            loop.conclude(
                Prediction(
                    stream=STREAM,
                    session="",
                    index=k,
                    t_start_s=now_s - hop_s,
                    t_end_s=now_s,
                    label=labels[label],
                    confidence=float(window_probs[label]),
                    probs=window_probs,
                    labels=labels,
                    decision=decision,
                    latency_ms=latency_ms,
                    energy_mj=point.energy_mj,
                    age_ms=phase.age_s * 1000 + latency_ms,
                    coverage=1.0 - phase.missing,
                )
            )
            last = decision
            if decision.sensing != sensing and self._probs_under:  # from the next window on
                probs, sensing = self._probs(decision.sensing), decision.sensing
        if left_j <= 0 and empty_step is None:
            empty_step = self.steps
        total = sum(counts.values())
        return self.outcome(
            name or policy.kind,
            predicted,
            missed=missed / due if due else 0.0,
            energy_j=energy_j + processor_j,
            processor_j=processor_j,
            empty_step=empty_step,
            left_j=left_j,
            switches=int(switches),
            shares={str(subnet): round(count / total, 4) for subnet, count in counts.most_common()},
            predictions=total,
        )

    def _probs(self, sensing: Sensing | None) -> SubnetProbs:
        if sensing not in self._probs_of:
            assert sensing
            assert self._probs_under
            self._probs_of[sensing] = self._probs_under(sensing)
        return self._probs_of[sensing]

    def base_mw(self, to_skip: int, sensing: Sensing | None = None) -> float:
        """Mean power over one hop without inference, when this many windows, this one included, are skipped."""
        power, spare = self.power, to_skip - self.window_hops
        base_mw = power.base_mw - self.table.saved_mw(sensing)
        if power.asleep_mw is None or spare < 0:
            return base_mw
        awake = min(power.wake_s / self.material.hop_s, 1.0) if spare == 0 else 0.0
        asleep_mw = min(power.asleep_mw, base_mw)
        return asleep_mw + awake * (base_mw - asleep_mw)

    def outcome(
        self,
        name: str,
        predicted: NDArray[np.int64],
        *,
        missed: float,
        energy_j: float,
        processor_j: float,
        empty_step: int | None,
        left_j: float,
        switches: int,
        shares: Mapping[str, float],
        predictions: int,
    ) -> Outcome:
        """The outcome of a day with these labels, (steps,)."""
        right = (predicted == self.truth) & (predicted != NO_LABEL)
        known = self.truth >= 0
        pure = self.pure & known
        elapsed_h = self.steps * self.material.hop_s / 3600
        if self.capacity_j is None:
            hours = float("inf")
        elif empty_step is not None:
            hours = empty_step * self.material.hop_s / 3600
        else:
            hours = self.initial_j / energy_j * elapsed_h if energy_j else float("inf")
        return Outcome(
            name=name,
            accuracy=float(right[pure].mean()) if pure.any() else float("nan"),
            accuracy_with_transitions=float(right[known].mean()) if known.any() else float("nan"),
            missed=float(missed),
            energy_j=energy_j,
            processor_j=processor_j,
            hours=hours,
            empty=empty_step is not None,
            left=max(left_j, 0.0) / self.capacity_j if self.capacity_j else float("nan"),
            predictions=predictions,
            switches=switches,
            shares=shares,
        )


def _order(material: Material, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    edges = np.flatnonzero(np.diff(material.session)) + 1
    epochs = np.split(np.arange(len(material)), edges)
    parts: list[NDArray[np.int64]] = []
    total = 0
    while total < n:
        for number in rng.permutation(len(epochs)):
            parts.append(epochs[number])
            total += len(epochs[number])
            if total >= n:
                break
    return np.concatenate(parts)[:n]
