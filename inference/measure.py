"""Measure the operating table of a model on this machine, and cache it for the next start."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from kinestream.core.atomic_file import write_atomically
from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable, SensingRow
from kinestream.core.signals import Subnet
from kinestream.core.user_folders import user_folder
from kinestream.energy.energy_model import busy_core

from .architecture import macs
from .engine import MAX_SESSIONS, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kinestream.energy.energy_model import EnergyModel

    from .model import Model

POWER_W = 5.0
"""Assumed power of one busy core: a laptop's 15 W processor shared by three busy cores."""
ROUNDS = 12
QUIET_ROUNDS = 8
"""Rounds that count for each subnetwork: those whose longest run is shortest. In the others, another program was
probably running on the machine."""
RUNS = 5
"""Timed runs of each subnetwork per round, after one untimed run."""

Latency = tuple[float, float]
"""p50 and p95, in ms."""

log = logging.getLogger(__name__)


def operating_table(
    engine: Engine,
    subnets: Iterable[Subnet] | None = None,
    *,
    power_w: float = POWER_W,
    energy: EnergyModel | None = None,
    fresh: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> OperatingTable:
    """Return the operating table, with latencies measured on this machine.

    Rounds go over all requested subnetworks, so that a change of clock rate or load affects all alike. If all were
    measured before with the same model, machine, threads and ONNX Runtime, they come from the cache.

    Args:
        subnets: the rows; all by default. ``candidates`` suffice for a policy and take a fraction of a second.
        power_w: power of a busy core in W; unused with ``energy``.
        energy: the energy model; default: ``busy_core(power_w)``.
        fresh: measure again even if cached.
        progress: called with finished and total runs.

    Raises:
        ConfigError: the model has no such subnetwork, or ``power_w`` is not a positive number.

    >>> from kinestream.inference import find_model, load_model
    >>> table = operating_table(Engine(load_model(find_model("uci_kinet"))), [Subnet(1.0, 128)])
    >>> table[Subnet(1.0, 128)].p50_ms > 0
    True
    """
    energy = energy or busy_core(power_w)
    model = engine.model
    wanted = model.subnets if subnets is None else tuple(dict.fromkeys(subnets))
    path = _cache_path(engine)
    known = _read_cache(path)
    if fresh or not known.keys() >= set(wanted):
        known |= measure(engine, wanted, progress=progress)
        _write_cache(path, known)
    measured = OperatingTable(
        model=model.name,
        machine=machine(),
        energy_model="none yet",
        points=tuple(
            OperatingPoint(
                subnet=subnet,
                accuracy=model.accuracy.get(subnet, math.nan),
                macs=macs(model.architecture, subnet),
                p50_ms=known[subnet][0],
                p95_ms=known[subnet][1],
                energy_mj=math.nan,
            )
            for subnet in wanted
        ),
        sensing=tuple(SensingRow(sensing, accuracy) for sensing, accuracy in model.levers.sensing.items()),
        hops=model.levers.hops,
    )
    return energy.applied(measured)


def candidates(model: Model) -> tuple[Subnet, ...]:
    """Return the subnetworks worth measuring before a quick start, cheapest first.

    These are the Pareto front of accuracy and MACs with the narrowest and the full network, and at most as many as an
    engine keeps; for a model without accuracies, each width at full resolution.

    >>> from kinestream.inference import find_model, load_model
    >>> model = load_model(find_model("uci_cnn"))
    >>> len(candidates(model)) < len(model.subnets), candidates(model)[-1] == model.full
    (True, True)
    """
    if not model.accuracy:
        return tuple(s for s in model.subnets if s.resolution == model.full.resolution)
    cost = {subnet: macs(model.architecture, subnet) for subnet in model.subnets}
    best = -1.0
    front = {model.subnets[0], model.full}
    for subnet in sorted(model.accuracy, key=lambda s: (cost[s], -model.accuracy[s])):
        if model.accuracy[subnet] > best:
            best = model.accuracy[subnet]
            front.add(subnet)
    ordered = sorted(front, key=lambda s: cost[s])
    spread = np.linspace(0, len(ordered) - 1, min(len(ordered), MAX_SESSIONS)).round().astype(int)
    return tuple(ordered[i] for i in spread)


def measure(
    engine: Engine, subnets: Iterable[Subnet], *, progress: Callable[[int, int], None] | None = None
) -> dict[Subnet, Latency]:
    """Return p50 and p95 of each subnetwork with its input in the cache and the network warm.

    Raises:
        ConfigError: the model has no such subnetwork.
    """
    subnets = tuple(subnets)
    if len(subnets) > engine.max_sessions:  # a temporary engine with room for all, so that no round rebuilds them
        engine = Engine(engine.model, engine.threads, max_sessions=len(subnets))
    model = engine.model
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((model.input.length, model.architecture.columns))
    x = (model.mean + model.std * noise).astype(np.float32)
    engine.warm(subnets)
    times_ms: dict[Subnet, list[list[float]]] = {subnet: [] for subnet in subnets}
    total = ROUNDS * len(subnets)
    for round_ in range(ROUNDS):
        for done, subnet in enumerate(subnets, start=round_ * len(subnets) + 1):
            engine.predict(x, subnet)
            times_ms[subnet].append([engine.predict(x, subnet).latency_ms for _ in range(RUNS)])
            if progress is not None:
                progress(done, total)
    quiet = {subnet: sorted(rounds, key=max)[:QUIET_ROUNDS] for subnet, rounds in times_ms.items()}
    return {subnet: (float(np.percentile(t, 50)), float(np.percentile(t, 95))) for subnet, t in quiet.items()}


def machine() -> str:
    """Return processor, cores and system, as the table names them."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux: keep the platform's name
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def cache_dir() -> Path:
    """Return ``$KINESTREAM_CACHE``, else ``kinestream`` in the user's cache folder."""
    return user_folder("KINESTREAM_CACHE", unix=("XDG_CACHE_HOME", ".cache"))


def _cache_path(engine: Engine) -> Path:
    conditions = f"{machine()}|{ort.__version__}|{engine.threads}"
    key = hashlib.sha256(f"{engine.model.fingerprint}|{conditions}".encode()).hexdigest()[:20]
    return cache_dir() / "tables" / f"{key}.json"


def _read_cache(path: Path) -> dict[Subnet, Latency]:
    """The cached latencies; empty if the file is missing or damaged, so that they are measured again."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["latency_ms"]
        known = {Subnet.parse(key): (float(p50), float(p95)) for key, (p50, p95) in rows.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        log.warning("%s: the cached table cannot be used (%s); measuring again", path, error)
        return {}
    if not all(0 < p50 <= p95 < math.inf for p50, p95 in known.values()):
        log.warning("%s: the cached table holds impossible latencies; measuring again", path)
        return {}
    return known


def _write_cache(path: Path, known: dict[Subnet, Latency]) -> None:
    rows = {"machine": machine(), "latency_ms": {str(subnet): latency for subnet, latency in sorted(known.items())}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(rows, indent=1))
    except OSError as error:
        log.warning("%s: the table cannot be cached (%s); it will be measured again next time", path, error)
