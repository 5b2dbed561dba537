"""Policies tried on recorded days in seconds, and their settings searched."""

from .answers import Answers, answers_of
from .day import Day, Draws
from .material import Material, collect
from .outcome import Outcome
from .rivals import best_fixed, budget_mj, cheapest_as_accurate, fixed, oracle, oracle_outcome
from .scenario import Phase, Scenario, Supply, parse_scenario, read_scenario, scenario_names
from .search import Found, search

__all__ = [
    "Answers",
    "Day",
    "Draws",
    "Found",
    "Material",
    "Outcome",
    "Phase",
    "Scenario",
    "Supply",
    "answers_of",
    "best_fixed",
    "budget_mj",
    "cheapest_as_accurate",
    "collect",
    "fixed",
    "oracle",
    "oracle_outcome",
    "parse_scenario",
    "read_scenario",
    "scenario_names",
    "search",
]
