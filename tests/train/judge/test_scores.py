"""Every measure compared with a manual count."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.train.judge import scores
from kinestream.train.judge.scores import from_json, interval, pooled, score_of, to_json

LABELS = ("a", "b", "c", "d")


def made(n=200, people=5, seed=0, classes=4, sharp=2.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + sharp * np.eye(classes)[labels]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probs.astype(np.float32), labels, [f"p{i}" for i in rng.integers(0, people, n)]


samples = st.builds(
    made, n=st.integers(1, 120), people=st.integers(1, 6), seed=st.integers(0, 999), sharp=st.floats(0, 6)
)


def counted(probs, labels):
    """Counts per class: true positives, predictions, labels."""
    predictions = [max(range(len(row)), key=row.__getitem__) for row in probs.tolist()]
    pairs = list(zip(labels.tolist(), predictions, strict=True))
    classes = range(probs.shape[1])
    hits = [sum(t == p == c for t, p in pairs) for c in classes]
    return hits, [sum(p == c for _, p in pairs) for c in classes], [sum(t == c for t, _ in pairs) for c in classes]


@settings(deadline=None)
@given(samples)
def test_the_measures_equal_a_manual_count(sample):
    probs, labels, subjects = sample
    hits, predicted, shown = counted(probs, labels)
    confusion = score_of(probs, labels, subjects).confusion
    f1s = [2 * h / (p + s) for h, p, s in zip(hits, predicted, shown, strict=True) if p + s]
    recalls = [h / s for h, s in zip(hits, shown, strict=True) if s]
    assert float(scores.accuracy(confusion)) == pytest.approx(sum(hits) / len(labels))
    assert float(scores.macro_f1(confusion)) == pytest.approx(sum(f1s) / len(f1s))
    assert float(scores.balanced_accuracy(confusion)) == pytest.approx(sum(recalls) / len(recalls))
    for c in range(4):
        want = hits[c] / predicted[c] if predicted[c] else math.nan
        assert float(scores.precision(confusion)[c]) == pytest.approx(want, nan_ok=True)
        want = hits[c] / shown[c] if shown[c] else math.nan
        assert float(scores.recall(confusion)[c]) == pytest.approx(want, nan_ok=True)


@settings(deadline=None)
@given(samples)
def test_the_calibration_error_equals_a_manual_count(sample):
    probs, labels, subjects = sample
    error = 0.0
    for b in range(15):
        inside = [
            (float(row.max()), int(row.argmax()) == label)
            for row, label in zip(probs, labels, strict=True)
            if b / 15 < row.max() <= (b + 1) / 15
        ]
        correct, confidence = sum(hit for _, hit in inside), sum(prob for prob, _ in inside)
        error += abs(correct - confidence) / len(labels)
    assert scores.calibration_error(score_of(probs, labels, subjects).bins) == pytest.approx(error, abs=1e-6)


def test_a_network_that_is_always_certain_and_half_right_has_an_error_of_one_half():
    probs = np.array([[1.0, 0.0]] * 10)
    score = score_of(probs, np.array([0, 1] * 5), ["p"] * 10)
    assert scores.calibration_error(score.bins) == pytest.approx(0.5)


def test_each_person_has_their_own_confusion():
    probs, labels, subjects = made()
    score = score_of(probs, labels, subjects)
    for name, confusion in zip(score.subjects, score.by_subject, strict=True):
        own = np.array([subject == name for subject in subjects])
        assert confusion.tolist() == score_of(probs[own], labels[own], ["x"] * own.sum()).confusion.tolist()


def test_the_interval_samples_people_and_not_windows():
    good, bad = np.diag([50, 50]), np.array([[0, 50], [50, 0]])
    split = np.array([good, bad, good, bad])
    assert interval(split, scores.accuracy) == (
        0.0,
        1.0,
    )  # four people with 100 windows each: sampling windows would give 0.45 to 0.55
    equal = np.array([[[40, 10], [10, 40]]] * 4)
    assert interval(equal, scores.accuracy) == (0.8, 0.8)


def test_the_interval_equals_that_of_an_explicit_bootstrap():
    by_subject = score_of(*made(400, 8)).by_subject
    rng, drawn = np.random.default_rng(1), []
    for _ in range(4000):
        confusion = by_subject[rng.integers(0, 8, 8)].sum(0)
        drawn.append(np.trace(confusion) / confusion.sum())
    assert interval(by_subject, scores.accuracy, draws=4000) == pytest.approx(
        np.percentile(drawn, (2.5, 97.5)), abs=0.01
    )


def test_one_person_has_no_interval_and_a_seed_makes_others_reproducible():
    by_subject = score_of(*made()).by_subject
    assert interval(by_subject[:1], scores.accuracy) is None
    assert interval(by_subject, scores.macro_f1) == interval(by_subject, scores.macro_f1)
    assert interval(by_subject, scores.macro_f1) != interval(by_subject, scores.macro_f1, seed=1)


@settings(deadline=None)
@given(samples, samples)
def test_pooled_scores_equal_the_score_of_all_windows_together(first, second):
    probs, labels, subjects = (np.concatenate(both) for both in zip(first, second, strict=True))
    whole = score_of(probs, labels, subjects)
    pool = pooled([score_of(*first), score_of(*second)])
    assert pool.subjects == whole.subjects
    assert np.array_equal(pool.by_subject, whole.by_subject)
    assert np.allclose(pool.bins, whole.bins)


def test_json_contains_the_counts_and_null_for_a_class_never_shown():
    probs, labels, subjects = made()
    probs[:, 3] = 0
    score = score_of(probs[labels < 3], labels[labels < 3], np.array(subjects)[labels < 3])
    values = json.loads(json.dumps(to_json(score, LABELS), allow_nan=False))
    assert values["classes"]["d"] == {"precision": None, "recall": None, "f1": None, "windows": 0}
    assert values["interval_95_over_subjects"]["accuracy"][0] <= values["accuracy"]
    restored = from_json(values)
    assert restored.subjects == score.subjects
    assert np.array_equal(restored.by_subject, score.by_subject)
    assert scores.calibration_error(restored.bins) == pytest.approx(values["calibration_error"], abs=1e-5)
