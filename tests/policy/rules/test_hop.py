"""The hop policy: windows that are not predicted."""

from __future__ import annotations

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.policy import make_policy

from ..situations import situation


def test_hop_leaves_the_subnetwork_to_the_policy_that_it_limits(table: OperatingTable) -> None:
    alone = make_policy("battery:hours=8", table).decide(situation())
    limited = make_policy("battery:hours=8+hop=4", table).decide(situation())
    assert (limited.subnet, alone.hop, limited.hop) == (alone.subnet, 1, 4)
    assert limited.reason.endswith("every 4 windows, as set")


def test_the_longest_hop_holds(table: OperatingTable) -> None:
    assert make_policy("fixed+hop=4", table).decide(situation()).hop == 4
    assert make_policy("hop=3", table).decide(situation()).hop == 3


@pytest.mark.parametrize("hop", [0, 101])
def test_a_hop_out_of_range_is_refused(table: OperatingTable, hop: int) -> None:
    with pytest.raises(ConfigError, match=f"hop={hop}: expected a number of windows from 1 to 100"):
        make_policy(f"hop={hop}", table)
