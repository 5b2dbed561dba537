"""Adapting to one person: what is sought is found, what was not shown stays, the original too."""

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
    """Windows of one person whose activities differ in pace."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(classes, n))
    t = np.arange(model.input.length)[:, None] / model.input.fs_hz
    waves = np.sin(2 * np.pi * (1 + 2 * labels)[:, None, None] * t + rng.uniform(0, 6, (n, 1, 1)))
    x = model.mean + model.std * (2 * waves + 0.3 * rng.standard_normal((n, model.input.length, len(model.mean))))
    start = np.arange(n) * model.input.hop_s
    return Windows(x.astype(np.float32), labels, {}, {}, ("me",) * n, np.zeros(n, np.int64), start)


def gradient(model: Model, origin: Model, given: Windows, last_layer: float) -> np.ndarray:
    """Of what ``adapt`` says it minimises, at ``model``'s last layer, in float64 and without its code."""
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


def test_the_last_layer_is_the_minimum_of_what_is_stated():
    given, strength = windows(), Strength(inf, 20.0)
    found = adapt(MODEL, given, strength=strength)
    before, after = (np.abs(gradient(one, MODEL, given, 20.0)).max() for one in (MODEL, found))
    assert after < 1e-3 * before


@pytest.mark.parametrize("seed", [1, 2])
def test_every_width_gains_from_one_change_of_the_shared_layer(seed):
    found = adapt(MODEL, windows(0), strength=Strength(100.0, 1.0))
    later = windows(10 + seed)
    before, after = (accuracy_of(one, later, MODEL.subnets) for one in (MODEL, found))
    assert all(after[subnet] > before[subnet] for subnet in before)
    assert after["1.00x-40"] > 0.6  # one in four by chance; the thinnest has 24 random features to tell by


def test_without_any_freedom_nothing_changes():
    found = adapt(MODEL, windows(), strength=Strength(inf, inf))
    for name, tensor in MODEL.tensors.items():
        kept = found.tensors[name]
        if name.startswith("stats."):  # beyond a width's channels a file holds zeros, whatever the random model held
            kept, tensor = kept[-1], tensor[-1]
        np.testing.assert_array_equal(kept, tensor, err_msg=name)


def test_only_the_last_layer_and_the_statistics_change():
    found = adapt(MODEL, windows(), strength=Strength(10.0, 10.0))
    changed = {name for name, tensor in MODEL.tensors.items() if not np.array_equal(tensor, found.tensors[name])}
    assert {"linear.weight", "linear.bias"} < changed
    assert all(name.startswith(("linear.", "stats.")) for name in changed)


def test_the_less_the_original_counts_the_further_it_is_left():
    moved = [
        np.abs(adapt(MODEL, windows(), strength=Strength(inf, layer)).tensors["linear.weight"]
               - MODEL.tensors["linear.weight"]).sum()
        for layer in (1.0, 10.0, 100.0, 1000.0)
    ]  # fmt: skip
    assert moved == sorted(moved, reverse=True)


def test_more_windows_count_more():
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
        np.abs(adapt(MODEL, one).tensors["linear.weight"] - MODEL.tensors["linear.weight"]).sum()
        for one in (few, twice)
    ]
    assert moved[0] < moved[1]


def test_a_class_that_was_not_shown_is_not_unlearned_and_the_statistics_stay():
    found = adapt(MODEL, windows(classes=(0, 2)), strength=Strength(1.0, 1.0))
    for name in ("linear.weight", "linear.bias"):
        same = [np.array_equal(found.tensors[name][code], MODEL.tensors[name][code]) for code in range(4)]
        assert same == [False, True, False, True]
    full = [name for name in MODEL.tensors if name.startswith("stats.")]
    assert all(np.array_equal(found.tensors[name][-1], MODEL.tensors[name][-1]) for name in full)


def test_statistics_of_all_subnetworks_are_fitted_unless_some_are_named():
    some = adapt(MODEL, windows(), strength=Strength(10.0, inf), subnets=[Subnet(0.25, 40)])
    name = next(name for name in MODEL.tensors if name.endswith(".mean"))
    kept = next(iter(from_model(MODEL).norms().values())).moments[Subnet(0.25, 40)][0].count_nonzero()
    assert kept
    changed = some.tensors[name] != MODEL.tensors[name]
    assert changed[0, 1].any()
    assert not changed[2].any()
    assert (adapt(MODEL, windows(), strength=Strength(10.0, inf)).tensors[name] != MODEL.tensors[name])[2].any()


def test_one_activity_is_not_enough():
    with pytest.raises(DataDamaged, match=r"at least two activities of 4 windows .* found 80 of activity_1; record"):
        adapt(MODEL, windows(classes=(1,)))


def test_the_gain_is_measured_on_windows_that_were_not_learnt_from():
    gain = held_out_gain(MODEL, windows(n=160))
    assert gain["windows"] == pytest.approx(40, abs=2)
    assert gain["after"]["1.00x-40"] > gain["before"]["1.00x-40"]
    assert held_out_gain(MODEL, windows(n=8)) == {}


def test_the_new_file_says_of_what_and_how_and_runs_as_it_was_fitted(tmp_path):
    given = windows()
    print_before = MODEL.fingerprint
    card = adapted_card(MODEL, given, ["walk.csv"], {})
    found = replace(adapt(MODEL, given), name="mine", card=card)
    save_model(tmp_path / "mine.safetensors", found)
    again = load_model(tmp_path / "mine.safetensors")
    told = again.card["adapted"]
    assert (told["from"], told["from_fingerprint"]) == (MODEL.name, print_before)
    assert told["undo"].startswith("use tiny")
    assert (told["person"], told["sessions"], told["not_shown"]) == ("me", ["walk.csv"], [])
    assert next(iter(again.card)) == "adapted"
    assert MODEL.fingerprint == print_before
    probs = Engine(again).predict_batch(given.x, Subnet(0.5, 32))
    assert accuracy_of(found, given, [Subnet(0.5, 32)])["0.50x-32"] == pytest.approx(
        np.mean(probs.argmax(1) == given.labels), abs=1e-5
    )
    twice = adapted_card(again, given, ["run.csv"], {})["adapted"]
    assert twice["before"]["from"] == MODEL.name


def test_no_more_windows_are_fitted_to_than_are_worth_their_time(monkeypatch):
    monkeypatch.setattr(adapting, "FIT_WINDOWS", 40)
    given = windows(n=400)
    chosen = adapting._some(given.labels, 4, adapting.FIT_WINDOWS)
    assert len(chosen) == 40
    assert np.bincount(given.labels[chosen]).tolist() == [10] * 4
    assert accuracy_of(adapt(MODEL, given, strength=Strength(100.0, 1.0)), windows(5), [MODEL.full])["1.00x-40"] > 0.7
