"""Settings far beyond any meaning: each is refused in one line, or the policy decides as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision
from kinestream.policy import BatteryReading, make_policy, specs_of
from kinestream.policy.catalog import POLICIES
from kinestream.policy.settings import LARGEST

from .situations import predicted, situation

TETS = (
    "1e308",
    "-1e308",
    "1e999",
    "nan",
    "1e-308",
    "5e-324",
    "0",
    "1e9",
    "-1",
    "9" * 400,
    "9" * 5000,
    "1" + "0" * 309,
)
STATES = [
    situation(*recent, now_s=now_s, battery=BatteryReading(0.5, 100.0), deadline_ms=deadline_ms)
    for now_s in (100.0, 101.28, 1e6)
    for recent in ((), (predicted(), predicted(age_ms=5.0, label="sitting")))
    for deadline_ms in (None, 20.0)
]
SETTINGS = [(kind, spec.name) for kind, policy in POLICIES.items() for spec in specs_of(policy)]


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=[f"{kind}.{name}" for kind, name in SETTINGS])
def test_an_extreme_setting_is_refused_in_a_line_or_obeyed(
    kind: str, name: str, table: OperatingTable, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    for text in TETS:
        file.write_text(f'kind = "{kind}"\n{name} = {text}\n')
        for policy_text in (f"{kind}:{name}={text}", str(file)):
            try:
                policy = make_policy(policy_text, table)
            except ConfigError:
                continue
            for state in STATES:
                decision = policy.decide(state)
                assert isinstance(decision, Decision)
                assert decision.subnet in table


def test_a_number_beyond_the_largest_is_refused_with_the_largest(table: OperatingTable) -> None:
    with pytest.raises(ConfigError, match=r"hours=1e\+308: expected a positive number of hours, at most 1e\+09"):
        make_policy("battery:hours=1e308", table)
    assert make_policy(f"battery:hours={LARGEST}", table)
