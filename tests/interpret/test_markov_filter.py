"""The filter against a sum over all paths, and its behaviour in simple cases."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm

from kinestream.interpret.markov_filter import MarkovFilter, stationary

RATES = np.array([[0.0, 0.05, 0.02], [0.01, 0.0, 0.1], [0.03, 0.03, 0.0]])
GENERATOR = RATES - np.diag(RATES.sum(1))
WINDOW_S = 2.0


def probabilities(seed: int, n: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.ones(3), n)


@pytest.mark.parametrize("evidence", [1.0, 0.4])
def test_the_filter_equals_the_sum_over_all_paths_of_a_hidden_markov_model(evidence: float) -> None:
    probs, t_s = probabilities(0, 5), np.array([0.0, 2.0, 5.0, 7.5, 40.0])
    prior = stationary(GENERATOR)
    likelihood = probs / prior
    share = np.zeros(3)
    for path in product(range(3), repeat=5):
        weight = prior[path[0]] * likelihood[0, path[0]]
        for i in range(1, 5):
            step = expm(GENERATOR * (t_s[i] - t_s[i - 1]))
            weight *= step[path[i - 1], path[i]] * likelihood[i, path[i]] ** evidence
        share[path[-1]] += weight
    markov = MarkovFilter(RATES, evidence, WINDOW_S)
    beliefs = [markov.step(p, t) for p, t in zip(probs, t_s, strict=True)]
    np.testing.assert_allclose(beliefs[-1], share / share.sum(), rtol=1e-9)


def test_the_stationary_share_does_not_change_with_time() -> None:
    share = stationary(GENERATOR)
    np.testing.assert_allclose(share @ expm(GENERATOR * 7), share)
    assert share.sum() == pytest.approx(1)


def test_uninformative_windows_change_nothing_however_many_there_are() -> None:
    prior = stationary(GENERATOR)
    often, once = MarkovFilter(RATES, 1.0, WINDOW_S), MarkovFilter(RATES, 1.0, WINDOW_S)
    often.step([1, 0, 0], 0)
    once.step([1, 0, 0], 0)
    for t_s in (0.5, 1.0, 1.5):
        often.step(prior, t_s)
    np.testing.assert_allclose(often.step(prior, 6.0), once.step(prior, 6.0), rtol=1e-9)


def test_the_first_window_and_one_after_a_very_long_gap_keep_their_probabilities() -> None:
    first, later = probabilities(3, 2)
    markov = MarkovFilter(RATES, 1.0, WINDOW_S)
    np.testing.assert_allclose(markov.step(first, 0.0), first)
    np.testing.assert_allclose(markov.step(later, 1e5), later, rtol=1e-6)


def test_a_single_odd_window_is_outvoted_and_several_win() -> None:
    markov = MarkovFilter(np.full((3, 3), 0.01), 1.0, WINDOW_S)
    walking, odd = np.array([0.9, 0.05, 0.05]), np.array([0.2, 0.75, 0.05])
    for i in range(5):
        markov.step(walking, i)
    assert markov.step(odd, 5.0).argmax() == 0
    later = [markov.step(odd, t_s).argmax() for t_s in range(6, 14)]
    assert later[-1] == 1


def test_at_a_shorter_hop_each_window_counts_for_less() -> None:
    """Twice as many overlapping windows over the same time must not make the filter twice as sure."""
    probs = np.array([0.5, 0.3, 0.2])
    wide, dense = MarkovFilter(RATES, 1.0, WINDOW_S), MarkovFilter(RATES, 1.0, WINDOW_S)
    sure = [wide.step(probs, i * 1.0) for i in range(11)][-1]
    same = [dense.step(probs, i * 0.5) for i in range(21)][-1]
    np.testing.assert_allclose(sure, same, atol=0.02)
    assert MarkovFilter(RATES, 1.0, WINDOW_S).step(probs, 0)[0] < sure[0] - 0.2


@given(
    st.lists(
        st.tuples(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 1e-6), st.floats(0, 1e4)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([RATES, RATES * 0, np.array([[0, 1e-9, 0], [0, 0, 0], [5, 5, 0.0]])]),
)
def test_the_result_is_always_a_distribution(steps: list[tuple[list[float], float]], rates: NDArray) -> None:
    markov, t_s = MarkovFilter(rates, 2.0, WINDOW_S), 0.0
    for probs, passed_s in steps:
        t_s += passed_s
        belief = markov.step(np.array(probs) / sum(probs), t_s)
        assert belief.min() >= 0
        assert belief.sum() == pytest.approx(1)


def test_a_window_of_no_reliance_only_lets_time_pass() -> None:
    told, silent = (MarkovFilter(RELIANCE_RATES, 1.0, 2.0) for _ in range(2))
    for markov in (told, silent):
        markov.step([0.9, 0.05, 0.05], 0.0)
    alone = silent.step([0.01, 0.98, 0.01], 1.0, reliance=0.0)
    assert alone.argmax() == 0
    np.testing.assert_allclose(alone, silent.step([0.3, 0.3, 0.4], 1.0, reliance=0.0))
    assert told.step([0.01, 0.98, 0.01], 1.5, reliance=1.0)[1] > alone[1]


def test_full_reliance_is_the_default_to_the_last_bit() -> None:
    default, full = (MarkovFilter(RELIANCE_RATES, 0.7, 2.0) for _ in range(2))
    for i, probs in enumerate(np.random.default_rng(0).dirichlet([1, 1, 1], 20)):
        assert default.step(probs, i * 0.6).tobytes() == full.step(probs, i * 0.6, reliance=1.0).tobytes()


RELIANCE_RATES = ((0, 0.01, 0.01), (0.02, 0, 0.01), (0.01, 0.05, 0))
