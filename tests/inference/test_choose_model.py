"""The bundled model for a sensor, and the table that the choice reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError, InputMismatch, ModelError
from kinestream.core.signals import ACC, GYRO
from kinestream.inference import bundled_models, choose_model, list_models, load_model, save_model, zoo_table
from kinestream.inference.choose_model import model_for_dataset
from kinestream.inference.zoo_table import read_table, zoo, zoo_entry
from kinestream.replay_data.datasets.registry import DATASETS
from tests.random_models import random_model

IMU = (*ACC, *GYRO)
TABLE = Path(zoo_table.__file__).parent / "zoo" / "zoo.toml"


FAMILY = zoo()
BEFORE = tuple(model for model in FAMILY if not model.name.startswith("anywhere"))
"""The bundled models without the one that is worn anywhere."""


@pytest.mark.parametrize(
    ("channels", "fs_hz", "worn", "with_family", "before"),
    [
        (ACC, 50.0, "anywhere", "anywhere_acc", "phone_acc"),
        (IMU, 50.0, "anywhere", "anywhere_acc", "phone_acc"),
        (ACC, 16.0, "anywhere", "anywhere_acc", "phone_acc"),
        (IMU, 50.0, "waist", "anywhere_acc", "uci_cnn"),
        (IMU, 39.9, "waist", "anywhere_acc", "phone_acc"),
        (ACC, 50.0, "waist", "anywhere_acc", "phone_acc"),
        (ACC, 20.0, "pocket", "anywhere_acc", "phone_acc"),
        (IMU, 100.0, "pocket", "anywhere_acc", "phone_acc"),
        (IMU, 20.0, "wrist", "watch", "watch"),
        (ACC, 50.0, "wrist", "anywhere_acc", "phone_acc"),
        (IMU, 50.0, "hip", "anywhere_acc", "phone_acc"),
        (IMU, 50.0, "chest", "anywhere_acc", "phone_acc"),
        (IMU, 50.0, "bag", "anywhere_acc", "phone_acc"),
    ],
)
def test_channels_rate_and_place_decide(
    channels: tuple[str, ...], fs_hz: float, worn: str, with_family: str, before: str
) -> None:
    assert choose_model(channels, fs_hz, worn, FAMILY).name == with_family
    assert choose_model(channels, fs_hz, worn, BEFORE).name == before


def test_no_model_of_one_place_is_used_where_the_place_is_unknown() -> None:
    for channels in (ACC, IMU):
        for fs_hz in (16.0, 25.0, 50.0, 200.0):
            assert zoo_entry(choose_model(channels, fs_hz).name).any_place


def test_the_reason_names_the_offer_and_the_place() -> None:
    assert str(choose_model(ACC, 50.0, "anywhere", FAMILY)) == (
        "model anywhere_acc: the source offers an accelerometer at 50 Hz; no place given (--worn)"
    )
    assert choose_model(IMU, 50.0, "waist").reason == (
        "the source offers an accelerometer and a gyroscope at 50 Hz, worn at the waist"
    )
    assert choose_model(ACC, 50.0, "bag").reason.endswith("learned from one worn in a bag")


@pytest.mark.parametrize(("channels", "fs_hz"), [(ACC, 15.9), (GYRO, 50.0), ((), 50.0), (ACC[:2], 50.0)])
def test_a_source_that_fits_no_model_is_refused_with_what_each_needs(channels: tuple[str, ...], fs_hz: float) -> None:
    with pytest.raises(InputMismatch) as refusal:
        choose_model(channels, fs_hz)
    message = str(refusal.value)
    assert "\n" not in message
    for name in list_models():
        assert name in message
    assert "accelerometer at 16 Hz or more" in message


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown place 'pockt' \(did you mean 'pocket'\?\)"):
        choose_model(ACC, 50.0, "pockt")


def test_each_data_set_a_model_is_meant_for_exists_and_is_among_those_it_learned_from() -> None:
    for model in zoo():
        learned = str(load_model(list_models()[model.name]).card["recipe"]["data"]["dataset"])
        for dataset in model.home:
            assert dataset in (*DATASETS, "wearer")
            if dataset not in ("uci-har", "wearer"):  # UCI-HAR's people are HAPT's, whom the wearer imitates
                assert dataset in learned.split(" + "), (model.name, learned)


def test_a_data_set_has_its_model_only_if_its_samples_fit() -> None:
    choice = model_for_dataset("uci-har", IMU, 50.0)
    assert choice is not None
    assert choice.name == "uci_cnn"
    assert model_for_dataset("wearer", IMU, 25.0) is None
    assert model_for_dataset("", IMU, 50.0) is None


def test_every_bundled_model_has_a_row_and_a_line_for_people() -> None:
    assert sorted(model.name for model in zoo()) == sorted(list_models())
    for name, row in read_table(TABLE).items():
        assert 10 < len(row["good_for"]) <= 45, f"{name}: kinestream models fits 80 columns"
        assert row["places"], name


def test_a_row_without_a_file_is_ignored_and_a_file_without_a_row_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zoo").mkdir()
    shutil.copy(TABLE, tmp_path / "zoo")
    save_model(tmp_path / "zoo" / "anywhere_acc.safetensors", random_model("anywhere_acc"))
    for module in (bundled_models, zoo_table):
        monkeypatch.setattr(module, "__file__", str(tmp_path / "module.py"))
    zoo.cache_clear()
    try:
        assert [model.name for model in zoo()] == ["anywhere_acc"]
        assert choose_model(IMU, 50.0).name == "anywhere_acc"
        save_model(tmp_path / "zoo" / "new.safetensors", random_model("new"))
        zoo.cache_clear()
        with pytest.raises(ModelError, match=r"no row \[new\]"):
            zoo()
    finally:
        zoo.cache_clear()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]\ngood_for = 'x'\n", "places"),
        ("[a]\ngood_for = 'x'\nplaces = ['knee']\n", "unknown place 'knee'"),
        ("[a]\ngood_for = 'x'\nplaces = []\nplace = 'hip'\n", "unknown key 'place' (did you mean 'places'?)"),
        ("[a\n", "Expected"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "zoo.toml").write_text(text)
    with pytest.raises(ModelError) as refusal:
        read_table(tmp_path / "zoo.toml")
    assert complaint in str(refusal.value)
