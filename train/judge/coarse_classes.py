"""Scores of coarser classes: groups of labels, without another network."""

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
    """(labels, groups) matrix with 1 for a label in a group; ``probs @ membership`` gives the groups' probabilities.

    >>> membership(("walk", "run", "sit"), {"moving": ("walk", "run"), "still": ("sit",)}).tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
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
    """All scores of ``subnets`` with the groups as classes, as JSON values.

    Args:
        x: (n, length, columns) normalised windows.
        codes: (n,) their labels.
        subjects: (n,) their people.
    """
    member = membership(labels, groups)
    group_codes = member.argmax(axis=1)[codes]
    scores = {subnet: score_of(probabilities(net, x, subnet) @ member, group_codes, subjects) for subnet in subnets}
    return {
        "made_of": {name: list(group) for name, group in groups.items()},
        "scores": {str(subnet): to_json(score, tuple(groups)) for subnet, score in scores.items()},
    }
