"""The gain of each adaptive policy over the best fixed subnetwork, on people unused in training and tuning.

    python -m benchmarks.policy --data ../shared/data --json benchmarks/results/policy.json [--only PART ...]

Parts: ``levers`` (the cost of a slower sensor, or of one without gyroscope, on the validation people), ``gains``
(settings searched on the validation people, judged on the test people), ``battery`` (1,000 random days), ``load`` (the
paper's demonstration). Real predictions of every subnetwork on every window, computed once and kept; latencies and
energies are estimates of the energy model named in the file. A part rewrites its own rows and keeps the others.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinestream import lab
from kinestream.core.atomic_file import write_atomically
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Sensing, Subnet
from kinestream.energy.energy_model import EnergyModel, read_energy_model
from kinestream.inference import Engine, candidates, find_model, load_model, macs
from kinestream.inference.measure import cache_dir
from kinestream.lab import Day, DevicePower, Material, Outcome, Phase, Scenario, Supply
from kinestream.launch.open_source import SourceOptions, open_source
from kinestream.policy import BatteryPolicy, make_policy, parse_policy, write_policy

ENERGY = "nrf52840_lsm6dso"
SETS = (("uci_cnn", "hapt"), ("watch", "wisdm2019"))
HOPS = (1, 2, 3, 4, 6, 8)
"""Also a fixed subnetwork may be run on every second window only."""
TRIALS = 40
SHORT = 0.3
"""The battery affords this share of what the full network takes."""
LOSE = 0.005
"""How much accuracy ``persistence`` may lose."""
BUSY = ((0.0, 1.0), (0.1, 1.6), (0.25, 3.0), (0.35, 1.0), (0.5, 6.0), (0.55, 1.3), (0.75, 2.2), (0.9, 1.0))
"""When a load begins, as a share of the day, and how much longer a window takes then."""
DEADLINE = 1.3
"""As a multiple of the full network's typical latency."""
RANDOM_DAYS = 1000
LEAVES = (0.0, 0.01, 0.02)
"""The charge that must be left at the hour."""
P95 = 1.086
"""The 95th percentile of a latency over its median, for the days' noise of 5 %."""


@dataclass(frozen=True)
class People:
    """Some people's windows and every subnetwork's predictions of them."""

    material: Material
    answers: lab.SubnetProbs
    table: OperatingTable
    seen: OperatingTable
    """The operating table of the policies: the rows that are worthwhile on the validation people."""
    draws: DevicePower

    @property
    def hours(self) -> float:
        """Each window once."""
        return len(self.material) * self.material.hop_s / 3600

    def day(self, *phases: Phase, supply: Supply | None = None, noise: float = 0.05) -> Day:
        scenario = Scenario("benchmark", "", self.hours, phases or (Phase(),), supply, noise)
        return Day(scenario, self.material, self.answers, self.table, self.draws)


def people(model_name: str, dataset: str, part: str, data: Path, energy: EnergyModel) -> People:
    """The validation or test people of a model."""
    model = load_model(find_model(model_name))
    subjects = tuple(model.card["subjects"][part])
    source = open_source(dataset, SourceOptions(data_dir=data, subjects=subjects, speed=math.inf))
    material = lab.collect(source, model)
    answers = lab.compute_probs(Engine(model, max_sessions=2), material, cache=cache_dir() / "lab")
    nothing = [
        OperatingPoint(subnet, model.accuracy[subnet], macs(model.architecture, subnet), 1.0, P95, 1.0)
        for subnet in model.subnets
    ]
    table = energy.applied(OperatingTable(model.name, energy.name, "", tuple(nothing)))
    seen = replace(table, points=tuple(table[subnet] for subnet in candidates(model)))
    rate = 1 / material.hop_s
    draws = DevicePower(
        energy.base_mw(Sensing(model.input.fs_hz), rate), energy.base_mw(Sensing(model.input.fs_hz, gyro=False), rate)
    )
    return People(material, answers, table, seen, draws)


def levers(model_name: str, energy: EnergyModel) -> list[dict[str, Any]]:
    """The cost of other sensor settings on the validation people, from the model's file, and their saving."""
    model = load_model(find_model(model_name))
    streaming = read_energy_model("nrf52840_lsm6dso_streaming")
    rows = []
    for sensing, accuracies in model.levers.sensing.items():
        for subnet, accuracy in accuracies.items():
            cost = macs(model.architecture, subnet)
            rows.append(
                {
                    "name": f"{model_name}: {sensing}",
                    "model": model_name,
                    "subnet": str(subnet),
                    "macs": cost,
                    "fs_hz": sensing.fs_hz,
                    "gyro": sensing.gyro,
                    "accuracy": accuracy,
                    "latency_ms": round(cost / (energy.processor.macs_per_s or math.nan) * 1000, 3),
                    "device_mw": round(energy.base_mw(sensing, 1 / model.input.hop_s), 4),
                    "streaming_mw": round(streaming.base_mw(sensing), 4),
                }
            )
    return rows


