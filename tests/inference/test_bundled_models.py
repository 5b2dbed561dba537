"""A model is found by name or by path, and every bundled model loads."""

from __future__ import annotations

import pytest

from kinestream.core.errors import ModelError
from kinestream.inference import bundled_models, find_model, list_models, load_model, save_model
from tests.random_models import random_model


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """The module with a zoo made for the test."""
    (tmp_path / "zoo").mkdir()
    monkeypatch.setattr(bundled_models, "__file__", str(tmp_path / "models.py"))
    save_model(tmp_path / "zoo" / "uci_cnn.safetensors", random_model("uci_cnn"))
    return tmp_path / "zoo"


def test_every_bundled_model_loads_under_its_own_name():
    for name, path in list_models().items():
        assert load_model(path).name == name


def test_a_name_finds_the_bundled_model(zoo):
    assert find_model("uci_cnn") == zoo / "uci_cnn.safetensors"
    assert list(list_models()) == ["uci_cnn"]


def test_a_path_finds_any_file(zoo, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"")
    assert find_model(path) == path
    assert find_model(str(path)) == path


def test_an_unknown_name_is_refused_with_the_nearest_known_one(zoo):
    with pytest.raises(ModelError, match=r"no model 'uci_cn' \(did you mean 'uci_cnn'\?\); .*uci_cnn"):
        find_model("uci_cn")


def test_a_folder_is_not_a_model(zoo, tmp_path):
    with pytest.raises(ModelError, match="expected a model file or one of"):
        find_model(tmp_path)
