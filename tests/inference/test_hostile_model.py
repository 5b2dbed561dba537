"""Model files of strangers: each is refused in one line before anything large is allocated, or it runs."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies
from safetensors.numpy import save

from kinestream.core.errors import KinestreamError, ModelError
from kinestream.inference import Engine, Model, load_model
from kinestream.inference.limits import LARGEST
from kinestream.inference.model import digest
from kinestream.inference.model_file import FORMAT_VERSION, METADATA_KEY, read_input
from tests.random_models import random_model, random_windows

MODEL = random_model()
METADATA = {"format_version": FORMAT_VERSION, **MODEL.metadata()}
TENSORS = MODEL.all_tensors()
Place = tuple[str | int, ...]

quick = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(path: Path, metadata: Any, tensors: dict[str, np.ndarray]) -> None:
    """Write a file whose checksum is right, so that only its content can be refused."""
    if isinstance(metadata, dict):
        metadata = metadata | {"sha256": digest(metadata, tensors)}
    path.write_bytes(save(tensors, metadata={METADATA_KEY: json.dumps(metadata)}))


def places(value: object, place: Place = ()) -> Iterator[Place]:
    """Every place in the metadata, except in the card, which nothing reads."""
    yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "card":
                yield from places(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*place, index))


def changed(value: Any, place: Place, new: object) -> Any:
    if not place:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


def load_and_run(path: Path) -> Model | None:
    """The model, after it has run; None if it was refused in one line."""
    try:
        model = load_model(path)
        engine = Engine(model)
        window = random_windows(MODEL, 1)[0]
        for subnet in (model.subnets[0], model.full):
            if window.shape == (model.input.length, len(model.mean)):
                assert np.isfinite(engine.predict(window, subnet).probs).all()
    except KinestreamError as error:
        line = str(error)
        assert "\n" not in line
        assert len(line) < 1500
        return None
    return model


@quick
@given(
    place=strategies.sampled_from([place for place in places(METADATA) if place]),
    new=strategies.sampled_from(
        [0, 1, -1, 2, 10**4, 10**9, 10**18, 10**400, 1e9, 1e308, 0.5, True, None, "", "x", "1.00x-40", [], [1], {}]
    )
    | strategies.integers(-3, 10**7)
    | strategies.lists(strategies.integers(0, 10**5), max_size=4),
)
@example(place=("architecture", "depth"), new=10**9)
@example(place=("architecture", "padding"), new=[10**9, 0])
@example(place=("architecture", "channels"), new=[1] * 10**4)
@example(place=("resolutions",), new=list(range(1, 41)) * 100)
def test_any_wrong_value_in_the_header_is_refused_or_runs(tmp_path: Path, place: Place, new: object) -> None:
    path = tmp_path / "m.safetensors"
    write(path, changed(METADATA, place, new), TENSORS)
    load_and_run(path)
    try:
        read_input(path)
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017


@quick
@given(
    name=strategies.sampled_from(sorted(TENSORS)),
    new=strategies.sampled_from([np.nan, np.inf, 3e38, -3e38, 1e9, -1e9, 1e-45, 0.0, "shape", "dtype", "gone", "flat"]),
)
@example(name="linear.weight", new=3e38)
@example(name="input.std", new=1e-45)
def test_any_wrong_tensor_is_refused_or_runs(tmp_path: Path, name: str, new: float | str) -> None:
    tensors = {key: tensor.copy() for key, tensor in TENSORS.items()}
    if new == "gone":
        del tensors[name]
    elif isinstance(new, str):
        tensor = tensors[name]
        tensors[name] = {"shape": tensor[:0], "dtype": tensor.astype(np.float64), "flat": tensor.reshape(-1)}[new]
    else:
        tensors[name][...] = new
    write(tmp_path / "m.safetensors", METADATA, tensors)
    load_and_run(tmp_path / "m.safetensors")


@quick
@given(start=strategies.integers(0, 10**6), new=strategies.binary(min_size=1, max_size=16))
def test_any_changed_bytes_are_refused_or_harmless(tmp_path: Path, start: int, new: bytes) -> None:
    path = tmp_path / "m.safetensors"
    write(path, METADATA, TENSORS)
    content = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    place = start % (header if start % 2 else len(content))
    content[place : place + len(new)] = new
    path.write_bytes(content)
    load_and_run(path)


@pytest.mark.parametrize(
    ("size", "largest"), [item for item in LARGEST.items() if item[0] not in ("columns", "length")]
)
def test_a_size_beyond_its_limit_is_named_with_the_limit(size: str, largest: int, tmp_path: Path) -> None:
    value = METADATA["architecture"][size]
    beyond = [largest + 1] * len(value) if isinstance(value, list) else largest + 1
    write(tmp_path / "m.safetensors", changed(METADATA, ("architecture", size), beyond), TENSORS)
    with pytest.raises(ModelError, match=f"network {size} {largest + 1}, expected at most {largest}"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"channels": [4096, 4096, 4096]}, "weights"),
        ({"channels": [4096] * 6, "kernel": [1, 1], "stride": [1, 1], "padding": [0, 0]}, "weights"),
        ({"pool": [1024, 1024]}, "weights"),
        ({"kernel": [1, 1], "stride": [1, 1], "padding": [0, 0], "length": 20_000, "columns": 256}, "feature map"),
        ({"kernel": [40, 1], "padding": [40, 0], "stride": [1, 1], "channels": [600, 600]}, "multiply-accumulates"),
    ],
)
def test_a_network_beyond_a_limit_is_refused_before_it_is_built(
    changes: dict[str, Any], what: str, tmp_path: Path
) -> None:
    write(tmp_path / "m.safetensors", METADATA | {"architecture": METADATA["architecture"] | changes}, TENSORS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=what):
        load_model(tmp_path / "m.safetensors")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 50_000


def test_a_header_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(save(TENSORS, metadata={METADATA_KEY: "[" * 100_000}))
    for read in (load_model, read_input):
        with pytest.raises(ModelError, match="metadata is not JSON"):
            read(path)


def test_a_sparse_file_of_a_terabyte_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write(path, METADATA, TENSORS)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match="the file has 1099511627776 bytes, more than"):
        load_model(path)
