"""Coarser classes: what a group of labels is worth together, without another network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .evaluate import probabilities
from .scores import score_of, to_json

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from kinestream.core.signals import Subnet

    from ..network.switchable import SwitchableNet

Groups = Mapping[str, Sequence[str]]


def membership(labels: Sequence[str], groups: Groups) -> NDArray[np.float32]:
    """(labels, groups) 1 where the label belongs to the group; ``probs @ membership`` are the groups' probabilities."""
    return np.array([[label in group for group in groups.values()] for label in labels], np.float32)


def group_summary(
    net: SwitchableNet,
    x: Tensor,
    codes: NDArray[np.int64],
    subjects: Sequence[str],
    labels: Sequence[str],
    groups: Groups,
    subnets: Sequence[Subnet],
) -> dict[str, Any]:
    """All scores of some subnetworks among the groups, as JSON values.

    Args:
        x: (n, length, columns) normalised windows. codes: (n,) their labels. subjects: (n,) whose they are.
    """
    member = membership(labels, groups)
    truth = member.argmax(axis=1)[codes]
    scores = {subnet: score_of(probabilities(net, x, subnet) @ member, truth, subjects) for subnet in subnets}
    return {
        "made_of": {name: list(group) for name, group in groups.items()},
        "scores": {str(subnet): to_json(found, tuple(groups)) for subnet, found in scores.items()},
    }
