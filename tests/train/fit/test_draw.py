"""The windows of an epoch: each as often as the recipe says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.train import Training, load_recipe
from kinestream.train.data.windows import Windows
from kinestream.train.fit.draw import draw_pairs, draw_windows, number_pairs

JOINED = replace(load_recipe("phone_acc").data, dataset="hapt + sisfall + umafall", test_subjects=(), label_map={})


def windows(subjects, labels) -> Windows:
    return Windows(np.zeros((len(labels), 4, 1), np.float32), np.array(labels), subjects=tuple(subjects))


@given(st.integers(1, 50), st.integers(1, 200), st.integers(0, 100))
def test_no_window_is_repeated_before_all_were_drawn(n, count, seed):
    drawn = draw_windows(np.random.default_rng(seed), n, count)
    times = np.bincount(drawn, minlength=n)
    assert len(drawn) == count
    assert times.max() - times.min() <= 1


@given(st.integers(1, 50), st.integers(0, 100))
def test_drawing_every_window_once_is_one_permutation(n, seed):
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed)
    assert draw_windows(rng, n, n).tolist() == other.permutation(n).tolist()
    assert rng.integers(2**60) == other.integers(2**60)  # nothing more was drawn


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 300), st.integers(0, 100))
def test_each_pair_is_drawn_equally_often_and_its_windows_too(sizes, count, seed):
    pairs = np.repeat(np.arange(len(sizes)), sizes)
    drawn = draw_pairs(np.random.default_rng(seed), pairs, count)
    assert len(drawn) == count
    per_pair = np.bincount(pairs[drawn], minlength=len(sizes))
    assert per_pair.max() - per_pair.min() <= 1
    for pair in range(len(sizes)):
        times = np.bincount(drawn, minlength=len(pairs))[pairs == pair]
        assert times.max() - times.min() <= 1


def test_the_seed_determines_the_draw_and_its_order():
    pairs = np.repeat([0, 1, 2], [50, 10, 3])
    first, again, other = (draw_pairs(np.random.default_rng(seed), pairs, 60).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first != sorted(first)


def test_pairs_are_numbered_by_dataset_and_class_without_gaps():
    subjects = ["hapt/1", "hapt/2", "umafall/01/phone", "umafall/01/waist", "hapt/1", "sisfall/SA01"]
    numbers = number_pairs(windows(subjects, [0, 0, 0, 0, 5, 5]), JOINED)
    assert numbers.tolist() == [0, 0, 3, 3, 1, 2]
    alone = replace(JOINED, dataset="hapt")
    assert number_pairs(windows((), [3, 0, 3]), alone).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="3 windows of several datasets with 0 subjects"):
        number_pairs(windows((), [3, 0, 3]), JOINED)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draw": "people"}, "draw is 'people'; choose from windows, datasets"),
        ({"epoch_windows": -1}, "epoch_windows is -1; expected"),
        ({"draw": "datasets", "class_weights": "balanced"}, "favoured twice"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Training(**settings)
