"""The subnetwork that runs by default, and the operating table a policy needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kinestream.inference import Engine, Model, candidates, macs, operating_table
from kinestream.policy import named_subnets

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingTable
    from kinestream.core.signals import Subnet
    from kinestream.policy import Part


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
