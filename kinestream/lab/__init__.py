"""Tries policies on recorded days in seconds, and searches their settings."""

from .day import Day, DevicePower
from .material import Material, collect
from .outcome import Outcome
from .rivals import best_fixed, budget_mj, cheapest_as_accurate, fixed, oracle, oracle_outcome
from .scenario import Phase, Scenario, Supply, parse_scenario, read_scenario, scenario_names
from .search import SearchResult, search
from .subnet_probs import SubnetProbs, compute_probs

__all__ = [
    "Day",
    "DevicePower",
    "Material",
    "Outcome",
    "Phase",
    "Scenario",
    "SearchResult",
    "SubnetProbs",
    "Supply",
    "best_fixed",
    "budget_mj",
    "cheapest_as_accurate",
    "collect",
    "compute_probs",
    "fixed",
    "oracle",
    "oracle_outcome",
    "parse_scenario",
    "read_scenario",
    "scenario_names",
    "search",
]
