"""Scores against counting by hand."""

import numpy as np
import pytest
import torch

from kinestream.inference.architecture import PRESETS
from kinestream.signals import Subnet
from kinestream.train import statistics
from kinestream.train.evaluate import BATCH, Score, score, score_grid, summary
from kinestream.train.networks import SwitchableNet

from .made_up import LABELS, windows


def test_a_confusion_counts_truth_by_row_and_prediction_by_column():
    net = SwitchableNet(PRESETS["uci"])
    made, subnet = windows(0, BATCH + 20), Subnet(0.3, 96)
    x = torch.from_numpy(made.x)
    statistics.record(net, x, [subnet])
    with torch.inference_mode():
        predicted = net(x, subnet).argmax(dim=1).tolist()
    want = np.zeros((6, 6), int)
    for truth, guess in zip(made.labels.tolist(), predicted, strict=True):
        want[truth, guess] += 1
    assert score(net, x, made.labels, subnet).confusion.tolist() == want.tolist()


def test_the_measures_of_a_known_confusion():
    found = Score(np.array([[3, 1], [2, 4]]))
    assert found.accuracy == pytest.approx(0.7)
    assert found.recall.tolist() == pytest.approx([3 / 4, 4 / 6])
    f1_first, f1_second = 2 * 3 / (5 + 4), 2 * 4 / (5 + 6)
    assert found.macro_f1 == pytest.approx((f1_first + f1_second) / 2)


def test_a_summary_names_the_four_corners_and_every_cut():
    net = SwitchableNet(PRESETS["uci"])
    subnets = [Subnet(width, resolution) for width in (0.1, 0.5, 1.0) for resolution in (96, 112, 128)]
    made = windows(0, 32)
    x = torch.from_numpy(made.x)
    statistics.record(net, x, subnets)
    scores = score_grid(net, x, made.labels, subnets)
    told = summary(scores, LABELS)
    assert list(told["corners"]) == ["1.00x-128", "1.00x-96", "0.10x-128", "0.10x-96"]
    assert len(told["accuracy"]) == 9
    assert told["windows"] == 32
    assert told["accuracy"]["0.50x-112"] == pytest.approx(scores[Subnet(0.5, 112)].accuracy, abs=1e-5)


def test_a_class_nobody_showed_has_no_recall():
    told = summary({Subnet(1.0, 128): Score(np.array([[2, 1], [0, 0]]))}, ("a", "b"))
    assert told["corners"]["1.00x-128"]["recall"] == {"a": pytest.approx(2 / 3, abs=1e-4), "b": None}
