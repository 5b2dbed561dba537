"""The paper's two demonstrations, with its rule and ours: changing deadlines and a varying load.

    python benchmarks/policy_demos.py [--model uci_cnn] [--measured] [--images docs/images]

Deadlines of 70, 45, 20 and 10 ms for 20 s each; then a deadline of 70 ms (the paper's band of 50 to 70 ms) while other
programs take 0, 30, 60 and 0 % of the processor for 20 s each. Ten windows a second.

Simulated by default, so the figures are the same on every machine: the model's subnetworks take as long as the
paper measured on a Raspberry Pi for the same share of its network, times the load (a processor of which 60 % is
taken needs 1 / 0.4 of the time), times a jitter whose 95th percentile is 1.1. With ``--measured`` every window is a
real prediction on this machine and its real time; deadlines are scaled to the full network's measured p50, and the
load is the only remaining assumption.
"""

from __future__ import annotations

import argparse
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import exp, log
from pathlib import Path
from statistics import fmean

import numpy as np

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.inference import Engine, Model, candidates, find_model, load_model, macs, operating_table
from kinestream.inference.presets import PRESETS
from kinestream.policy import Policy, PolicyState, make_policy

HOP_S = 0.1
PHASE_S = 20.0
DEADLINES_MS = (70.0, 45.0, 20.0, 10.0)
LOADS = (0.0, 0.3, 0.6, 0.0)
LOAD_DEADLINE_MS = 70.0
POLICIES = ("fixed", "deadline", f"latency:low={50 / 70:.3f}", "slowdown")
PI_MS = {"1x-200": 59.16, "0.8x-175": 42.39, "0.35x-165": 18.89, "0.1x-150": 6.53}
"""The paper's CNN for WISDM on a Raspberry Pi."""
JITTER_P95 = 1.1
SEED = 1

Latency = Callable[[Subnet], float]


@dataclass(slots=True)
class Run:
    """One policy through one demonstration."""

    policy: str
    t_s: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    deadline_ms: list[float] = field(default_factory=list)
    chosen: list[OperatingPoint] = field(default_factory=list)

    @property
    def late(self) -> list[bool]:
        return [ms > limit for ms, limit in zip(self.latency_ms, self.deadline_ms, strict=True)]

    @property
    def switches(self) -> int:
        return sum(one != other for one, other in zip(self.chosen, self.chosen[1:], strict=False))

    def late_after(self, start_s: float) -> int:
        """Windows that miss the deadline in the first second after a change."""
        return sum(late for t, late in zip(self.t_s, self.late, strict=True) if start_s <= t < start_s + 1.0)


def pi_table(model: Model) -> OperatingTable:
    """The model's subnetworks with the latencies a Raspberry Pi would need."""
    paper = PRESETS["wisdm"]
    full = macs(paper, Subnet.parse("1x-200"))
    known = sorted((macs(paper, Subnet.parse(name)) / full, ms) for name, ms in PI_MS.items())
    shares, times_ms = zip(*known, strict=True)

    def point(subnet: Subnet) -> OperatingPoint:
        cost = macs(model.architecture, subnet)
        p50_ms = float(np.interp(cost / macs(model.architecture, model.full), shares, times_ms))
        return OperatingPoint(subnet, model.accuracy[subnet], cost, p50_ms, p50_ms * JITTER_P95, p50_ms)

    points = tuple(point(subnet) for subnet in candidates(model))
    return OperatingTable(model.name, "a Raspberry Pi, simulated", "1 W while it computes", points)


def simulated(table: OperatingTable, rng: random.Random) -> Latency:
    """Latencies without load: the table's, with jitter."""
    deviation = log(JITTER_P95) / 1.645
    return lambda subnet: table[subnet].p50_ms * exp(rng.gauss(0.0, deviation))


def measured(model: Model) -> tuple[OperatingTable, Latency]:
    """The table of this machine and the real latency of every window."""
    engine = Engine(model)
    table = operating_table(engine, candidates(model), fresh=True)
    engine.warm([point.subnet for point in table.points])
    rng = np.random.default_rng(SEED)
    x = (model.mean + model.std * rng.standard_normal((model.input.length, len(model.mean)))).astype(np.float32)
    return table, lambda subnet: engine.predict(x, subnet).latency_ms


