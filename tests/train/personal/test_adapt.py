"""Adaptation to one person: it finds the stated minimum and keeps classes that were not shown, and the original."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import Subnet
from kinestream.inference import Engine, Model, load_model, save_model
from kinestream.train.data.windows import Windows
from kinestream.train.judge.evaluate import spanning
from kinestream.train.network.export import from_model, normalised
from kinestream.train.personal import adapt as adapting
from kinestream.train.personal.adapt import Strength, adapt
from kinestream.train.personal.held_out_gain import accuracy_of, adapted_card, held_out_gain

from ...random_models import random_model

MODEL = random_model()


def windows(seed: int = 0, n: int = 80, classes=(0, 1, 2, 3), model: Model = MODEL) -> Windows:
    """Windows of one person whose activities differ in frequency."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(classes, n))
    t = np.arange(model.input.length)[:, None] / model.input.fs_hz
    waves = np.sin(2 * np.pi * (1 + 2 * labels)[:, None, None] * t + rng.uniform(0, 6, (n, 1, 1)))
    x = model.mean + model.std * (2 * waves + 0.3 * rng.standard_normal((n, model.input.length, len(model.mean))))
    start = np.arange(n) * model.input.hop_s
    return Windows(x.astype(np.float32), labels, {}, {}, ("me",) * n, np.zeros(n, np.int64), start)


def gradient(model: Model, origin: Model, given: Windows, last_layer: float) -> np.ndarray:
    """Gradient of the documented loss of ``adapt`` at ``model``'s last layer, computed independently in float64."""
    net, x = from_model(model), normalised(model, given.x)
    features = [net.features(x, subnet).detach().numpy().astype(np.float64) for subnet in spanning(model)]
    weight, bias = (model.tensors[f"linear.{name}"].astype(np.float64) for name in ("weight", "bias"))
    size = np.mean([np.mean(np.sum(part**2, 1)) for part in features])
    penalty = last_layer / len(given)
    by_weight = penalty * size * (weight - origin.tensors["linear.weight"])
    by_bias = penalty * (bias - origin.tensors["linear.bias"])
    share = 1 / np.bincount(given.labels)[given.labels]
    share /= share.sum()
    for part in features:
        logits = part @ weight[:, : part.shape[1]].T + bias
        probs = np.exp(logits - logits.max(1, keepdims=True))
        wrong = share[:, None] * (probs / probs.sum(1, keepdims=True) - np.eye(len(bias))[given.labels])
        by_weight[:, : part.shape[1]] += wrong.T @ part / len(features)
        by_bias += wrong.sum(0) / len(features)
    return np.concatenate([by_weight.ravel(), by_bias])


def test_the_last_layer_minimises_the_documented_loss():
    given, strength = windows(), Strength(inf, 20.0)
    adapted = adapt(MODEL, given, strength=strength)
    before, after = (np.abs(gradient(model, MODEL, given, 20.0)).max() for model in (MODEL, adapted))
    assert after < 1e-3 * before


@pytest.mark.parametrize("seed", [1, 2])
def test_every_subnetwork_gains_from_the_shared_last_layer(seed):
    adapted = adapt(MODEL, windows(0), strength=Strength(100.0, 1.0))
    later = windows(10 + seed)
    before, after = (accuracy_of(model, later, MODEL.subnets) for model in (MODEL, adapted))
    assert all(after[subnet] > before[subnet] for subnet in before)
    assert after["1.00x-40"] > 0.6  # chance is one in four; the thinnest has only 24 random features


def test_infinite_strength_changes_nothing():
    adapted = adapt(MODEL, windows(), strength=Strength(inf, inf))
    for name, tensor in MODEL.tensors.items():
        result = adapted.tensors[name]
        if name.startswith("stats."):  # adapted models have zeros beyond a width's channels, the random model has not
            result, tensor = result[-1], tensor[-1]
        np.testing.assert_array_equal(result, tensor, err_msg=name)


def test_only_the_last_layer_and_the_statistics_change():
    adapted = adapt(MODEL, windows(), strength=Strength(10.0, 10.0))
    changed = {name for name, tensor in MODEL.tensors.items() if not np.array_equal(tensor, adapted.tensors[name])}
    assert {"linear.weight", "linear.bias"} < changed
    assert all(name.startswith(("linear.", "stats.")) for name in changed)


def test_a_smaller_weight_of_the_original_moves_the_layer_further():
    moved = [
        np.abs(adapt(MODEL, windows(), strength=Strength(inf, layer)).tensors["linear.weight"]
               - MODEL.tensors["linear.weight"]).sum()
        for layer in (1.0, 10.0, 100.0, 1000.0)
    ]  # fmt: skip
    assert moved == sorted(moved, reverse=True)


