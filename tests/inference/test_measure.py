"""The operating table: measured, cached, and measured again when the cache is not usable."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.inference import Engine, candidates, macs, operating_table
from kinestream.inference.engine import MAX_SESSIONS
from kinestream.inference.measure import POWER_W, ROUNDS, RUNS, cache_dir, machine, measure
from tests.random_models import random_model, random_preset


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KINESTREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def engine() -> Engine:
    return Engine(random_model())


def measured(engine, subnets=None, **options) -> tuple:
    """The table, and the number of subnetworks measured for it."""
    calls: list[tuple[int, int]] = []
    table = operating_table(engine, subnets, progress=lambda *call: calls.append(call), **options)
    assert not calls or calls[-1][0] == calls[-1][1] == len(calls)
    return table, len(calls) // ROUNDS


def test_every_subnetwork_has_a_complete_row(engine):
    table, count = measured(engine)
    model = engine.model
    assert count == len(model.subnets) == len(table.points)
    for row in table.points:
        assert row.accuracy == model.accuracy[row.subnet]
        assert row.macs == macs(model.architecture, row.subnet)
        assert 0 < row.p50_ms <= row.p95_ms
        assert row.energy_mj == row.p50_ms * POWER_W
    assert (table.model, table.machine) == ("tiny", machine())
    assert f"{POWER_W:g} W" in table.energy_model
    assert set(table.front) <= set(table.points)


def test_a_second_start_reads_what_the_first_one_measured(engine):
    first, _ = measured(engine)
    second, count = measured(Engine(engine.model))
    assert count == 0
    assert second == first


def test_another_power_needs_no_new_measurement(engine):
    first, _ = measured(engine)
    second, count = measured(engine, power_w=2 * POWER_W)
    assert count == 0
    assert [row.energy_mj for row in second.points] == [2 * row.energy_mj for row in first.points]


def test_fresh_measures_again(engine):
    measured(engine)
    assert measured(engine, fresh=True)[1] == 6


def test_rounds_slowed_by_other_programs_do_not_count():
    class Disturbed(Engine):
        """Every third round, and so the rows measured in it, is slow."""

        calls = 0

        def predict(self, x, subnet):
            self.calls += 1
            round_ = (self.calls - 1) // ((RUNS + 1) * 2)
            return dataclasses.replace(super().predict(x, subnet), latency_ms=50.0 if round_ % 3 == 0 else 0.1)

    model = random_model()
    engine = Disturbed(model)
    assert set(measure(engine, model.subnets[:2]).values()) == {(0.1, 0.1)}


def test_another_model_or_thread_count_is_measured_separately(engine):
    measured(engine)
    assert measured(Engine(random_model(seed=1)))[1] == 6
    assert measured(Engine(engine.model, threads=2))[1] == 6
    assert measured(engine)[1] == 0


def test_some_subnetworks_can_be_measured_and_are_cached_with_the_others(engine):
    part = engine.model.subnets[:2]
    table, count = measured(engine, part)
    assert count == 2
    assert tuple(row.subnet for row in table.points) == part
    other = engine.model.subnets[3]
    assert operating_table(engine, [other]).points[0].subnet == other
    assert measured(engine, [*part, other])[1] == 0
    assert measured(engine)[1] == 6


def test_more_subnetworks_than_sessions_are_measured_too(engine):
    small = Engine(engine.model, max_sessions=2)
    assert measured(small)[1] == 6
    assert len(small._sessions) <= 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "\x00\xff",
        '{"latency_ms": 3}',
        '{"latency_ms": {"wide": [1, 2]}}',
        '{"latency_ms": {"0.25x-32": [1]}}',
        '{"latency_ms": {"0.25x-32": [2, 1]}}',
        '{"latency_ms": {"0.25x-32": [NaN, 1]}}',
        '{"latency_ms": {"0.25x-32": ["a", "b"]}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_cache_is_replaced_by_a_new_measurement(engine, cache, content, caplog):
    operating_table(engine)
    (file,) = (cache / "tables").iterdir()
    file.write_text(content, encoding="latin-1")
    table, count = measured(engine)
    assert count == 6
    assert "measuring again" in caplog.text
    assert set(json.loads(file.read_text())["latency_ms"]) == {str(row.subnet) for row in table.points}
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_a_cache_that_cannot_be_written_is_logged(engine, cache, caplog):
    cache.write_text("a file where the folder should be")
    assert len(operating_table(engine).points) == 6
    assert "cannot be cached" in caplog.text


def test_the_environment_chooses_the_cache_folder(cache, monkeypatch, tmp_path):
    assert cache_dir() == cache
    monkeypatch.delenv("KINESTREAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "kinestream"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "kinestream"


def test_a_subnetwork_without_evaluation_has_no_accuracy(engine):
    model = dataclasses.replace(engine.model, accuracy={})
    assert math.isnan(operating_table(Engine(model), [model.full]).points[0].accuracy)


def test_candidates_are_the_front_of_accuracy_and_macs():
    model = dataclasses.replace(
        random_model(),
        accuracy={
            Subnet(0.25, 32): 0.80,
            Subnet(0.25, 40): 0.79,
            Subnet(0.5, 32): 0.90,
            Subnet(0.5, 40): 0.90,
            Subnet(1.0, 32): 0.95,
            Subnet(1.0, 40): 0.94,
        },
    )
    assert candidates(model) == (Subnet(0.25, 32), Subnet(0.5, 32), Subnet(1.0, 32), Subnet(1.0, 40))


def test_a_long_front_is_thinned_to_what_an_engine_keeps_warm():
    model = random_preset("uci")  # its accuracies rise with the width: nearly every subnetwork is on the front
    chosen = candidates(model)
    assert len(set(chosen)) == MAX_SESSIONS
    assert (chosen[0], chosen[-1]) == (model.subnets[0], model.full)


def test_candidates_without_accuracies_are_all_widths():
    model = dataclasses.replace(random_preset("uci"), accuracy={})
    assert [subnet.width for subnet in candidates(model)] == list(model.widths)


@pytest.mark.parametrize("power", [0, -1, math.nan, math.inf])
def test_an_impossible_power_is_refused(engine, power):
    with pytest.raises(ConfigError, match="power_w"):
        operating_table(engine, power_w=power)


def test_an_unknown_subnetwork_is_refused(engine):
    with pytest.raises(ConfigError, match="no subnetwork"):
        operating_table(engine, [Subnet(0.3, 40)])
