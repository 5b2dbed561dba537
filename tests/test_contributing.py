"""Every example in CONTRIBUTING.md runs in the real program."""

from __future__ import annotations

import math
import re
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Subnet
from kinestream.inference import Engine, block_kinds, presets
from kinestream.inference.architecture import macs
from kinestream.ingest.devices import find_profile, recognise, registry
from kinestream.ingest.profile import Advertisement, Settings
from kinestream.launch import open_source as launch
from kinestream.launch.build_run import build_run
from kinestream.launch.run_options import RunOptions
from kinestream.policy import POLICIES, make_policy, register, write_policy
from kinestream.replay_data import Player, open_dataset
from kinestream.replay_data.datasets import homes
from kinestream.replay_data.datasets import registry as datasets
from kinestream.replay_data.tables import formats
from tests.policy.situations import situation
from tests.random_models import random_model, random_windows

PAGE = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def examples(thing: str) -> list[str]:
    """The Python blocks below the heading that adds this thing."""
    section = PAGE.split(f"\n## Add {thing}\n")[1].split("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def as_module(monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> Any:
    """The block as an imported module of this name, until the test ends."""
    module = ModuleType(name)
    module.__package__ = name.rpartition(".")[0]
    monkeypatch.setitem(sys.modules, name, module)
    run(code, vars(module))
    return module


def run(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)


def copied(monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], *keys: str) -> None:
    """Remove the keys that the example adds to a table when the test ends."""
    for key in keys:
        assert key not in table
        monkeypatch.setitem(table, key, None)


def test_a_device_is_one_module_and_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = examples("a device")
    as_module(monkeypatch, "kinestream.ingest.devices.tilt", code)
    assert recognise(Advertisement("Tilt-1234")) is None
    monkeypatch.setattr(registry, "_NAMES", (*registry._NAMES, "tilt"))
    registry.profiles.cache_clear()
    try:
        profile = recognise(Advertisement("Tilt-1234"))
    finally:
        monkeypatch.undo()
        registry.profiles.cache_clear()
    assert profile is not None
    assert profile.name == "tilt"
    plan = profile.plan(Settings())
    (packet,) = plan.decoder().decode(plan.notify[0], struct.pack("<3h", 0, -500, 1000))
    assert packet.samples == pytest.approx(np.array([[0, -4.903325, 9.80665]]))
    assert [step.characteristic for step in plan.start(plan.decoder())] == list(plan.notify)  # type: ignore[union-attr]
    assert recognise(Advertisement("Tilt-1234")) is None
    assert find_profile("polar")


def test_a_policy_is_one_module_and_one_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = examples("a policy")
    module = as_module(monkeypatch, "kinestream.policy.rules.thrifty", code)
    copied(monkeypatch, POLICIES, "thrifty")
    register(module.ThriftyPolicy)
    sizes = ((0.25, 1.0), (0.5, 4.0), (1.0, 8.0))
    points = tuple(OperatingPoint(Subnet(w, 128), 0.8 + w / 10, 1, mj, mj, mj) for w, mj in sizes)
    table = OperatingTable("tiny", "by hand", "none", points)
    for text, width in (("thrifty", 0.5), ("thrifty:share=1", 1.0), ("thrifty=0.05", 0.25)):
        assert make_policy(text, table).decide(situation()).subnet == Subnet(width, 128)
    assert write_policy(make_policy("thrifty=0.25+deadline=20", table)) == "thrifty:share=0.25+deadline:ms=20.0"


def test_an_architecture_is_one_builder_and_one_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch trains the network")
    from kinestream.train.network.export import from_model, normalised

    builder, preset = examples("an architecture")
    copied(monkeypatch, block_kinds.BLOCK_KINDS, "vgg")
    copied(monkeypatch, presets.PRESETS, "vgg_uci")
    copied(monkeypatch, presets.RESOLUTIONS, "vgg_uci")
    run(builder, {"__name__": "example"})
    run(preset, dict(vars(presets)))
    architecture, resolutions = presets.PRESETS["vgg_uci"], presets.RESOLUTIONS["vgg_uci"][::8]
    model = random_model("vgg", architecture, (0.5, 1.0), resolutions)
    assert (
        macs(architecture, Subnet(0.5, 96)) < macs(architecture, Subnet(1.0, 96)) < macs(architecture, Subnet(1.0, 128))
    )
    windows, net = random_windows(model, 4), from_model(model)
    engine = Engine(model)
    for subnet in (Subnet(width, resolution) for width in (0.5, 1.0) for resolution in resolutions):
        with torch.inference_mode():
            expected = net(normalised(model, windows), subnet).softmax(-1).numpy()
        assert np.allclose(engine.predict_batch(windows, subnet), expected, atol=1e-4)
        assert np.allclose(engine.predict(windows[0], subnet).probs, expected[0], atol=1e-4)


async def test_a_dataset_is_one_module_a_home_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, home, entry = examples("a dataset")
    strides = as_module(monkeypatch, "kinestream.replay_data.datasets.strides", code)
    names = dict(vars(homes))
    run(home, names)
    monkeypatch.setattr(homes, "STRIDES", names["STRIDES"], raising=False)
    known = eval(entry, {**vars(datasets), "strides": strides})
    monkeypatch.setitem(datasets.DATASETS, known.name, known)
    (tmp_path / "strides.txt").write_text("made up\n")
    for person in ("anna", "ben"):
        rows = "".join(f"{i / 50},0.1,0.2,9.8,{i // 50}\n" for i in range(100))
        (tmp_path / f"{person}.csv").write_text(rows)
    dataset = open_dataset("strides", tmp_path)
    assert dataset.subjects == ("anna", "ben")
    chunks = [chunk async for chunk in Player(dataset, speed=math.inf).chunks()]
    assert sum(len(chunk) for chunk in chunks) == 200
    assert {chunk.label_names for chunk in chunks} == {("standing", "walking")}


async def test_a_file_format_is_one_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    import pyarrow as pa

    (code,) = examples("a file format")
    copied(monkeypatch, formats.FORMATS, ".feather", ".arrow")
    run(code, {"__name__": "example"})
    columns = {"time_s": np.arange(100) / 50, **{f"acc_{axis}": np.full(100, 9.8 * (axis == "z")) for axis in "xyz"}}
    feather.write_feather(pa.table({**columns, "activity": ["walking"] * 100}), tmp_path / "walk.feather")
    source = launch.open_source(str(tmp_path / "walk.feather"), launch.SourceOptions(speed=math.inf))
    chunks = [chunk async for chunk in source.chunks()]
    assert np.concatenate([chunk.x for chunk in chunks]) == pytest.approx(np.tile([0, 0, 9.8], (100, 1)))
    assert {chunk.label_names for chunk in chunks} == {("walking",)}


async def test_a_source_is_one_class_and_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    source, kind = examples("a source")
    as_module(monkeypatch, "kinestream.ingest.example", source)
    copied(monkeypatch, launch.KINDS, "example")
    run(kind, dict(vars(launch)))
    opened = launch.open_source("example://")
    assert isinstance(opened, launch.Source)
    summary = await build_run(RunOptions("example://", model="uci_cnn", policy="fixed:0.5x-96")).run()
    assert summary["source"] == "example://"
    assert summary["counts"]["samples"] == 500
    assert summary["predictions"] == 6
