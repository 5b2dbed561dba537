"""A run's description in the manifest is read back equal."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from kinestream.core.operating_table import SensingRow
from kinestream.core.signals import Sensing, Subnet
from kinestream.inference import Engine, operating_table
from kinestream.policy import make_policy
from kinestream.recording.manifest import RecordedRun, describe
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