def gains(model_name: str, dataset: str, data: Path, energy: EnergyModel) -> list[dict[str, Any]]:
    """Each policy's settings from the validation people, and their result on the test people."""
    learnt, judged = (people(model_name, dataset, part, data, energy) for part in ("validation", "test"))
    rows = []
    for text, kind in (
        ("battery", "battery"),
        ("slowdown", "busy"),
        ("latency", "busy"),
        ("persistence", "plain"),
        ("persistence+battery", "battery"),
    ):
        days = [_day(some, kind) for some in (learnt, judged)]
        grids = [_grid(day) for day in days]
        chosen = max((o for o in grids[0] if _fair(o)), key=lambda o: (o.accuracy, -o.energy_j))
        parts = parse_policy(text.replace("battery", f"battery:hours={days[0].scenario.hours},leave=0.01"))
        goal = "energy" if kind == "plain" else "accuracy"
        best = lab.search(
            days[0], parts, learnt.seen, trials=TRIALS, goal=goal, accuracy=chosen.accuracy - LOSE, optuna=False
        )
        # The wished-for hour is the end of the day, not a setting that was learnt.
        settings = write_policy(best.policy).replace(
            f"hours={days[0].scenario.hours}", f"hours={days[1].scenario.hours}"
        )
        outcome = days[1].run(make_policy(settings, judged.seen), text)
        rows.append(_row(model_name, text, settings, outcome, best.outcome, days, grids, chosen))
        print({key: value for key, value in rows[-1].items() if "energy_j" not in key}, flush=True)
    return rows


def _day(some: People, kind: str) -> Day:
    if kind == "battery":
        full = max(some.table.points, key=lambda point: point.energy_mj)
        least_mw = some.draws.base_mw + SHORT * full.energy_mj / some.material.hop_s
        return some.day(supply=Supply(capacity_j=least_mw * some.hours * 3.6, gauge=0.01))
    if kind == "busy":
        return some.day(*(Phase(at * some.hours, load, deadline=DEADLINE) for at, load in BUSY), noise=0.12)
    return some.day()


def _grid(day: Day) -> list[Outcome]:
    """Every fixed subnetwork at every hop."""
    return [lab.fixed(day, subnet, hop) for subnet in day.subnets for hop in HOPS]


def _fair(outcome: Outcome, missed: float = 0.02) -> bool:
    return not outcome.empty and outcome.missed <= max(missed, 0.02)


def _row(
    model: str,
    name: str,
    settings: str,
    outcome: Outcome,
    before: Outcome,
    days: list[Day],
    grids: list[list[Outcome]],
    chosen: Outcome,
) -> dict[str, Any]:
    """The policy compared with the best fixed choices.

    ``beforehand``: the fixed choice most accurate on the validation people of those that cost no more there than the
    policy, kept deadline and battery there. ``afterwards``: the same chosen on the test people themselves. Both with a
    prediction for every window, and with any of ``HOPS``.
    """
    best = next(o for o in grids[1] if o.name == chosen.name)
    row_values = {
        "name": f"{model}: {name}",
        "model": model,
        "policy": name,
        "settings": settings,
        "seeds": [0],
        **_figures_of("", outcome),
        "oracle_accuracy": round(lab.oracle(days[1], 1000 * outcome.processor_j), 5),
        **_figures_of("best_fixed_", best),
        "saved_against_best_fixed": round(1 - outcome.energy_j / best.energy_j, 4),
        "lost_against_best_fixed": round(best.accuracy - outcome.accuracy, 5),
    }
    for kind in ("every_window", "any_hop"):
        learnt, judged = ([o for o in grid if kind == "any_hop" or " every " not in o.name] for grid in grids)
        known = [o for o in learnt if _fair(o, before.missed) and o.energy_j <= before.energy_j]
        likely = max(known, key=lambda o: o.accuracy, default=None)
        beforehand = next((o for o in judged if likely and o.name == likely.name), None)
        within = [o for o in judged if _fair(o, outcome.missed) and o.energy_j <= outcome.energy_j]
        afterwards = max(within, key=lambda o: o.accuracy, default=None)
        enough = [o for o in judged if _fair(o, outcome.missed) and o.accuracy >= outcome.accuracy]
        cheapest = min(enough, key=lambda o: o.energy_j, default=None)
        row_values |= {
            **_figures_of(f"{kind}_beforehand_", beforehand),
            **_figures_of(f"{kind}_afterwards_", afterwards),
            f"{kind}_gain_beforehand": beforehand and round(outcome.accuracy - beforehand.accuracy, 5),
            f"{kind}_gain_afterwards": afterwards and round(outcome.accuracy - afterwards.accuracy, 5),
            f"{kind}_saved_against_cheapest_as_accurate": cheapest
            and round(1 - outcome.energy_j / cheapest.energy_j, 4),
        }
    return row_values


