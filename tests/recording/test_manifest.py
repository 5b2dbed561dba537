"""A run's description in the manifest is read back equal."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies

from kinestream.core.errors import KinestreamError
from kinestream.core.operating_table import SensingRow
from kinestream.core.signals import Sensing, Subnet
from kinestream.inference import Engine, operating_table
from kinestream.policy import make_policy
from kinestream.recording.manifest import RecordedRun, describe
from kinestream.recording.rerun import RerunSession
from kinestream.replay_data.recordings import open_recording
from kinestream.run.pipeline import Pipeline
from kinestream.windowing import ChannelMap
from tests.random_models import random_model


@pytest.mark.parametrize("channel_map", [None, replace(ChannelMap.parse("-y x z"), acc_factor=9.81)])
def test_a_run_is_read_back_equal_from_its_json(channel_map: ChannelMap | None) -> None:
    engine = Engine(random_model())
    rows = (SensingRow(Sensing(25.0, False), {Subnet(0.5, 32): 0.9}, 1.5),)
    table = replace(operating_table(engine), sensing=rows)
    pipeline = Pipeline(engine, make_policy("latency", table), table, deadline_ms=3.0, hop=7, channel_map=channel_map)
    run = RecordedRun.of(pipeline, "tiny.safetensors")
    assert RecordedRun.from_json(json.loads(json.dumps(run.to_json()))) == run
    assert run.model.channel_map == channel_map
    assert (run.model.found_as, run.model.hop, run.deadline_ms) == ("tiny.safetensors", 7, 3.0)


def test_numbers_that_were_never_measured_are_null_in_json() -> None:
    engine = Engine(random_model())
    measured = operating_table(engine)
    table = replace(
        measured,
        points=tuple(replace(point, accuracy=math.nan) for point in measured.points),
        sensing=(SensingRow(Sensing(50.0), {}),),
    )
    manifest = RecordedRun.of(Pipeline(engine, make_policy("fixed", table), table)).to_json()
    assert manifest["table"]["points"][0]["accuracy"] is None
    assert manifest["table"]["sensing"][0]["base_mw"] is None
    read = RecordedRun.from_json(json.loads(json.dumps(manifest, allow_nan=False)))
    assert math.isnan(read.table.points[0].accuracy)
    assert math.isnan(read.table.sensing[0].base_mw)


def test_a_recording_of_samples_alone_describes_no_model() -> None:
    about = describe(source_name="zmq+tcp://127.0.0.1:5556", live=True, wearer="anna")
    assert about == {
        "source": {"name": "zmq+tcp://127.0.0.1:5556", "live": True},
        "wearer": "anna",
        "model": None,
        "policy": None,
    }


def _places(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a manifest; of a list, its first item."""
    yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*place, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*place, 0))


def _with(value: Any, place: tuple[str | int, ...], new: object) -> Any:
    if not place:
        return new
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    changed[place[0]] = _with(value[place[0]], place[1:], new)
    return changed


FILES = Path(__file__).parents[1] / "compatibility" / "files"
RECORDED = json.loads((FILES / "recording" / "recording.json").read_text("utf-8"))


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=strategies.sampled_from(list(_places(RECORDED))),
    value=strategies.sampled_from([5, "x", None, [], {}, 1e308, True, -1, [5], "9" * 400]),
)
@example(place=("streams",), value=5)
@example(place=("table", "points", 0, "p50_ms"), value="x")
@example(place=("model", "found_as"), value=5)
def test_a_manifest_with_any_wrong_value_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str | int, ...], value: object
) -> None:
    monkeypatch.chdir(FILES)  # where its model lies
    folder = tmp_path / "recording"
    if not folder.exists():
        shutil.copytree(FILES / "recording", folder)
    (folder / "recording.json").write_text(json.dumps(_with(RECORDED, place, value)))
    try:
        open_recording(folder)
        asyncio.run(RerunSession(folder, speed=math.inf, limit_s=3).run())
    except KinestreamError as error:
        line = str(error)
        assert line
        assert "\n" not in line
