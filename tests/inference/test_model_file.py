"""A model file is read completely and correctly, or refused with a one-line message."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from kinestream.core.errors import ModelError
from kinestream.core.signals import GYRO, Subnet
from kinestream.inference import Model, find_model, load_model, save_model
from kinestream.inference.model_file import MAX_HEADER_BYTES, METADATA_KEY
from kinestream.interpret.placement import Placement
from tests.random_models import random_model


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model()


@pytest.fixture
def path(model, tmp_path):
    save_model(tmp_path / "tiny.safetensors", model)
    return tmp_path / "tiny.safetensors"


def header_of(path) -> dict:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size])


def rewrite(path, **changes) -> None:
    """The same file with some metadata fields changed; a value of None removes the field."""
    metadata = json.loads(header_of(path)["__metadata__"][METADATA_KEY]) | changes
    metadata = {key: value for key, value in metadata.items() if value is not None}
    save_file(load_file(path), path, {METADATA_KEY: json.dumps(metadata)})


def refusal(path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_loaded_model_equals_the_saved_one(model, path):
    loaded = load_model(path)
    for name in ("name", "architecture", "labels", "input", "widths", "resolutions", "accuracy", "card"):
        assert getattr(loaded, name) == getattr(model, name)
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)
    np.testing.assert_array_equal(loaded.mean, model.mean)
    np.testing.assert_array_equal(loaded.std, model.std)
    assert loaded.fingerprint == model.fingerprint
    assert loaded.full == Subnet(1.0, 40)
    assert len(loaded.subnets) == 6


def test_the_same_model_gives_the_same_bytes(model, path, tmp_path):
    save_model(tmp_path / "again.safetensors", load_model(path))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_card_is_read_back_as_json_values(model, tmp_path):
    card = {"epochs": {2: "a", 10: "b"}, "shape": (128, 9), "name": "Größe", "share": 0.1}
    save_model(tmp_path / "card.safetensors", dataclasses.replace(model, card=card))
    expected = {"epochs": {"2": "a", "10": "b"}, "shape": [128, 9], "name": "Größe", "share": 0.1}
    assert load_model(tmp_path / "card.safetensors").card == expected


def test_another_weight_changes_the_fingerprint(model):
    changed = {**model.tensors, "linear.bias": model.tensors["linear.bias"] + np.float32(1e-3)}
    assert dataclasses.replace(model, tensors=changed).fingerprint != model.fingerprint


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_model(path, random_model())
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_missing_file_is_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "gone.safetensors")


def test_a_folder_is_refused(tmp_path):
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"\x80\x04\x95 a pickle, perhaps", b"PK\x03\x04" + bytes(60)])
def test_a_foreign_file_is_not_opened_as_a_model(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    assert "not a .safetensors file" in refusal(path)


def test_another_programs_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"w": np.zeros(3, np.float32)}, path)
    assert "without 'kinestream' metadata" in refusal(path)


def test_an_oversized_header_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.safetensors"
    path.write_bytes(struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{")
    assert str(MAX_HEADER_BYTES) in refusal(path)


@given(st.data())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_is_refused_wherever_it_ends(path, data):
    content = path.read_bytes()
    short = path.with_name("short.safetensors")
    short.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    refusal(short)


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_detected(path, data):
    content = bytearray(path.read_bytes())
    (header_bytes,) = struct.unpack("<Q", content[:8])
    used = 8 + len(content[8 : 8 + header_bytes].rstrip())  # spaces pad the header, and mean nothing
    places = st.integers(0, used - 1) | st.integers(8 + header_bytes, len(content) - 1)
    content[data.draw(places)] ^= 1 << data.draw(st.integers(0, 7))
    flipped = path.with_name("flipped.safetensors")
    flipped.write_bytes(content)
    refusal(flipped)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_version_is_refused(path, version):
    rewrite(path, format_version=version)
    assert "format version" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"labels": None}, "lacks 'labels'"),
        ({"labels": ["a", "b", "c"]}, "4 classes"),
        ({"labels": ["a", "a", "b", "c"]}, "4 classes"),
        ({"labels": [1, 2, 3, 4]}, "not str"),
        ({"labels": "abcd"}, "not list"),
        ({"name": 7}, "not str"),
        ({"widths": [0.5, 0.25, 1.0]}, "widths"),
        ({"widths": [0.25, 0.5, 1.5]}, "widths"),
        ({"widths": ["a", "b", "c"]}, "not int or float"),
        ({"widths": 3}, "wrong"),
        ({"resolutions": [32, 41]}, "resolutions"),
        ({"resolutions": [2, 40]}, "too few"),
        ({"resolutions": [32.0, 40.0]}, "not int"),
        ({"architecture": {"kind": "cnn"}}, "missing"),
        ({"architecture": [1]}, "not dict"),
        ({"input": {"channels": ["acc_x", "acc_y", "nose"], "fs_hz": 50.0, "length": 40, "hop": 20}}, "nose"),
        ({"input": {"channels": ["acc_x"], "fs_hz": 50.0, "length": 40, "hop": 20}}, "40 x 1"),
        ({"input": {"channels": ["acc_x", "acc_y", "acc_z"], "fs_hz": 50.0, "length": 40, "hop": 20.5}}, "not int"),
        ({"input": {"channels": ["acc_x", "acc_y", "acc_z"], "fs_hz": "50", "length": 40, "hop": 20}}, "wrong"),
        ({"accuracy": {"0.25x-32": 1.5}}, "0 to 1"),
        ({"accuracy": {"0.30x-32": 0.9}}, "0.30x-32"),
        ({"accuracy": {"wide": 0.9}}, "wide"),
        ({"accuracy": {"0.25x-32": "high"}}, "wrong"),
        ({"card": "a card"}, "not dict"),
        ({"sha256": "0" * 64}, "SHA-256"),
    ],
)
def test_wrong_metadata_is_refused_by_name(path, changes, word):
    rewrite(path, **changes)
    assert word in refusal(path)


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", "[" * 100_000, '{"format_version": NaN}', '{"format_version": 1e999}']
)
def test_metadata_that_is_not_a_json_object_is_refused(path, text):
    save_file(load_file(path), path, {METADATA_KEY: text})
    assert "JSON" in refusal(path)


def test_a_tensor_of_another_type_is_refused(path, model):
    tensors = {**load_file(path), "linear.bias": model.tensors["linear.bias"].astype(np.float16)}
    save_file(tensors, path, {METADATA_KEY: "{}"})
    assert "linear.bias is F16" in refusal(path)


def test_a_file_without_its_normalisation_is_refused(path):
    tensors = load_file(path)
    del tensors["input.std"]
    save_file(tensors, path, {METADATA_KEY: header_of(path)["__metadata__"][METADATA_KEY]})
    assert "input.std is missing" in refusal(path)


def test_an_unusable_normalisation_is_refused(model):
    with pytest.raises(ModelError, match="expected 1e-09 or more"):
        dataclasses.replace(model, std=np.zeros(3, np.float32))
    with pytest.raises(ModelError, match=r"input.mean"):
        dataclasses.replace(model, mean=np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("block1.conv.weight", None, "missing"),
        ("block9.conv.weight", np.zeros(3, np.float32), "unknown"),
        ("linear.bias", np.zeros(5, np.float32), r"expected float32 \(4,\)"),
        ("linear.bias", np.zeros(4), "float64"),
        ("linear.bias", np.array([0, 0, np.nan, 0], np.float32), "NaN"),
        ("linear.bias", np.array([0, 0, np.inf, 0], np.float32), "infinite"),
        ("stats.block1.bn.var", np.full((3, 2, 8), -1, np.float32), "negative variance"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(model, name, value, word):
    tensors = {key: tensor for key, tensor in {**model.tensors, name: value}.items() if tensor is not None}
    with pytest.raises(ModelError, match=word):
        dataclasses.replace(model, tensors=tensors)


def test_a_card_that_is_not_json_is_not_written(model, tmp_path):
    odd = dataclasses.replace(model, card={"when": object()})
    with pytest.raises(ModelError, match="card"):
        save_model(tmp_path / "odd.safetensors", odd)
    huge = dataclasses.replace(model, card={"text": "x" * MAX_HEADER_BYTES})
    with pytest.raises(ModelError, match="trim the card"):
        save_model(tmp_path / "huge.safetensors", huge)
    assert not list(tmp_path.iterdir())


PLACEMENT = Placement((0.0, 1.0, 0.0), 47.5, 17)


def test_placement_and_needs_up_survive_a_file_and_leave_the_fingerprint(tmp_path) -> None:
    plain = random_model()
    model = replace(plain, placement=PLACEMENT)
    save_model(tmp_path / "m.safetensors", model)
    read = load_model(tmp_path / "m.safetensors")
    assert read.placement == PLACEMENT
    assert read.fingerprint == plain.fingerprint
    assert {"placement", "needs_up"}.isdisjoint(plain.metadata())


def test_needs_up_names_labels_of_a_model_that_reads_up() -> None:
    with pytest.raises(ModelError, match="reads no up"):
        replace(random_model(), needs_up=("activity_1",))
    with pytest.raises(ModelError, match="has no label dancing"):
        replace(random_model(), needs_up=("dancing",))


def test_a_placement_needs_acceleration_in_the_sensors_axes() -> None:
    gyro = replace(random_model().input, channels=GYRO)
    with pytest.raises(ModelError, match="a placement, but no acceleration"):
        replace(random_model(), input=gyro, placement=PLACEMENT)


def test_a_damaged_placement_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Placement, "to_json", lambda self: {"up": [0.0, 1.0], "limit_deg": 40, "people": 3})
    save_model(tmp_path / "m.safetensors", replace(random_model(), placement=PLACEMENT))
    with pytest.raises(ModelError, match="the metadata is wrong"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("name", ["uci_cnn", "uci_kinet", "uci_resnet"])
def test_bundled_models_of_one_way_of_wearing_hold_a_placement(name: str) -> None:
    placement = load_model(find_model(name)).placement
    assert placement is not None
    assert placement.angle_deg((1.0, 0.0, 0.0)) < 10
    assert placement.people == 17