def test_more_windows_move_the_layer_further():
    few, many = windows(n=40), windows(n=40)
    twice = replace(
        many,
        x=np.concatenate([many.x, many.x]),
        labels=np.concatenate([many.labels, many.labels]),
        subjects=many.subjects * 2,
        recordings=np.repeat([0, 1], 40),
        t_start_s=np.tile(many.t_start_s, 2),
    )
    moved = [
        np.abs(adapt(MODEL, given).tensors["linear.weight"] - MODEL.tensors["linear.weight"]).sum()
        for given in (few, twice)
    ]
    assert moved[0] < moved[1]


def test_with_a_missing_class_its_weights_and_all_statistics_stay_unchanged():
    adapted = adapt(MODEL, windows(classes=(0, 2)), strength=Strength(1.0, 1.0))
    for name in ("linear.weight", "linear.bias"):
        same = [np.array_equal(adapted.tensors[name][code], MODEL.tensors[name][code]) for code in range(4)]
        assert same == [False, True, False, True]
    statistics = [name for name in MODEL.tensors if name.startswith("stats.")]
    assert all(np.array_equal(adapted.tensors[name][-1], MODEL.tensors[name][-1]) for name in statistics)


def test_the_statistics_of_all_or_only_the_named_subnetworks_are_fitted():
    partly = adapt(MODEL, windows(), strength=Strength(10.0, inf), subnets=[Subnet(0.25, 40)])
    name = next(name for name in MODEL.tensors if name.endswith(".mean"))
    channels = next(iter(from_model(MODEL).norms().values())).moments[Subnet(0.25, 40)][0].count_nonzero()
    assert channels
    changed = partly.tensors[name] != MODEL.tensors[name]
    assert changed[0, 1].any()
    assert not changed[2].any()
    assert (adapt(MODEL, windows(), strength=Strength(10.0, inf)).tensors[name] != MODEL.tensors[name])[2].any()


def test_a_single_activity_is_refused():
    with pytest.raises(DataDamaged, match=r"at least two activities with 4 windows .* have 80 of activity_1; record"):
        adapt(MODEL, windows(classes=(1,)))


def test_the_gain_is_measured_on_held_out_windows():
    gain = held_out_gain(MODEL, windows(n=160))
    assert gain["windows"] == pytest.approx(40, abs=2)
    assert gain["after"]["1.00x-40"] > gain["before"]["1.00x-40"]
    assert held_out_gain(MODEL, windows(n=8)) == {}


def test_the_adapted_file_describes_its_adaptation_and_predicts_as_fitted(tmp_path):
    given = windows()
    original_fingerprint = MODEL.fingerprint
    card = adapted_card(MODEL, given, ["walk.csv"], {})
    adapted = replace(adapt(MODEL, given), name="mine", card=card)
    save_model(tmp_path / "mine.safetensors", adapted)
    loaded = load_model(tmp_path / "mine.safetensors")
    adaptation = loaded.card["adapted"]
    assert (adaptation["from"], adaptation["from_fingerprint"]) == (MODEL.name, original_fingerprint)
    assert adaptation["undo"].startswith("use tiny")
    assert (adaptation["person"], adaptation["sessions"], adaptation["not_shown"]) == ("me", ["walk.csv"], [])
    assert next(iter(loaded.card)) == "adapted"
    assert MODEL.fingerprint == original_fingerprint
    probs = Engine(loaded).predict_batch(given.x, Subnet(0.5, 32))
    assert accuracy_of(adapted, given, [Subnet(0.5, 32)])["0.50x-32"] == pytest.approx(
        np.mean(probs.argmax(1) == given.labels), abs=1e-5
    )
    twice = adapted_card(loaded, given, ["run.csv"], {})["adapted"]
    assert twice["before"]["from"] == MODEL.name


def test_the_last_layer_is_fitted_to_a_limited_number_of_windows(monkeypatch):
    monkeypatch.setattr(adapting, "FIT_WINDOWS", 40)
    given = windows(n=400)
    chosen = adapting._balanced_sample(given.labels, 4, adapting.FIT_WINDOWS)
    assert len(chosen) == 40
    assert np.bincount(given.labels[chosen]).tolist() == [10] * 4
    assert accuracy_of(adapt(MODEL, given, strength=Strength(100.0, 1.0)), windows(5), [MODEL.full])["1.00x-40"] > 0.7
