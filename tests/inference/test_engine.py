"""One window or many, through any subnetwork, in any order."""

from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, InputMismatch
from kinestream.core.signals import Subnet
from kinestream.inference import Engine
from tests.random_models import random_model, random_windows

NARROW, FULL = Subnet(0.25, 32), Subnet(1.0, 40)


@pytest.fixture
def engine() -> Engine:
    return Engine(random_model())


@pytest.fixture
def x(engine) -> np.ndarray:
    return random_windows(engine.model, 40)


def test_probabilities_sum_to_one_and_the_latency_is_measured(engine, x):
    output = engine.predict(x[0], FULL)
    assert output.probs.shape == (4,)
    assert output.probs.dtype == np.float32
    assert output.probs.sum() == pytest.approx(1, abs=1e-6)
    assert output.latency_ms > 0


def test_a_batch_gives_the_probabilities_of_single_windows(engine, x):
    for subnet in engine.model.subnets:
        alone = np.stack([engine.predict(window, subnet).probs for window in x])
        np.testing.assert_allclose(engine.predict_batch(x, subnet), alone, atol=1e-6)


def test_switching_back_and_forth_does_not_change_probabilities(engine, x):
    alone = {subnet: Engine(engine.model).predict(x[0], subnet).probs for subnet in (NARROW, FULL)}
    for subnet in (NARROW, FULL, FULL, NARROW, FULL):
        engine.predict(x[1], subnet)
        np.testing.assert_array_equal(engine.predict(x[0], subnet).probs, alone[subnet])


def test_an_output_belongs_to_its_caller(engine, x):
    first = engine.predict(x[0], FULL).probs
    copy = first.copy()
    engine.predict(x[1], FULL)
    np.testing.assert_array_equal(first, copy)
    first[:] = 0
    assert engine.predict(x[0], FULL).probs.sum() == pytest.approx(1, abs=1e-6)


def test_the_window_is_not_changed(engine, x):
    before = x.copy()
    engine.predict(x[0], NARROW)
    engine.predict_batch(x, NARROW)
    np.testing.assert_array_equal(x, before)


def test_a_small_session_cache_does_not_change_probabilities(engine, x):
    small = Engine(engine.model, max_sessions=2)
    for subnet in (*engine.model.subnets, *reversed(engine.model.subnets)):
        np.testing.assert_array_equal(small.predict(x[0], subnet).probs, engine.predict(x[0], subnet).probs)
        assert len(small._sessions) <= 2


def test_the_least_recently_used_session_goes_first(engine, x):
    small = Engine(engine.model, max_sessions=2)
    middle = Subnet(0.5, 40)
    for subnet in (NARROW, FULL, NARROW, middle):
        small.predict(x[0], subnet)
    assert list(small._sessions) == [NARROW, middle]


def test_warming_builds_what_fits(engine):
    small = Engine(engine.model, max_sessions=2)
    small.warm([FULL, FULL, NARROW, Subnet(0.5, 32)])
    assert list(small._sessions) == [FULL, NARROW]


def test_no_windows_give_no_probabilities(engine, x):
    assert engine.predict_batch(x[:0], FULL).shape == (0, 4)


def test_float64_and_strided_windows_are_accepted(engine, x):
    expected = engine.predict(x[0], FULL).probs
    np.testing.assert_array_equal(engine.predict(x[0].astype(np.float64), FULL).probs, expected)
    np.testing.assert_array_equal(engine.predict(np.asfortranarray(x[0]), FULL).probs, expected)
    batch = engine.predict_batch(x[:4], FULL)
    np.testing.assert_array_equal(engine.predict_batch(np.asfortranarray(x[:4].astype(np.float64)), FULL), batch)


@pytest.mark.parametrize("shape", [(39, 3), (40, 2), (1, 40, 3), (120,), ()])
def test_a_window_of_another_shape_is_refused(engine, shape):
    with pytest.raises(InputMismatch, match="40 x 3"):
        engine.predict(np.zeros(shape, np.float32), FULL)


@pytest.mark.parametrize("shape", [(40, 3), (2, 40, 2), (2, 39, 3)])
def test_a_batch_of_another_shape_is_refused(engine, shape):
    with pytest.raises(InputMismatch, match="n x 40 x 3"):
        engine.predict_batch(np.zeros(shape, np.float32), FULL)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_window_with_nan_is_refused_and_the_next_one_is_correct(engine, x, value):
    expected = engine.predict(x[0], FULL).probs
    broken = x.copy()
    broken[0, 17, 1] = value
    with pytest.raises(InputMismatch, match="NaN or infinite"):
        engine.predict(broken[0], FULL)
    with pytest.raises(InputMismatch, match="NaN or infinite"):
        engine.predict_batch(broken, FULL)
    np.testing.assert_array_equal(engine.predict(x[0], FULL).probs, expected)


def test_an_unknown_subnetwork_is_refused(engine, x):
    for call in (lambda s: engine.predict(x[0], s), lambda s: engine.predict_batch(x, s), lambda s: engine.warm([s])):
        with pytest.raises(ConfigError, match=r"no subnetwork 0\.40x-40"):
            call(Subnet(0.4, 40))


@pytest.mark.parametrize("settings", [{"threads": 0}, {"max_sessions": 0}])
def test_settings_below_one_are_refused(engine, settings):
    with pytest.raises(ConfigError, match="at least 1"):
        Engine(engine.model, **settings)


def test_two_threads_give_the_same_probabilities(engine, x):
    np.testing.assert_allclose(
        Engine(engine.model, threads=2).predict(x[0], FULL).probs, engine.predict(x[0], FULL).probs, atol=1e-6
    )