def run(
    text: str, table: OperatingTable, latency: Latency, deadlines_ms: tuple[float, ...], loads: tuple[float, ...]
) -> Run:
    """All phases of a demonstration, decided window by window."""
    policy: Policy = make_policy(text, table)
    result = Run(text)
    recent: deque[Prediction] = deque(maxlen=8)
    each = round(PHASE_S / HOP_S)
    for k in range(each * len(loads)):
        deadline_ms, load = deadlines_ms[k // each], loads[k // each]
        last = recent[-1].decision if recent else None
        past = tuple(recent)
        decision = policy.decide(PolicyState(k * HOP_S, 0.0, deadline_ms, None, last, past, HOP_S, past))
        latency_ms = latency(decision.subnet) / (1.0 - load)
        recent.append(_prediction(decision, latency_ms, k))
        result.t_s.append(k * HOP_S)
        result.latency_ms.append(latency_ms)
        result.deadline_ms.append(deadline_ms)
        result.chosen.append(table[decision.subnet])
    return result


def _prediction(decision: Decision, latency_ms: float, k: int) -> Prediction:
    return Prediction(
        stream="demo", session="", index=k, t_start_s=k * HOP_S - 2.56, t_end_s=k * HOP_S, label="", confidence=1.0,
        probs=np.ones(1, np.float32), labels=("",), decision=decision, latency_ms=latency_ms, energy_mj=0.0,
        age_ms=latency_ms, coverage=1.0,
    )  # fmt: skip


def tell(title: str, runs: list[Run], changes_s: tuple[float, ...]) -> None:
    print(f"\n{title}\n{'policy':<22}{'late':>8}{'accuracy':>10}{'switches':>10}  late in the second after each change")
    for one in runs:
        after = ", ".join(str(one.late_after(start_s)) for start_s in changes_s)
        accuracy = fmean(point.accuracy for point in one.chosen)
        print(f"{one.policy:<22}{fmean(one.late):>8.2%}{accuracy:>10.2%}{one.switches:>10}  {after}")


def draw(path: Path, title: str, runs: list[Run], loads: tuple[float, ...]) -> None:
    """Latency against the deadline, a panel for each policy, its subnetworks written where they last."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(len(runs), 1, figsize=(7.2, 1.9 * len(runs) + 0.5), sharex=True, layout="constrained")
    for one, axes in zip(runs, np.atleast_1d(panels), strict=True):
        axes.step(one.t_s, one.deadline_ms, color="#1c1c1a", linewidth=1.0, linestyle="--", where="post")
        axes.plot(one.t_s, one.latency_ms, ".", color="#0072b2", markersize=2.0)
        late = [k for k, is_late in enumerate(one.late) if is_late]
        axes.plot([one.t_s[k] for k in late], [one.latency_ms[k] for k in late], "x", color="#c2500a", markersize=4.0)
        top = 1.45 * max(max(one.deadline_ms), float(np.percentile(one.latency_ms, 99)))
        axes.set_ylim(0, top)
        for phase, load in enumerate(loads):
            start = round(phase * PHASE_S / HOP_S)
            ran = one.chosen[start : start + round(PHASE_S / HOP_S)]
            most = max(dict.fromkeys(ran), key=ran.count)
            busy = f"{load:.0%} load, " if any(loads) else ""
            axes.text((phase + 0.5) * PHASE_S, top * 0.9, f"{busy}{most.subnet}", ha="center", fontsize=8)
            axes.axvline(phase * PHASE_S, color="#dedcd4", linewidth=0.8)
        axes.set_ylabel("latency, ms")
        axes.set_title(f"{one.policy.partition(':')[0]}: {fmean(one.late):.1%} late", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(panels)[-1].set_xlabel("s")
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=100)
    plt.close(figure)
    print(f"drew {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description="The paper's demonstrations of deadlines and load.")
    parser.add_argument("--model", default="uci_cnn", help="name of a bundled model, or a model file")
    parser.add_argument("--measured", action="store_true", help="real predictions on this machine")
    parser.add_argument("--images", type=Path, metavar="DIR", help="where to draw the pictures")
    args = parser.parse_args()
    model = load_model(find_model(args.model))
    table, latency = measured(model) if args.measured else (pi_table(model), None)
    scale = table[model.full].p50_ms / PI_MS["1x-200"] if args.measured else 1.0
    where = "measured" if args.measured else table.machine
    print(f"{model.name} on {table.machine}: {len(table.points)} subnetworks, 1 ms of the paper is {scale:.4f} ms")
    demos = (
        ("policy_deadlines", "deadlines of 70, 45, 20 and 10 ms", DEADLINES_MS, (0.0,) * 4),
        ("policy_load", "0, 30, 60 and 0 % of the processor taken", (LOAD_DEADLINE_MS,) * 4, LOADS),
    )
    for name, title, deadlines_ms, loads in demos:
        limits_ms = tuple(ms * scale for ms in deadlines_ms)
        runs = [run(t, table, latency or simulated(table, random.Random(SEED)), limits_ms, loads) for t in POLICIES]
        tell(f"{title} ({where})", runs, tuple(PHASE_S * phase for phase in range(1, len(loads))))
        if args.images:
            args.images.mkdir(parents=True, exist_ok=True)
            shown = [replace(one) for one in runs if one.policy.partition(":")[0] in ("latency", "slowdown")]
            draw(args.images / f"{name}.png", f"{model.name}, {title} ({where})", shown, loads)


if __name__ == "__main__":
    main()
