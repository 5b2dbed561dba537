"""Groups of labels are scored by the sum of their probabilities."""

import numpy as np
import torch

from kinestream.core.signals import Subnet
from kinestream.train import load_recipe
from kinestream.train.judge.coarse_classes import group_summary, membership
from kinestream.train.judge.evaluate import probabilities
from kinestream.train.network.batch_statistics import record
from kinestream.train.network.switchable import SwitchableNet

LABELS = ("walking", "stairs", "sitting")
GROUPS = {"foot": ("walking", "stairs"), "still": ("sitting",)}


def test_a_groups_probability_is_the_sum_over_its_labels():
    probs = np.array([[0.3, 0.3, 0.4], [0.1, 0.2, 0.7]], np.float32)
    np.testing.assert_allclose(probs @ membership(LABELS, GROUPS), [[0.6, 0.4], [0.3, 0.7]], rtol=1e-6)


def test_two_labels_of_a_group_can_outweigh_a_more_probable_label():
    probs = np.array([0.3, 0.3, 0.4])
    assert LABELS[probs.argmax()] == "sitting"
    assert tuple(GROUPS)[(probs @ membership(LABELS, GROUPS)).argmax()] == "foot"


def test_groups_of_one_label_each_score_like_the_labels():
    recipe = load_recipe("uci")
    labels, subnet = recipe.data.labels, Subnet(0.1, 96)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, x = SwitchableNet(recipe.network.architecture), torch.randn(40, 128, 9)
    record(net, x, [subnet])
    codes = np.arange(40) % 6
    singles = {name: (name,) for name in labels}
    scores = group_summary(net, x, codes, ["1"] * 40, labels, singles, [subnet])["scores"]["0.10x-96"]
    predicted = probabilities(net, x, subnet).argmax(axis=1)
    assert scores["accuracy"] == np.mean(predicted == codes).round(5)
    whole = group_summary(net, x, codes, ["1"] * 40, labels, {"all": labels}, [subnet])["scores"]["0.10x-96"]
    assert whole["accuracy"] == 1.0
