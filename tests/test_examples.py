"""Every public name has a docstring with a runnable example; ``pytest --doctest-modules`` runs the examples."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

PACKAGES = (
    "kinestream",
    "kinestream.dashboard",
    "kinestream.energy",
    "kinestream.inference",
    "kinestream.ingest",
    "kinestream.interpret",
    "kinestream.lab",
    "kinestream.launch",
    "kinestream.policy",
    "kinestream.replay_data",
    "kinestream.train",
    "kinestream.windowing",
)

SHOWN_BY_DAY = "needs a whole day; the example of Day shows it"
PROTOCOL = "a protocol: other classes implement it, and their examples show it"
TERMINAL = "needs a terminal"
WITHOUT_EXAMPLE = {
    "kinestream.dashboard.DashboardApp": TERMINAL,
    "kinestream.dashboard.SessionLike": PROTOCOL,
    "kinestream.dashboard.run_dashboard": TERMINAL,
    "kinestream.dashboard.take_picture": TERMINAL,
    "kinestream.ingest.publish": "waits for a subscriber; the example of ZmqPublisher shows the same messages",
    "kinestream.lab.Material": "the example of collect makes one",
    "kinestream.lab.SearchResult": "search returns it",
    "kinestream.lab.budget_mj": SHOWN_BY_DAY,
    "kinestream.lab.fixed": SHOWN_BY_DAY,
    "kinestream.lab.oracle": SHOWN_BY_DAY,
    "kinestream.lab.oracle_outcome": SHOWN_BY_DAY,
    "kinestream.lab.search": "takes seconds; docs/tune.md shows kinestream tune, which calls it",
    "kinestream.policy.Battery": PROTOCOL,
    "kinestream.policy.ExternalPolicy": "needs a Python file or an installed package; docs/policies.md shows both",
    "kinestream.policy.LaptopBattery": "needs a machine with a battery",
    "kinestream.policy.Limit": "the built-in policies that limit others return it",
    "kinestream.policy.Limiter": PROTOCOL,
    "kinestream.policy.Policy": PROTOCOL,
    "kinestream.policy.SettingSpec": "for the author of a policy; the built-in policies use it",
    "kinestream.policy.check_settings": "for the author of a policy; the built-in policies use it",
    "kinestream.policy.read_policy_file": "the example of save_policy reads the file back",
    "kinestream.policy.register": "changes the catalog of policies for the whole process",
    "kinestream.policy.setting": "for the author of a policy; the built-in policies use it",
    "kinestream.windowing.TrainingWindows": "training_windows returns it",
}
"""Public names without an example, each with its reason."""


def public_names() -> list[str]:
    """The classes and functions in ``__all__`` of each package; constants have no docstring of their own."""
    names = []
    for package in PACKAGES:
        module = import_module(package)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                names.append(f"{package}.{name}")
    return names


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_has_a_docstring_with_an_example(name: str) -> None:
    package, _, attribute = name.rpartition(".")
    docstring = getattr(import_module(package), attribute).__doc__
    assert docstring, f"{name} has no docstring"
    assert (">>>" in docstring) is not (name in WITHOUT_EXAMPLE), f"{name}: an example, or a reason why there is none"


def test_every_exception_is_still_a_public_name() -> None:
    assert WITHOUT_EXAMPLE.keys() <= set(public_names())
