from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.rivals_models.features import window_features
from kinestream.core.signals import Subnet
from kinestream.train import Recipe, load_recipe
from kinestream.train.data.windows import Windows


def test_tinier_har_has_the_published_number_of_parameters() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from benchmarks.rivals_models.tinier_har import TinierHar

    net = TinierHar(columns=9, classes=6)
    assert sum(parameter.numel() for parameter in net.parameters()) == 9589
    assert net(torch.zeros(2, 128, 9)).shape == (2, 6)


def test_every_parameter_of_tinier_har_learns() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from benchmarks.rivals_models.tinier_har import TinierHar

    torch.manual_seed(0)
    net = TinierHar(columns=3, classes=4)
    net(torch.randn(8, 64, 3)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith("wise.bias") and name != "attention.bias" and "shortcut.0.bias" not in name:
            # A bias before a batch norm or before a softmax over time has no effect.
            assert parameter.grad.abs().sum() > 0, name


def test_the_features_of_a_sine_wave_have_their_exact_values() -> None:
    t = np.arange(128) / 64
    wave = np.stack([np.sin(2 * np.pi * 4 * t), 3 + 0 * t], axis=1)[None].astype(np.float32)
    features = window_features(wave, 64.0)
    assert features.shape == (1, 11 * 2 + 1)
    by_family = features[0, :22].reshape(11, 2)
    np.testing.assert_allclose(by_family[0], [0, 3], atol=1e-6)  # mean
    np.testing.assert_allclose(by_family[1], [np.sqrt(0.5), 0], atol=1e-6)  # standard deviation
    assert by_family[8, 0] == 4.0  # dominant frequency
    assert by_family[9, 0] == pytest.approx(1.0, abs=1e-5)  # all power in it
    assert np.isfinite(features).all()


def test_correlated_columns_are_detected() -> None:
    x = np.random.default_rng(0).normal(size=(5, 64, 1)).astype(np.float32)
    features = window_features(np.concatenate([x, -2 * x], axis=2), 50.0)
    np.testing.assert_allclose(features[:, -1], -1, atol=1e-5)


def two_paces(n: int = 256, length: int = 128) -> Windows:
    """(n, length, 9) windows of a slow and a fast wave."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    pace_hz = np.where(labels == 0, 1.0, 4.0)[:, None, None]
    t = (np.arange(length) / 50)[None, :, None]
    x = np.sin(2 * np.pi * pace_hz * t + rng.uniform(0, 6, (n, 1, 9))) + rng.normal(0, 0.1, (n, length, 9))
    return Windows(x.astype(np.float32), labels.astype(np.int64))


def quick(**training) -> Recipe:
    recipe = load_recipe("uci")
    settings = {"epochs": 8, "batch_size": 32, "ema_decay": 0.9} | training
    return replace(recipe, training=replace(recipe.training, **settings))


def test_a_static_network_learns_separable_classes() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from benchmarks.rivals_models.static import fit_static
    from benchmarks.rivals_models.tinier_har import TinierHar

    windows = two_paces(length=48)
    recipe = quick(epochs=20, precision="float32")
    net, mean, std = fit_static(lambda: TinierHar(9, 2), recipe, windows, seed=0)
    with torch.no_grad():
        right = net((torch.from_numpy(windows.x) - mean) / std).argmax(1).numpy() == windows.labels
    assert right.mean() > 0.9


def test_a_network_in_the_shape_of_a_subnetwork_costs_the_same() -> None:
    pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from benchmarks.rivals_models.static import StaticNet
    from kinestream.inference.architecture import macs
    from kinestream.inference.presets import PRESETS

    cut, alone = Subnet(0.55, 104), StaticNet(PRESETS["uci"], Subnet(0.55, 104))
    assert macs(alone.net.architecture, alone.subnet) == macs(PRESETS["uci"], cut)
    assert [layer.shape[0] for layer in alone.parameters() if layer.ndim == 4] == [36, 72, 140]


def test_a_network_in_the_shape_of_a_subnetwork_learns_at_its_length_and_is_tested_at_others() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from benchmarks.rivals_models.static import StaticNet, fit_static
    from kinestream.inference.presets import PRESETS
    from kinestream.train.judge.evaluate import score

    windows = two_paces()
    arch = replace(PRESETS["uci"], classes=2)
    net, mean, std = fit_static(lambda: StaticNet(arch, Subnet(0.1, 104)), quick(), windows, seed=0)
    x = (torch.from_numpy(windows.x) - mean) / std
    net.settle(x, (96,))
    assert score(net.net, x, windows.labels, net.subnet).accuracy > 0.9
    assert score(net.net, x, windows.labels, Subnet(1.0, 96)).accuracy > 0.8


def test_the_same_seed_trains_the_same_static_network() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from benchmarks.rivals_models.static import StaticNet, fit_static
    from kinestream.inference.presets import PRESETS

    def trained(seed: int):
        arch = replace(PRESETS["uci"], classes=2)
        net, *_ = fit_static(lambda: StaticNet(arch, Subnet(0.1, 96)), quick(epochs=1), two_paces(96), seed=seed)
        return net.net.linear.weight

    assert torch.equal(trained(0), trained(0))
    assert not torch.equal(trained(0), trained(1))
