"""Memory needs are estimated before windows are cut and training starts."""

from dataclasses import replace

import pytest

from kinestream.core.errors import NotEnoughMemory
from kinestream.core.signals import UNLABELLED
from kinestream.train import load_recipe
from kinestream.train.data.windows import load_windows, most_windows
from kinestream.train.fit.memory import training_bytes

from ..made_up import LABELS, dataset, recording, small_recipe


@pytest.mark.parametrize("hop", [7, 64])
def test_the_estimated_number_of_windows_is_at_most_two_per_class_too_high(hop):
    recipe = small_recipe()
    windows = load_windows(dataset(2), recipe, ["0", "1"], hop=hop)
    estimate = most_windows(recording("0"), recipe.input, hop) + most_windows(recording("1"), recipe.input, hop)
    for code, label in enumerate(LABELS):
        count = int((windows.labels == code).sum())
        assert count <= estimate[label] <= count + 2


def test_unlabelled_samples_are_estimated_to_give_no_window():
    unlabelled = recording("1")
    unlabelled.labels[:] = UNLABELLED
    assert not most_windows(unlabelled, small_recipe().input, 64)


def test_windows_that_would_not_fit_are_refused_before_they_are_cut(monkeypatch):
    monkeypatch.setattr("kinestream.core.memory.available_bytes", lambda: 100_000)
    with pytest.raises(NotEnoughMemory, match=r"windows or more of made_up.*raise train_hop in \[data\]"):
        load_windows(dataset(2), small_recipe(), ["0", "1"], hop=1)


def test_a_larger_batch_and_a_larger_network_need_more_memory():
    small, large = small_recipe(batch_size=16), small_recipe(batch_size=4096, statistics_windows=16)
    assert training_bytes(small, 5000, 100) < training_bytes(large, 5000, 100)
    resnet = replace(small, network=load_recipe("resnet_uci").network)
    assert training_bytes(small, 5000, 100) < training_bytes(resnet, 5000, 100)
