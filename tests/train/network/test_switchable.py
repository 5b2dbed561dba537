"""The switchable networks compared with counted shapes and plain convolutions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinestream.core.errors import ModelError
from kinestream.core.signals import Subnet
from kinestream.inference.architecture import linear_inputs, macs, parameter_shapes, resize_indices
from kinestream.inference.presets import PRESETS, RESOLUTIONS, WIDTHS
from kinestream.train.network import batch_statistics
from kinestream.train.network.switchable import SwitchableConv, SwitchableNet

PAPER_MACS = {
    "wisdm": 11_212_800,
    "uci": 13_056_768,
    "unimib": 15_485_952,
    "resnet_wisdm": 32_217_600,
    "resnet_uci": 43_504_128,
    "resnet_unimib": 48_969_984,
}


def windows(net: SwitchableNet, n: int = 6) -> torch.Tensor:
    arch = net.architecture
    return torch.randn(n, arch.length, arch.columns, generator=torch.Generator().manual_seed(1))


def counted_macs(net: SwitchableNet, subnet: Subnet) -> int:
    """Multiply-accumulates, from the shapes of an actual forward pass."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        kernel = module.weight.shape[2] * module.weight.shape[3]
        total += output[0].numel() * (1 if module.depthwise else inputs[0].shape[1]) * kernel

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, SwitchableConv)]
    with torch.no_grad():
        net.train()(windows(net, 2), subnet)
    for hook in hooks:
        hook.remove()
    return total + linear_inputs(net.architecture, subnet.width) * net.architecture.classes


@pytest.mark.parametrize("name", PAPER_MACS)
def test_the_full_network_costs_exactly_the_papers_macs(name):
    net = SwitchableNet(PRESETS[name])
    full = Subnet(1.0, net.architecture.length)
    assert counted_macs(net, full) == macs(net.architecture, full) == PAPER_MACS[name]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("width", [0.1, 0.35, 0.8])
def test_every_subnetwork_costs_the_macs_of_its_architecture(name, width):
    net = SwitchableNet(PRESETS[name])
    subnet = Subnet(width, RESOLUTIONS[name][0])
    assert counted_macs(net, subnet) == macs(net.architecture, subnet)


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_have_the_model_files_names(name):
    net = SwitchableNet(PRESETS[name])
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == parameter_shapes(PRESETS[name])


@pytest.mark.parametrize("name", RESOLUTIONS)
def test_windows_are_resized_like_torchs_nearest_exact(name):
    length = PRESETS[name].length
    x = torch.arange(length, dtype=torch.float32).reshape(1, 1, length)
    for resolution in RESOLUTIONS[name]:
        want = F.interpolate(x, size=resolution, mode="nearest-exact").flatten().numpy()
        assert np.array_equal(resize_indices(length, resolution), want)


