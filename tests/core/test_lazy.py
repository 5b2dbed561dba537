"""The front doors of the packages: every public name is listed, and loaded only when used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

FACADES = ("kinestream", "kinestream.ingest", "kinestream.inference", "kinestream.dashboard")


@pytest.mark.parametrize("package", FACADES)
def test_dir_lists_every_public_name_and_each_can_be_loaded(package: str) -> None:
    module = import_module(package)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", FACADES)
def test_an_unknown_name_is_an_attribute_error_that_names_the_package(package: str) -> None:
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'nothing_like_it'"):
        import_module(package).nothing_like_it  # noqa: B018


def test_importing_kinestream_loads_nothing_heavy() -> None:
    code = "import sys, kinestream; dir(kinestream); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "scipy", "onnxruntime", "onnx", "zmq", "textual", "torch", "asyncio", "dataclasses"}
    assert not heavy & set(modules)
