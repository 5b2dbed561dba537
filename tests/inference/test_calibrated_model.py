from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.errors import ModelError
from kinestream.inference import find_model, list_models, load_model, save_model
from kinestream.interpret.calibration import Calibration
from tests.random_models import random_model

RATES = tuple(tuple(0.0 if i == j else 0.01 for j in range(4)) for i in range(4))
CALIBRATION = Calibration({0.25: 0.7, 0.5: 0.8, 1.0: 1.2}, RATES, 1.5, "of two people")


def test_a_file_keeps_the_calibration_and_the_weights(tmp_path):
    model = random_model()
    save_model(tmp_path / "m.safetensors", replace(model, calibration=CALIBRATION))
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.calibration == CALIBRATION
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)


def test_a_calibration_does_not_change_the_fingerprint():
    model = random_model()
    assert replace(model, calibration=CALIBRATION).fingerprint == model.fingerprint


def test_a_model_without_a_calibration_gets_the_defaults(tmp_path):
    save_model(tmp_path / "m.safetensors", random_model())
    assert "calibration" not in random_model().metadata()
    assert load_model(tmp_path / "m.safetensors").calibration == Calibration()


@pytest.mark.parametrize(
    "wrong", [Calibration({0.33: 1.0}), Calibration(rates_per_s=((0.0, 0.1), (0.1, 0.0)))], ids=["width", "classes"]
)
def test_a_calibration_of_another_network_is_refused(wrong):
    with pytest.raises(ModelError, match="calibrate"):
        replace(random_model(), calibration=wrong)


@pytest.mark.parametrize("damage", [{}, {"temperature": 3}, None, {**CALIBRATION.to_json(), "evidence": "much"}])
def test_a_damaged_calibration_is_a_model_error(tmp_path, monkeypatch, damage):
    model = replace(random_model(), calibration=CALIBRATION)
    metadata = {**model.metadata(), "calibration": damage}
    monkeypatch.setattr(type(model), "metadata", lambda self: dict(metadata))
    save_model(tmp_path / "m.safetensors", model)
    with pytest.raises(ModelError, match="metadata"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("name", list(list_models()))
def test_every_bundled_model_loads_and_its_rates_are_of_its_classes(name):
    model = load_model(find_model(name))
    assert model.calibration.rates(len(model.labels)).shape == (len(model.labels),) * 2


def test_the_bundled_uci_cnn_is_calibrated():
    assert load_model(find_model("uci_cnn")).calibration.is_learnt