def _figures_of(prefix: str, outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:  # nothing fixed costs so little
        return {}
    named = {} if not prefix else {f"{prefix}name": outcome.name}
    return named | {
        f"{prefix}accuracy": round(outcome.accuracy, 5),
        f"{prefix}missed": round(outcome.missed, 5),
        f"{prefix}energy_j": round(outcome.energy_j, 4),
        f"{prefix}network_j": round(outcome.processor_j, 4),
    }


def battery(data: Path, energy: EnergyModel, count: int, held: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Random days: how often the battery is empty before the end, and the distance to the oracle.

    Args:
        held: the rows of an earlier run; their days are not simulated again.
    Returns:
        The rows, again after every 50 days.
    """
    some = people(*SETS[0], "test", data, energy)
    rows = [_lived(f"uci_cnn: battery:leave={leave:g}, random days", held) for leave in LEAVES]
    rng = np.random.default_rng(0)
    for number in range(count):
        day, hours = _random_day(some, rng, number)
        for leave, row in zip(LEAVES, rows, strict=True):
            if number < len(row["minutes_early"]):
                continue
            outcome = day.run(BatteryPolicy(some.seen, hours=hours, leave=leave))
            early_h = max(hours - day.material.hop_s / 3600 - outcome.hours, 0.0)
            row["minutes_early"].append(round(60 * early_h, 2))
            row["foreseeable"].append(int(early_h == 0 or _foreseeable(day)))
            row["below_oracle"].append(round(lab.oracle(day, 1000 * outcome.processor_j) - outcome.accuracy, 5))
            row["left"].append(round(outcome.left, 4))
        if (number + 1) % 50 == 0 or number + 1 == count:
            yield [_summed(row) for row in rows]


def _lived(name: str, held: list[dict[str, Any]]) -> dict[str, Any]:
    lists = ("minutes_early", "foreseeable", "below_oracle", "left")
    earlier = next((row for row in held if row["name"] == name), {})
    return {"name": name, **{key: list(earlier.get(key, [])) for key in lists}}


def _summed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the totals of its days; days that no plan without foresight survives are only counted."""
    fair = np.array(row["foreseeable"], bool)
    early, below = np.array(row["minutes_early"])[fair], np.array(row["below_oracle"])[fair]
    return row | {
        "seeds": [0],
        "days": len(fair),
        "could_not_last": int((~fair).sum()),
        "empty_before_the_hour": int((early > 0).sum()),
        "most_minutes_early": float(early.max()),
        "below_oracle_mean": round(float(below.mean()), 5),
        "below_oracle_most": round(float(below.max()), 5),
        "within_1_percent": round(float((below <= 0.01).mean()), 4),
        "left_mean": round(float(np.array(row["left"])[fair].mean()), 4),
    }


def _foreseeable(day: Day) -> bool:
    """Whether the battery lasts if a plan spends its charge evenly and learns of other uses when they start.

    Late uses that draw more than is left empty the battery under any plan that cannot foresee them.
    """
    phases, hours = day.scenario.phases, day.scenario.hours
    least = min(point.energy_mj for point in day.table.points) / day.material.hop_s
    most = max(point.energy_mj for point in day.table.points) / day.material.hop_s
    left_j = day.initial_j
    for phase, end in zip(phases, [*(p.from_h for p in phases[1:]), hours], strict=True):
        rest_mw = day.power.base_mw + phase.extra_mw
        even_mw = left_j / (hours - phase.from_h) / 3.6
        left_j -= min(max(even_mw, rest_mw + least), rest_mw + most) * (end - phase.from_h) * 3.6
    return left_j >= -1e-6


def _random_day(some: People, rng: np.random.Generator, seed: int) -> tuple[Day, float]:
    """Between the least that lasts and more than the dearest needs; other uses, a coarse gauge, a wrong word of the
    device's draw."""
    hours = float(rng.uniform(0.5, 1.5))
    hop_s = some.material.hop_s
    cheapest = min(point.energy_mj for point in some.seen.points)
    dearest = max(point.energy_mj for point in some.seen.points)
    times = np.sort(rng.uniform(0.05, 0.95, rng.integers(0, 5))) * hours
    extra = rng.uniform(0, 2.0, len(times)) * rng.integers(0, 2, len(times))
    lengths = np.diff([*times, hours])
    extra_j = float((extra * lengths).sum()) * 3.6
    mj = cheapest * 1.2 + rng.uniform(0, 1.1) * (dearest - cheapest)
    need_j = extra_j + (some.draws.base_mw + mj / hop_s) * hours * 3.6
    frac = float(rng.uniform(0.2, 1.0))
    supply = Supply(
        frac=frac,
        capacity_j=need_j / frac,
        gauge=float(rng.choice([0.0, 0.001, 0.01])),
        tells_base=float(rng.uniform(0.7, 1.3)),
    )
    phases = (Phase(), *(Phase(float(at), extra_mw=float(mw)) for at, mw in zip(times, extra, strict=True)))
    scenario = Scenario(f"random {seed}", "", hours, phases, supply)
    return Day(scenario, some.material, some.answers, some.table, some.draws, seed=seed), hours


def load(data: Path, energy: EnergyModel) -> list[dict[str, Any]]:
    """CPU loads of 0, 30, 60 and 0 %, 20 s each, over and over, ten windows a second; deadline 70 ms.

    The full network takes 60 ms without load, the paper's band is 50 to 70 ms.
    """
    rows = []
    some = people(*SETS[0], "test", data, energy)
    scale = 60.0 / some.table[Subnet(1.0, 128)].p50_ms

    def slowed(table: OperatingTable) -> OperatingTable:
        points = (replace(p, p50_ms=p.p50_ms * scale, p95_ms=p.p95_ms * scale) for p in table.points)
        return replace(table, points=tuple(points))

    material = replace(some.material, hop_s=0.1)
    hours = len(material) * 0.1 / 3600
    loads = (1.0, 1 / 0.7, 1 / 0.4, 1.0)
    phases = tuple(Phase(20 * k / 3600, load=loads[k % 4], deadline_ms=70.0) for k in range(int(hours * 180)))
    day = Day(Scenario("paper", "", hours, phases), material, some.answers, slowed(some.table), some.draws)
    for text in ("latency:low=0.7142857,high=1", "slowdown", "1x-128", "0.35x-128"):
        fixed = text[0].isdigit()
        outcome = lab.fixed(day, Subnet.parse(text)) if fixed else day.run(make_policy(text, slowed(some.seen)))
        rows.append({"name": f"paper's load: {text}", "policy": text, "seeds": [0], **_figures_of("", outcome)})
        rows[-1]["switches"] = outcome.switches
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KINESTREAM_DATA", "../shared/data")))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parts = ("levers", "gains", "battery", "load")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--days", type=int, default=RANDOM_DAYS, help="of the part battery")
    args = parser.parse_args()
    energy = read_energy_model(ENERGY)
    held: dict[str, Any] = json.loads(args.json.read_text("utf-8")) if args.json and args.json.exists() else {}
    rows: list[dict[str, Any]] = held.get("rows", [])

    def keep(part: str, made: list[dict[str, Any]]) -> None:
        rows[:] = [row for row in rows if row["part"] != part] + [{"part": part, **row} for row in made]
        if args.json:
            _write(args.json, rows, energy)

    for part in args.only:
        made: list[dict[str, Any]] = []
        if part == "battery":
            for made in battery(args.data, energy, args.days, rows):
                keep(part, made)
                print(*({k: v for k, v in row.items() if not isinstance(v, list)} for row in made), flush=True)
            continue
        for model, dataset in SETS if part in ("levers", "gains") else SETS[:1]:
            if part == "levers":
                made += levers(model, energy)
            elif part == "gains":
                made += gains(model, dataset, args.data, energy)
            else:
                made += load(args.data, energy)
        keep(part, made)


def _write(path: Path, rows: list[dict[str, Any]], energy: EnergyModel) -> None:
    about = {
        "title": "What adaptive policies gain over fixed subnetworks",
        "command": "python -m benchmarks.policy --json benchmarks/results/policy.json",
        "protocol": "settings from the validation people; judged on the nine official test people of HAPT (uci_cnn, 50 "
        "Hz, a window every 1.28 s) and the nine held-out people of WISDM 2019 (watch, 20 Hz, every 2 s); levers on "
        "the validation people",
        "energy_model": energy.describe(),
    }
    head = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    body = ",\n".join("  " + json.dumps(row) for row in rows)
    write_atomically(path, "{" + ",\n".join([*head, f'"rows": [\n{body}\n]']) + "}\n")


if __name__ == "__main__":
    main()
