"""The architecture of a network: its costs, its sizes, its resizing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.inference.architecture import (
    blocks,
    feature_sizes,
    kept_channels,
    linear_inputs,
    macs,
    make_divisible,
    parameter_shapes,
    resize_indices,
    statistic_shapes,
)
from kinestream.inference.presets import PRESETS, RESOLUTIONS, WIDTHS


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("wisdm", 11_212_800),
        ("uci", 13_056_768),
        ("unimib", 15_485_952),
        ("resnet_wisdm", 32_217_600),
        ("resnet_uci", 43_504_128),
        ("resnet_unimib", 48_969_984),
    ],
)
def test_full_networks_have_exactly_the_papers_macs(preset, expected):
    assert macs(PRESETS[preset], Subnet(1.0, PRESETS[preset].length)) == expected


@pytest.mark.parametrize(
    ("preset", "subnet", "millions"),
    [
        ("wisdm", "0.75x-175", 5.58),
        ("wisdm", "0.75x-165", 5.33),
        ("wisdm", "0.2x-180", 0.40),
        ("wisdm", "0.1x-150", 0.10),
        ("uci", "0.8x-128", 8.56),
        ("uci", "0.7x-128", 6.30),
        ("uci", "0.55x-104", 3.28),
        ("uci", "0.1x-96", 0.12),
        ("unimib", "0.6x-136", 4.96),
        ("unimib", "0.7x-151", 7.46),
        ("unimib", "0.35x-120", 1.49),
        ("unimib", "0.1x-112", 0.12),
        ("resnet_wisdm", "0.6x-175", 10.26),
        ("resnet_wisdm", "0.6x-185", 11.09),
        ("resnet_wisdm", "0.2x-190", 1.20),
        ("resnet_wisdm", "0.1x-150", 0.27),
        ("resnet_uci", "0.8x-128", 28.42),
        ("resnet_uci", "0.75x-124", 24.47),
        ("resnet_uci", "0.55x-124", 13.57),
        ("resnet_uci", "0.1x-96", 0.37),
        ("resnet_unimib", "0.5x-136", 10.90),
        ("resnet_unimib", "0.65x-151", 20.81),
        ("resnet_unimib", "0.3x-136", 4.11),
        ("resnet_unimib", "0.1x-112", 0.36),
    ],
)
def test_every_published_subnetwork_has_the_papers_macs(preset, subnet, millions):
    assert round(macs(PRESETS[preset], Subnet.parse(subnet)) / 1e6, 2) == millions


OWN = ("joint", "kinet_uci")


def test_widths_and_resolutions_are_the_papers():
    assert tuple(round(w, 2) for w in np.arange(0.10, 1.001, 0.05)) == WIDTHS
    assert {name: len(lengths) for name, lengths in RESOLUTIONS.items() if name not in OWN} == {
        "uci": 9,
        "wisdm": 11,
        "unimib": 5,
        "resnet_uci": 9,
        "resnet_wisdm": 11,
        "resnet_unimib": 5,
    }
    assert all(RESOLUTIONS[name][-1] == PRESETS[name].length for name in PRESETS)


@given(st.floats(1, 2048), st.sampled_from([1, 2, 4, 8]))
def test_channel_counts_are_multiples_and_lose_at_most_a_tenth(value, divisor):
    count = make_divisible(value, divisor)
    assert count % divisor == 0
    assert 0.9 * value <= count <= max(divisor, value + divisor)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_wider_network_holds_every_channel_of_a_narrower_one(preset):
    counts = np.array([kept_channels(PRESETS[preset], width) for width in WIDTHS])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert tuple(counts[-1]) == PRESETS[preset].channels


def test_blocks_chain_and_the_tensors_follow_them():
    arch = PRESETS["resnet_uci"]
    first, second, _ = blocks(arch, 0.5)
    assert [layer.conv for layer in first.layers] == ["block1.conv1", "block1.conv2", "block1.shortcut.conv"]
    assert second.layers[0].in_channels == first.layers[-1].out_channels == 32
    shapes = parameter_shapes(arch)
    assert shapes["block2.conv1.weight"] == (128, 64, 6, 1)
    assert shapes["block2.conv2.weight"] == (128, 128, 3, 1)
    assert shapes["linear.weight"] == (6, linear_inputs(arch)) == (6, 256 * 54)
    assert statistic_shapes(arch, 19, 9)["stats.block3.shortcut.bn.var"] == (19, 9, 256)


def test_a_stage_of_kinet_halves_the_time_and_then_keeps_it():
    arch = dataclasses.replace(PRESETS["kinet_uci"], channels=(32, 48, 64), depth=2)
    assert feature_sizes(arch, 128) == ((32, 9), *[(16, 9)] * 3, *[(8, 9)] * 3)
    stem, first, second, *_ = blocks(arch, 0.5)
    assert [layer.weight_shape for layer in stem.layers] == [(16, 1, 7, 1)]
    assert [layer.weight_shape for layer in first.layers] == [(16, 1, 7, 1), (32, 16, 1, 1)]
    assert [layer.weight_shape for layer in second.layers] == [(32, 1, 7, 1), (32, 32, 1, 1)]
    assert [block.identity for block in blocks(arch)] == [False, *[False, True, True] * 2]
    assert linear_inputs(arch, 0.5) == 32 * 4 * 9


def test_each_block_of_the_cnn_shortens_the_map():
    assert feature_sizes(PRESETS["uci"], 128) == ((42, 9), (13, 9), (4, 9))


@given(st.integers(1, 400), st.data())
def test_resizing_keeps_the_order_and_takes_existing_samples(length, data):
    resolution = data.draw(st.integers(1, length))
    indices = resize_indices(length, resolution)
    assert len(indices) == resolution
    assert 0 <= indices[0] <= indices[-1] < length
    assert (np.diff(indices) >= 1).all()


def test_resizing_to_the_full_length_changes_nothing():
    assert resize_indices(151, 151).tolist() == list(range(151))


@pytest.mark.parametrize("length", [100, 128, 151, 200])
def test_resizing_is_torchs_nearest_exact_at_every_length(length):
    torch = pytest.importorskip("torch", reason="the reference is torch's interpolate")
    samples = torch.arange(length, dtype=torch.float32)[None, None]
    for resolution in range(1, length + 1):
        expected = torch.nn.functional.interpolate(samples, size=resolution, mode="nearest-exact")[0, 0]
        assert resize_indices(length, resolution).tolist() == expected.int().tolist()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "transformer"}, "transformer"),
        ({"classes": 0}, "positive"),
        ({"stride": (0, 1)}, "positive"),
        ({"channels": ()}, "positive"),
        ({"kernel": (6.0, 1)}, "whole"),
        ({"kernel": (6, 1, 1)}, "pairs"),
        ({"length": 20}, "too few"),
        ({"depth": -1}, "positive"),
    ],
)
def test_an_impossible_network_is_refused(change, word):
    with pytest.raises(ConfigError, match=word):
        dataclasses.replace(PRESETS["uci"], **change)
