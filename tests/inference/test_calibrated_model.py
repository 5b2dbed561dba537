from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.errors import ModelError
from kinestream.inference import find_model, list_models, load_model, save_model
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.reliability import FEATURES, Profile, Reliability
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


def reliability(classes: int = 4, widths: tuple[float, ...] = (0.25, 0.5, 1.0)) -> Reliability:
    motion, position = (
        Profile(((0.5,) * n,) * classes, (tuple(map(tuple, np.eye(n).tolist())),) * classes) for n in (4, 3)
    )
    return Reliability(motion, position, dict.fromkeys(widths, (0.25,) * (1 + FEATURES + classes)))


def test_a_file_keeps_the_reliability_the_fingerprint_and_the_format(tmp_path):
    model = replace(random_model(), calibration=replace(CALIBRATION, reliability=reliability()))
    save_model(tmp_path / "m.safetensors", model)
    assert load_model(tmp_path / "m.safetensors").calibration == model.calibration
    assert model.fingerprint == random_model().fingerprint
    # An older version reads the keys it knows, and so still uses the temperatures.
    assert model.metadata()["calibration"].items() >= CALIBRATION.to_json().items()


@pytest.mark.parametrize("wrong", [reliability(classes=3), reliability(widths=(0.25, 1.0))], ids=["classes", "widths"])
def test_a_reliability_of_another_network_is_refused(wrong):
    with pytest.raises(ModelError, match="calibrate again"):
        replace(random_model(), calibration=Calibration(reliability=wrong))


@pytest.mark.parametrize("damage", [3, {}, {"motion": 1}, {**reliability().to_json(), "weights": {"0.5": ["much"]}}])
def test_a_damaged_reliability_is_a_model_error(tmp_path, monkeypatch, damage):
    model = random_model()
    metadata = {**model.metadata(), "calibration": {**CALIBRATION.to_json(), "reliability": damage}}
    monkeypatch.setattr(type(model), "metadata", lambda self: dict(metadata))
    save_model(tmp_path / "m.safetensors", model)
    with pytest.raises(ModelError, match="metadata"):
        load_model(tmp_path / "m.safetensors")


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