def test_a_thin_cnn_equals_a_plain_network_of_the_first_channels():
    net = SwitchableNet(PRESETS["uci"])
    subnet = Subnet(0.5, 104)
    x = windows(net)
    batch_statistics.record(net, windows(net, 32), [subnet])
    with torch.inference_mode():
        got = net(x, subnet)
        y = x[:, torch.from_numpy(resize_indices(128, 104))].unsqueeze(1)
        for number, channels in enumerate((32, 64, 128), start=1):
            block = net.get_submodule(f"block{number}")
            mean, var = block.bn.moments[subnet]
            y = F.conv2d(y, block.conv.weight[:channels, : y.shape[1]], stride=(3, 1), padding=(1, 0))
            scale = block.bn.weight[:channels] / torch.sqrt(var + 1e-5)
            y = F.relu((y - mean[:, None, None]) * scale[:, None, None] + block.bn.bias[:channels, None, None])
        y = F.adaptive_max_pool2d(y, (6, 9)).flatten(1)
        want = y @ net.linear.weight[:, : y.shape[1]].T + net.linear.bias
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_a_residual_block_adds_its_shortcut():
    net = SwitchableNet(PRESETS["resnet_wisdm"])
    subnet = Subnet(1.0, 200)
    for name, parameter in net.named_parameters():
        if "bn2.weight" in name:
            torch.nn.init.zeros_(parameter)  # silences the main branch: only the shortcuts remain
    x = windows(net)
    with torch.no_grad():
        got = net.train()(x, subnet)
        y = x.unsqueeze(1)
        for number in (1, 2, 3):
            conv = net.get_submodule(f"block{number}.shortcut.conv")
            y = F.conv2d(y, conv.weight, stride=(2, 2), padding=(1, 1))
            y = F.relu(F.batch_norm(y, None, None, training=True))
        want = net.linear(F.adaptive_max_pool2d(y, (25, 1)).flatten(1))
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_a_thin_kinet_equals_a_plain_network_of_the_first_channels_on_every_column():
    arch = replace(PRESETS["kinet_uci"], channels=(32, 64), depth=1)
    net = SwitchableNet(arch).train()
    subnet = Subnet(0.5, 96)
    x = windows(net)

    def conv(y, name, channels, groups=1, **how):
        weight = net.get_parameter(f"{name}.weight")[:channels, : y.shape[1] // groups, :, 0]
        y = F.conv1d(y, weight, groups=groups, **how)
        return (y - y.mean(dim=(0, 2), keepdim=True)) / torch.sqrt(y.var(dim=(0, 2), correction=0, keepdim=True) + 1e-5)

    with torch.no_grad():
        got = net(x, subnet)
        y = x[:, torch.from_numpy(resize_indices(128, 96))].transpose(1, 2).reshape(-1, 1, 96)  # columns as windows
        y = F.relu(conv(y, "stem.conv", 16, stride=4, padding=3))
        y = F.relu(conv(y, "stage1.block0.conv1", 16, groups=16, stride=2, padding=3))
        before = F.relu(conv(y, "stage1.block0.conv2", 32))
        y = F.relu(conv(before, "stage1.block1.conv1", 32, groups=32, padding=3))
        y = F.relu(conv(y, "stage1.block1.conv2", 32) + before)
        y = F.adaptive_max_pool1d(y, 4).reshape(len(x), 9, 32, 4).permute(0, 2, 3, 1).flatten(1)
        want = y @ net.linear.weight[:, : y.shape[1]].T + net.linear.bias
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_a_thin_pass_gives_the_unused_channels_no_gradient():
    net = SwitchableNet(PRESETS["uci"]).train()
    net(windows(net), Subnet(0.25, 96)).sum().backward()
    grad = net.get_parameter("block2.conv.weight").grad
    assert grad is not None
    assert grad[:32, :16].abs().sum() > 0
    assert grad[32:].abs().sum() == 0
    assert grad[:, 16:].abs().sum() == 0


def test_every_width_keeps_a_multiple_of_four_channels():
    net = SwitchableNet(PRESETS["uci"]).train()
    shapes = []
    net.get_submodule("block1.conv").register_forward_hook(
        lambda module, inputs, output: shapes.append(output.shape[1])
    )
    for width in WIDTHS:
        net(windows(net, 2), Subnet(width, 128))
    assert all(channels % 4 == 0 for channels in shapes)
    assert shapes == sorted(shapes)
    assert shapes[-1] == 64


def test_a_subnetwork_without_statistics_is_refused():
    net = SwitchableNet(PRESETS["uci"]).eval()
    with pytest.raises(ModelError, match=r"no batch-norm statistics for 0\.50x-128"):
        net(windows(net), Subnet(0.5, 128))


def test_initial_weights_are_scaled_by_their_number_of_inputs():
    weight = SwitchableNet(PRESETS["uci"]).get_parameter("block3.conv.weight")
    assert weight.abs().max() <= 1 / math.sqrt(128 * 6)
