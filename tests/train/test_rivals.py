from __future__ import annotations

import numpy as np
import pytest

from kinestream.train.features import window_features


def test_tinier_har_has_the_published_number_of_parameters() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from kinestream.train.tinier_har import TinierHar

    net = TinierHar(columns=9, classes=6)
    assert sum(parameter.numel() for parameter in net.parameters()) == 9589
    assert net(torch.zeros(2, 128, 9)).shape == (2, 6)


def test_every_parameter_of_tinier_har_learns() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from kinestream.train.tinier_har import TinierHar

    torch.manual_seed(0)
    net = TinierHar(columns=3, classes=4)
    net(torch.randn(8, 64, 3)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith("wise.bias") and name != "attention.bias" and "shortcut.0.bias" not in name:
            # A bias before a batch norm, and one before a softmax over time, cannot change anything.
            assert parameter.grad.abs().sum() > 0, name


def test_features_of_a_known_wave_are_known() -> None:
    t = np.arange(128) / 64
    wave = np.stack([np.sin(2 * np.pi * 4 * t), 3 + 0 * t], axis=1)[None].astype(np.float32)
    found = window_features(wave, 64.0)
    assert found.shape == (1, 11 * 2 + 1)
    by_family = found[0, :22].reshape(11, 2)
    np.testing.assert_allclose(by_family[0], [0, 3], atol=1e-6)  # mean
    np.testing.assert_allclose(by_family[1], [np.sqrt(0.5), 0], atol=1e-6)  # standard deviation
    assert by_family[8, 0] == 4.0  # dominant frequency
    assert by_family[9, 0] == pytest.approx(1.0, abs=1e-5)  # all power in it
    assert np.isfinite(found).all()


def test_correlated_columns_are_seen_as_such() -> None:
    x = np.random.default_rng(0).normal(size=(5, 64, 1)).astype(np.float32)
    found = window_features(np.concatenate([x, -2 * x], axis=2), 50.0)
    np.testing.assert_allclose(found[:, -1], -1, atol=1e-5)


def test_a_static_network_learns_what_there_is_to_learn() -> None:
    torch = pytest.importorskip("torch", reason="the rival is a PyTorch network")
    from kinestream.train import load_recipe
    from kinestream.train.data import Windows
    from kinestream.train.static import fit_static
    from kinestream.train.tinier_har import TinierHar

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 256)
    pace_hz = np.where(labels == 0, 1.0, 4.0)[:, None, None]
    t = (np.arange(32) / 25)[None, :, None]
    x = np.sin(2 * np.pi * pace_hz * t + rng.uniform(0, 6, (256, 1, 9))) + rng.normal(0, 0.1, (256, 32, 9))
    windows = Windows(x.astype(np.float32), labels.astype(np.int64))
    net, mean, std = fit_static(lambda: TinierHar(9, 2), load_recipe("uci"), windows, seed=0, epochs=40)
    with torch.no_grad():
        right = net((torch.from_numpy(windows.x) - mean) / std).argmax(1).numpy() == labels
    assert right.mean() > 0.9
