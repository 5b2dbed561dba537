"""Learning rates as functions of the step, and the moving average of the weights."""

from dataclasses import replace

import pytest
import torch

from kinestream.inference.presets import PRESETS
from kinestream.train import Training, load_recipe
from kinestream.train.fit.optimize import average, balanced_weights, learning_rate, make_optimizer, steps_per_epoch
from kinestream.train.network.switchable import SwitchableNet


def test_one_cycle_rises_to_its_peak_and_falls_to_almost_nothing():
    training = Training(epochs=10, learning_rate=1e-2, warmup_share=0.2)
    rates = [learning_rate(training, step, 50) for step in range(500)]
    assert max(rates) == rates[100] == pytest.approx(1e-2)
    assert rates[:101] == sorted(rates[:101])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[0] == pytest.approx(1e-2 / 25)
    assert rates[-1] < 1e-5


def test_cosine_falls_from_its_peak_to_almost_nothing():
    training = Training(epochs=10, learning_rate=1e-2, schedule="cosine")
    rates = [learning_rate(training, step, 50) for step in range(500)]
    assert rates[0] == 1e-2
    assert rates[250] == pytest.approx(5e-3)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-6


def test_balanced_weights_give_every_class_the_same_total_and_a_mean_of_one():
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights = balanced_weights(labels, 3)
    sums = [weights[labels[labels == code]].sum().item() for code in range(3)]
    assert sums == pytest.approx([10 / 3] * 3)
    assert weights[labels].mean().item() == pytest.approx(1)


def test_an_epoch_draws_as_many_windows_as_the_models_own_hop_cuts():
    recipe = load_recipe("uci")
    assert (recipe.train_hop, recipe.input.hop, recipe.training.batch_size) == (32, 64, 128)
    assert steps_per_epoch(recipe, 12800) == 50
    assert steps_per_epoch(replace(recipe, data=replace(recipe.data, train_hop=0)), 12800) == 100
    assert steps_per_epoch(recipe, 3) == 1


@pytest.mark.parametrize(("epoch_windows", "steps"), [(1, 1), (128, 1), (300, 2), (12_800, 100), (1_000_000, 7812)])
def test_a_recipe_can_fix_the_windows_of_an_epoch(epoch_windows, steps):
    recipe = load_recipe("uci")
    recipe = replace(recipe, training=replace(recipe.training, epoch_windows=epoch_windows))
    assert recipe.training.batch_size == 128
    assert {steps_per_epoch(recipe, windows) for windows in (3, 12_800)} == {steps}


def test_milestones_divide_the_rate_by_ten():
    training = Training(epochs=150, learning_rate=1e-4, schedule="milestones", milestones=(50, 100))
    rates = [learning_rate(training, epoch * 7 + 6, 7) for epoch in (0, 49, 50, 99, 100, 149)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])


def test_only_convolution_and_linear_weights_decay():
    net = SwitchableNet(PRESETS["uci"])
    decaying, free = make_optimizer(net, Training(weight_decay=0.1)).param_groups
    assert decaying["weight_decay"] == 0.1
    assert free["weight_decay"] == 0
    assert len(decaying["params"]) == 4
    assert len(decaying["params"]) + len(free["params"]) == len(list(net.parameters()))


def test_the_average_follows_the_weights_and_forgets_the_start():
    averaged, weights = [torch.zeros(3)], [torch.ones(3)]
    for step in range(200):
        average(averaged, weights, 0.9, step)
    torch.testing.assert_close(averaged[0], torch.ones(3), rtol=1e-4, atol=1e-4)


def test_without_decay_the_average_is_the_last_weights():
    averaged, weights = [torch.zeros(3)], [torch.tensor([1.0, 2.0, 3.0])]
    average(averaged, weights, 0.0, 5)
    assert torch.equal(averaged[0], weights[0])
