from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import softmax

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.interpret.calibration import Calibration, tempered


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_tempered_probabilities_are_the_softmax_of_the_divided_logits(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 6))
    probs = tempered(softmax(logits, 1), temperature)
    np.testing.assert_allclose(probs, softmax(logits / temperature, 1), rtol=1e-9)
    assert (probs.argmax(1) == logits.argmax(1)).all()


def test_a_probability_of_zero_stays_finite() -> None:
    probs = tempered(np.array([1, 0, 0], np.float32), 5.0)
    assert np.isfinite(probs).all()
    assert probs.argmax() == 0


def test_a_calibration_survives_json() -> None:
    calibration = Calibration({0.1: 0.5, 1.0: 2.0}, ((0.0, 0.1), (0.2, 0.0)), 1.5, "of two people")
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_a_default_calibration_keeps_probabilities_and_has_equal_rates_of_change() -> None:
    calibration = Calibration()
    probs = np.array([0.7, 0.2, 0.1])
    np.testing.assert_allclose(calibration.probs(probs, Subnet(0.5, 96)), probs)
    rates = calibration.rates(4)
    np.testing.assert_allclose(rates.sum(1), 1 / 60)
    assert not rates.diagonal().any()
    assert not calibration.is_learnt


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": {0.5: 0.0}},
        {"temperature": {0.5: float("nan")}},
        {"rates_per_s": ((0.0, 0.1),)},
        {"rates_per_s": ((0.5, 0.1), (0.1, 0.0))},
        {"rates_per_s": ((0.0, -0.1), (0.1, 0.0))},
        {"evidence": 0.0},
    ],
)
def test_a_number_out_of_range_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Calibration(**wrong)
