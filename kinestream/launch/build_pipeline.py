"""From a policy's text to a pipeline that runs it: the operating table it needs, its battery and its deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kinestream.inference import Engine, Model, candidates, macs, operating_table
from kinestream.interpret.concluder import Concluder
from kinestream.policy import DeadlinePolicy, build_policy, make_battery, named_subnets, parse_policy, parts_of
from kinestream.run.coverage_watch import MIN_COVERAGE
from kinestream.run.pipeline import Pipeline

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingTable
    from kinestream.core.signals import Subnet
    from kinestream.energy.energy_model import EnergyModel
    from kinestream.policy import Battery, Part
    from kinestream.windowing import ChannelMap


def build_pipeline(
    engine: Engine,
    policy_text: str,
    *,
    battery: Battery | None = None,
    deadline_ms: float | None = None,
    hop: int | None = None,
    max_gap_s: float | None = None,
    min_coverage: float | None = None,
    channel_map: ChannelMap | None = None,
    energy: EnergyModel | None = None,
    everything: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Pipeline:
    """The pipeline that runs a policy, its subnetworks measured on this machine and warm.

    A policy that reads a battery gets a simulated one where none is given; a deadline that only the policy names is
    the pipeline's too.

    Args:
        policy_text: as on the command line, e.g. ``battery:hours=8``.
        energy: estimates the energy of a window instead of the default model.
        everything, progress: see ``table_for``; the other arguments are the pipeline's.

    Raises:
        ConfigError: the policy or a setting of it is wrong.

    >>> from kinestream.inference import Engine, find_model, load_model
    >>> build_pipeline(Engine(load_model(find_model("uci_kinet"))), "fixed:1x-128")
    <Pipeline of uci_kinet: FixedPolicy, 0 streams>
    """
    parts = parse_policy(policy_text)
    table = table_for(engine, parts, everything=everything, progress=progress)
    if energy:
        table = energy.applied(table, latency=False)
    policy = build_policy(parts, table)
    engine.warm([point.subnet for point in table.front])
    if battery is None and any(part.kind == "battery" for part in parts_of(policy)):
        battery = make_battery("simulated")
    own_ms = [part.ms for part in parts_of(policy) if isinstance(part, DeadlinePolicy) and part.ms is not None]
    return Pipeline(
        engine,
        policy,
        table,
        battery=battery,
        deadline_ms=deadline_ms or min(own_ms, default=None),
        hop=hop,
        max_gap_s=max_gap_s,
        min_coverage=MIN_COVERAGE if min_coverage is None else min_coverage,
        channel_map=channel_map,
    )


def build_concluder(model: Model, *, smooth: bool, unknown_below: float | None) -> Concluder | None:
    """The concluder that ``--smooth`` and ``--unknown`` ask for; None if neither does.

    >>> from kinestream.inference import find_model, load_model
    >>> build_concluder(load_model(find_model("uci_kinet")), smooth=False, unknown_below=None) is None
    True
    """
    if not smooth and unknown_below is None:
        return None
    return Concluder(
        model.calibration,
        len(model.labels),
        model.input.window_s,
        smooth=smooth,
        unknown_below=unknown_below or 0.0,
    )


def explicit_policy(policy_text: str, model: Model) -> str:
    """The policy with its subnetwork named: a bare ``fixed`` runs the most accurate one."""
    return f"fixed:{most_accurate(model)}" if policy_text == "fixed" else policy_text


def most_accurate(model: Model) -> Subnet:
    """The subnetwork with the best validation accuracy, ties: the cheapest; the full one if none was evaluated.

    >>> from kinestream.inference import find_model, load_model
    >>> str(most_accurate(load_model(find_model("uci_kinet"))))
    '1.00x-128'
    """
    if not model.accuracy:
        return model.full
    return max(model.accuracy, key=lambda subnet: (model.accuracy[subnet], -macs(model.architecture, subnet)))


def table_for(
    engine: Engine,
    parts: Sequence[Part],
    *,
    everything: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> OperatingTable:
    """The rows of the operating table that a run needs, measured unless they are cached.

    A fixed subnetwork needs its own row; any other policy needs the rows worth choosing and those it names.

    Args:
        parts: the policy, as ``parse_policy`` reads it.
        everything: every subnetwork, for the dashboard's grid.
        progress: called with the runs done and the runs in all while everything is measured.
    """
    if everything:
        return operating_table(engine, progress=progress)
    named = named_subnets(parts)
    if named and [part.kind for part in parts] == ["fixed"]:
        return operating_table(engine, named)
    return operating_table(engine, dict.fromkeys([*candidates(engine.model), *named]))
