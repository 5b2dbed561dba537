"""The ONNX graphs give the probabilities of PyTorch at every width and resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.inference import PRESETS, Engine, Model
from kinestream.inference.onnx_graph import IR_VERSION, OPSET, build_graph, pool_bins
from kinestream.inference.subnetwork import cut
from tests.random_models import random_model, random_preset, random_windows

TOLERANCE = 1e-4


def torch_probs(model: Model, x: np.ndarray, subnet: Subnet) -> np.ndarray:
    """An independent reference written from the networks' description, without folding."""
    torch = pytest.importorskip("torch", reason="PyTorch is the reference")
    functional = torch.nn.functional
    arch, row = model.architecture, (model.widths.index(subnet.width), model.resolutions.index(subnet.resolution))
    tensors = {name: torch.from_numpy(tensor) for name, tensor in model.tensors.items()}

    def conv(y, name, stride, padding, outputs, groups=1):
        weight = tensors[f"{name}.weight"][:outputs, : y.shape[1]]
        return functional.conv2d(y, weight, None, stride, padding, groups=groups)

    def kept_channels(full):
        channels = max(arch.divisor, int(full * subnet.width + arch.divisor / 2) // arch.divisor * arch.divisor)
        return min(full, channels + arch.divisor * (channels < 0.9 * full * subnet.width))

    def norm(y, name):
        c = y.shape[1]
        mean, var = tensors[f"stats.{name}.mean"][row][:c], tensors[f"stats.{name}.var"][row][:c]
        return functional.batch_norm(y, mean, var, tensors[f"{name}.weight"][:c], tensors[f"{name}.bias"][:c])

    with torch.no_grad():
        y = torch.from_numpy((x - model.mean) / model.std)[:, None]
        y = functional.interpolate(y, size=(subnet.resolution, arch.columns), mode="nearest-exact")
        for number, full in enumerate(arch.channels, start=1):
            name, before = f"block{number}", y
            if arch.kind == "kinet" and number == 1:
                y = functional.relu(
                    norm(conv(y, "stem.conv", (2 * arch.stride[0], 1), arch.padding, kept_channels(full)), "stem.bn")
                )
            elif arch.kind == "kinet":
                for step in range(arch.depth + 1):
                    name, before, stride = f"stage{number - 1}.block{step}", y, 1 if step else arch.stride
                    y = conv(y, f"{name}.conv1", stride, arch.padding, y.shape[1], groups=y.shape[1])
                    y = conv(functional.relu(norm(y, f"{name}.bn1")), f"{name}.conv2", 1, 0, kept_channels(full))
                    y = functional.relu(norm(y, f"{name}.bn2") + (before if step else 0))
            elif arch.kind == "cnn":
                y = functional.relu(
                    norm(conv(y, f"{name}.conv", arch.stride, arch.padding, kept_channels(full)), f"{name}.bn")
                )
            else:
                y = functional.relu(
                    norm(conv(y, f"{name}.conv1", arch.stride, arch.padding, kept_channels(full)), f"{name}.bn1")
                )
                y = norm(conv(y, f"{name}.conv2", 1, (1, 0), kept_channels(full)), f"{name}.bn2")
                shortcut = conv(before, f"{name}.shortcut.conv", arch.stride, arch.padding, kept_channels(full))
                y = functional.relu(y + norm(shortcut, f"{name}.shortcut.bn"))
        y = functional.adaptive_max_pool2d(y, arch.pool).flatten(1)
        y = functional.linear(y, tensors["linear.weight"][:, : y.shape[1]], tensors["linear.bias"])
        return functional.softmax(y, dim=1).numpy()


def assert_equal_to_torch(model: Model, subnets) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the reference")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        engine, x = Engine(model, max_sessions=1), random_windows(model, 2)
        for subnet in subnets:
            expected = torch_probs(model, x, subnet)
            np.testing.assert_allclose(engine.predict_batch(x, subnet), expected, atol=TOLERANCE, err_msg=str(subnet))
            np.testing.assert_allclose(engine.predict(x[1], subnet).probs, expected[1], atol=TOLERANCE)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("preset", ["uci", "resnet_uci"])
def test_probabilities_equal_pytorch_at_all_171_configurations(preset):
    model = random_preset(preset)
    assert len(model.subnets) == 19 * 9
    assert_equal_to_torch(model, model.subnets)


def test_probabilities_equal_pytorch_at_every_configuration_of_kinet():
    model = random_preset("kinet_uci")
    assert_equal_to_torch(model, model.subnets)


@pytest.mark.parametrize("changes", [{"depth": 1}, {"depth": 2, "pool": (3, 1)}])
def test_probabilities_equal_pytorch_for_kinets_of_other_shapes(changes):
    architecture = replace(PRESETS["kinet_uci"], channels=(16, 24, 40), divisor=8, **changes)
    model = random_model("other", architecture, (0.2, 0.6, 1.0), (64, 97, 128))
    assert_equal_to_torch(model, model.subnets)


@pytest.mark.parametrize("preset", ["wisdm", "unimib", "resnet_wisdm", "resnet_unimib"])
def test_probabilities_equal_pytorch_for_the_other_networks(preset):
    model = random_preset(preset)
    subnets = [s for s in model.subnets if s.width in (0.1, 0.35, 1.0) or s.resolution == model.resolutions[0]]
    assert_equal_to_torch(model, subnets)


def test_random_models_are_uncertain_enough_to_show_a_difference():
    model = random_preset("uci")
    x = random_windows(model, 20)
    by_resolution = [Engine(model).predict_batch(x, Subnet(0.5, resolution)) for resolution in (96, 100)]
    assert np.abs(by_resolution[0] - by_resolution[1]).max() > 100 * TOLERANCE
    assert by_resolution[0].max() < 0.9999


@given(st.integers(1, 150), st.integers(1, 60))
def test_pool_bins_are_torchs_adaptive_bins(size, grid):
    torch = pytest.importorskip("torch", reason="the reference is torch's adaptive pooling")
    bins, bin_of_cell = pool_bins(size, grid)
    values = torch.from_numpy(np.random.default_rng(size * 61 + grid).permutation(size).astype(np.float32))
    expected = torch.nn.functional.adaptive_max_pool1d(values[None, None], grid)[0, 0]
    maxima = [max(values[first:last].tolist()) for first, last in (bins[b] for b in bin_of_cell)]
    assert maxima == expected.tolist()
    lengths = [last - first for first, last in bins]
    assert max(lengths) <= 2 * min(lengths)  # what _Nodes.pool relies on


@pytest.mark.parametrize("subnet", ["0.25x-32", "1.00x-40"])
def test_a_graph_is_valid_onnx_for_onnxruntime_1_18(subnet):
    proto = build_graph(random_model(), Subnet.parse(subnet))
    onnx.checker.check_model(proto, full_check=True)
    assert (proto.ir_version, proto.opset_import[0].version) == (IR_VERSION, OPSET) == (8, 17)


def test_a_narrow_cut_reads_the_first_channels_only():
    model = random_model()
    full, narrow = cut(model, Subnet(1.0, 40)), cut(model, Subnet(0.5, 40))
    assert [block.main[0].weight.shape[0] for block in narrow.blocks] == [4, 8, 8]
    np.testing.assert_array_equal(narrow.linear_weight, full.linear_weight[:, : 8 * 2 * 3])


@pytest.mark.parametrize("subnet", ["0.30x-40", "1.00x-39"])
def test_a_cut_the_model_was_not_trained_for_is_refused(subnet):
    with pytest.raises(ConfigError, match=r"widths 0\.25, 0\.50, 1\.00, resolutions 32, 40"):
        build_graph(random_model(), Subnet.parse(subnet))
