"""A real session: the built-in wearer with a small network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kinestream.inference import Engine, operating_table
from kinestream.launch.open_source import open_source
from kinestream.policy import make_battery, make_policy
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session
from tests.random_models import random_model

LABELS = ("walking", "walking_upstairs", "walking_downstairs", "standing")


@pytest.fixture
def make_session(tmp_path, monkeypatch) -> Callable[[str], Session]:
    """Return a function that builds a session on a source; its network has random weights, so it is often wrong."""
    monkeypatch.setenv("KINESTREAM_CACHE", str(tmp_path / "cache"))

    def make(address: str) -> Session:
        engine = Engine(replace(random_model(), labels=LABELS))
        table = operating_table(engine)
        policy_text = "battery:hours=1"
        pipeline = Pipeline(
            engine, make_policy(policy_text, table), table, battery=make_battery("simulated:hours=2"), deadline_ms=5.0
        )
        return Session(open_source(address), pipeline, model_name="tiny", policy_text=policy_text)

    return make
