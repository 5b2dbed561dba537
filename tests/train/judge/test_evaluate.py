"""Evaluation compared with manual counts and with PyTorch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinestream.core.signals import Subnet
from kinestream.inference.model_file import Model
from kinestream.inference.presets import PRESETS
from kinestream.train import load_recipe
from kinestream.train.judge.evaluate import BATCH, corners, probabilities, score, score_grid, summary
from kinestream.train.judge.scores import from_json
from kinestream.train.network import batch_statistics
from kinestream.train.network.export import from_model, normalised, to_model
from kinestream.train.network.switchable import SwitchableNet

from ..made_up import LABELS, windows


def test_a_confusion_has_true_classes_as_rows_and_predictions_as_columns():
    net = SwitchableNet(PRESETS["uci"])
    test, subnet = windows(0, BATCH + 20), Subnet(0.3, 96)
    x = torch.from_numpy(test.x)
    batch_statistics.record(net, x, [subnet])
    with torch.inference_mode():
        predicted = net(x, subnet).argmax(dim=1).tolist()
    want = np.zeros((6, 6), int)
    for label, prediction in zip(test.labels.tolist(), predicted, strict=True):
        want[label, prediction] += 1
    assert score(net, x, test.labels, subnet).confusion.tolist() == want.tolist()


def test_probabilities_do_not_depend_on_the_batches():
    net = SwitchableNet(PRESETS["uci"])
    x, subnet = torch.from_numpy(windows(0, BATCH + 3).x), Subnet(0.3, 96)
    batch_statistics.record(net, x, [subnet])
    with torch.inference_mode():
        want = net(x, subnet).softmax(1).numpy()
    assert np.allclose(probabilities(net, x, subnet), want, atol=1e-5)


def small_model(preset: str = "uci", resolutions: tuple[int, ...] = (96, 112, 128)) -> Model:
    """An untrained model with nine subnetworks."""
    recipe = load_recipe(preset)
    recipe = replace(recipe, network=replace(recipe.network, widths=(0.1, 0.5, 1.0), resolutions=resolutions))
    torch.manual_seed(0)
    net, mean, std = SwitchableNet(recipe.network.architecture), torch.full((9,), 0.3), torch.full((9,), 2.0)
    batch_statistics.record(net, (torch.from_numpy(windows(1).x) - mean) / std, recipe.network.subnets)
    return to_model(recipe, net, mean, std, {})


@pytest.mark.parametrize(
    ("preset", "resolutions"), [("uci", (96, 112, 128)), ("resnet_uci", (96, 112, 128)), ("kinet_uci", (64, 96, 128))]
)
def test_grid_scores_equal_those_of_pytorch(preset, resolutions):
    model, test = small_model(preset, resolutions), windows(0, 70)
    subjects = [f"p{i % 3}" for i in range(70)]
    net, x = from_model(model), normalised(model, test.x)
    scores = score_grid(model, test.x, test.labels, subjects)
    assert list(scores) == list(model.subnets)
    for subnet, got in scores.items():
        want = score(net, x, test.labels, subnet, subjects)
        assert got.subjects == want.subjects
        assert np.array_equal(got.by_subject, want.by_subject)
        assert np.allclose(got.bins, want.bins, atol=1e-4)


def test_single_subnetworks_can_be_scored():
    model, test = small_model(), windows(0, 20)
    scores = score_grid(model, test.x, test.labels, subnets=[Subnet(0.5, 112)])
    assert list(scores) == [Subnet(0.5, 112)]
    assert scores[Subnet(0.5, 112)].windows == 20


def test_a_summary_has_every_accuracy_and_all_scores_of_the_corners():
    model, test = small_model(), windows(0, 32)
    subjects = [f"p{i % 3}" for i in range(32)]
    scores = score_grid(model, test.x, test.labels, subjects)
    values = summary(scores, LABELS, counts=True)
    assert list(values["scores"]) == ["1.00x-128", "1.00x-96", "0.10x-128", "0.10x-96"]
    assert len(values["accuracy"]) == 9
    assert values["windows"] == 32
    assert values["accuracy"]["0.50x-112"] == pytest.approx(scores[Subnet(0.5, 112)].accuracy, abs=1e-5)
    assert from_json(values["scores"]["1.00x-96"]).subjects == ("p0", "p1", "p2")
    assert list(summary(scores, LABELS, [Subnet(0.5, 112)])["scores"]) == ["0.50x-112"]


def test_a_grid_of_one_subnetwork_has_one_corner():
    assert corners([Subnet(1.0, 128)]) == (Subnet(1.0, 128),)
