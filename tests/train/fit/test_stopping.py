"""Early stopping by the epochs' metrics."""

import pytest

from kinestream.train.fit.stopping import MEASURE, best_epoch, out_of_patience


def history(*values: float) -> list[dict[str, float]]:
    return [{"epoch": number, MEASURE: value} for number, value in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("values", "best"), [((), 0), ((0.1,), 1), ((0.1, 0.3, 0.2), 2), ((0.3, 0.3), 1), ((0.1, 0.2, 0.3), 3)]
)
def test_the_best_epoch_is_the_first_with_the_greatest_score(values, best):
    assert best_epoch(history(*values)) == best


@pytest.mark.parametrize(
    ("values", "patience", "stops"),
    [
        ((), 1, False),
        ((0.5, 0.4), 2, False),
        ((0.5, 0.4, 0.4), 2, True),
        ((0.5, 0.4, 0.5), 2, True),
        ((0.5, 0.4, 0.6), 2, False),
        ((0.5, 0.4, 0.3, 0.2), 0, False),
    ],
)
def test_training_stops_after_that_many_epochs_without_improvement(values, patience, stops):
    assert out_of_patience(history(*values), patience) is stops
