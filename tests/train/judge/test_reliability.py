"""Reliability learnt from made-up answers of known trustworthiness, and from real windows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.signals import ACC, Subnet
from kinestream.inference import Engine, Model, find_model, load_model, operating_table
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.movement import Movement
from kinestream.policy import make_policy
from kinestream.replay_data import Dataset, Entry, Recording
from kinestream.run.pipeline import Pipeline
from kinestream.train.data.windows import chunks_of
from kinestream.train.judge.calibrate_elsewhere import Elsewhere, accuracy_elsewhere, calibrate_elsewhere
from kinestream.train.judge.reliability import fit_reliability
from kinestream.train.judge.unseen import MOST_WINDOWS, Unseen, unseen

from ...random_models import random_model

LABELS = ("walking", "sitting", "lying")
FULL = Subnet(1.0, 40)


def part(source: str, seed: int, *, at_home: bool = False, n: int = 900) -> Unseen:
    """Known windows, right as often as their softmax says while they move as usual; and ones never taught."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    movement = rng.normal(0, 0.3, (n, 8)) + 2 * labels[:, None]
    top = rng.uniform(0.5, 0.99, n)
    named = np.where(rng.random(n) < top, labels, (labels + 1) % 3)
    # The window moves like what it is; a wrong label is therefore also an unlikely one.
    novel = rng.random(n) < 0.25
    movement[novel] = rng.normal(9, 0.3, (int(novel.sum()), 8))
    movement[:, 7] = 0
    labels = np.where(novel, -1, labels)
    probs = np.repeat(((1 - top) / 2)[:, None], 3, axis=1)
    probs[np.arange(n), named] = top
    activities = tuple(LABELS[label] if label >= 0 else "jumping" for label in labels)
    return Unseen(source, at_home, labels, activities, movement, {1.0: (probs.astype(np.float32),)})


PARTS = [part("a", 1), part("b", 2), part("c", 3)]


def test_a_feature_left_out_gets_no_weight() -> None:
    whole, _ = fit_reliability(PARTS, LABELS, (1.0,))
    fewer, _ = fit_reliability(PARTS, LABELS, (1.0,), without=(1, 2))
    assert whole.weights[1.0][3] > 0  # the constant comes first
    assert fewer.weights[1.0][2:4] == (0, 0)


def test_people_of_another_dataset_get_the_confidence_they_deserve() -> None:
    reliability, _ = fit_reliability(PARTS, LABELS, (1.0,))
    other = part("d", 4, n=3000)
    (probs,) = other.probs[1.0]
    confidence = reliability.confidences(probs, other.movement, FULL)
    known = other.labels >= 0
    right = probs.argmax(1) == other.labels
    assert confidence[known].mean() == pytest.approx(right[known].mean(), abs=0.05)
    sure = known & (confidence > 0.9)
    assert sure.mean() > 0.3
    assert right[sure].mean() > 0.9
    assert (confidence[~known] > 0.5).mean() < 0.02
    assert (probs.max(1)[~known] > 0.5).mean() > 0.9
    novelty = reliability.novelty(probs, other.movement)
    assert np.median(novelty[right]) < 2 < 10 < np.median(novelty[~known])


def test_the_same_parts_give_the_same_reliability() -> None:
    assert fit_reliability(PARTS, LABELS, (1.0,)) == fit_reliability(PARTS, LABELS, (1.0,))


def test_more_log_odds_or_a_better_fit_never_lower_the_confidence() -> None:
    wrong = [replace(p, labels=(p.labels + 1) % 3, activities=("walking",) * len(p)) for p in PARTS]
    reliability, _ = fit_reliability(wrong, LABELS, (1.0,))
    assert min(reliability.weights[1.0][1:6]) >= 0


def test_a_home_part_weighs_as_much_as_all_others_together() -> None:
    home = part("home", 5, at_home=True)
    spoilt = [replace(p, labels=np.full(len(p), 0)) for p in PARTS]  # mostly wrong
    at_home, _ = fit_reliability([home, *spoilt], LABELS, (1.0,), [home])
    alone, _ = fit_reliability(spoilt, LABELS, (1.0,), [home])
    (probs,) = home.probs[1.0]
    assert at_home.confidences(probs, home.movement, FULL).mean() > alone.confidences(probs, home.movement, FULL).mean()


def test_a_class_for_other_activities_is_right_about_those_never_taught() -> None:
    named = (*LABELS, "other")

    def answered(p: Unseen, label: int) -> Unseen:
        """Windows never taught, all named alike; the probabilities get a column for the fourth class."""
        (probs,) = p.probs[1.0]
        wider = np.hstack([probs, np.zeros((len(p), 1), np.float32)])
        wider[p.labels < 0] = 0.02
        wider[p.labels < 0, label] = 0.94
        return replace(p, probs={1.0: (wider,)})

    jumping = np.full((1, 8), 9.0)
    jumping[0, 7] = 0
    answer = np.array([[0.02, 0.02, 0.02, 0.94]])
    right, _ = fit_reliability([answered(p, 3) for p in PARTS], named, (1.0,))
    wrong, _ = fit_reliability([answered(p, 3) for p in PARTS], (*LABELS, "cycling"), (1.0,))
    assert right.confidences(answer, jumping, FULL) > 2 * wrong.confidences(answer, jumping, FULL)


def test_too_few_windows_are_refused() -> None:
    with pytest.raises(DataDamaged, match="at least 200"):
        fit_reliability([part("a", 1, n=100)], LABELS, (1.0,))


# Real windows of a random network.

MODEL = random_model(widths=(0.25, 1.0))
NAMES = (*MODEL.labels, "falling")


def recording(person: int, seconds: float = 40.0) -> Recording:
    rng = np.random.default_rng(person)
    n = round(50 * seconds)
    codes = np.repeat(rng.integers(0, 5, 8), n // 8).astype(np.int16)
    x = (rng.normal(0, 1 + codes[:, None], (len(codes), 3)) + np.array([0, 0, 9.8])).astype(np.float32)
    return Recording("made", f"r{person}", str(person), 50.0, ACC, np.arange(len(codes)) / 50, x, codes, NAMES)


def dataset(people: int, seconds: float = 40.0) -> Dataset:
    entries = [Entry(f"r{i}", str(i), partial(recording, i, seconds)) for i in range(people)]
    return Dataset("made", NAMES, entries)


def test_unseen_windows_and_answers_are_those_of_the_live_pipeline() -> None:
    people = dataset(2)
    read = unseen(MODEL, people, people.subjects, source="made")
    engine = Engine(MODEL)
    table = operating_table(engine, [MODEL.full])
    live = []
    for rec in people:
        pipeline = Pipeline(engine, make_policy(f"fixed:{MODEL.full}", table), table)
        live += [p for chunk in chunks_of(rec) for p in pipeline.push(chunk)] + pipeline.flush()
    live = [p for p in live if p.truth is not None and p.truth_share > 0.5]
    assert read.activities == tuple(p.truth for p in live)
    np.testing.assert_allclose(read.probs[1.0][-1], np.stack([p.probs for p in live]), atol=1e-5)
    assert set(read.labels[np.array(read.activities) == "falling"]) == {-1}


def test_a_turned_sensor_changes_the_position_and_not_the_movement() -> None:
    people = dataset(1)
    as_worn, turned = (unseen(MODEL, people, ["0"], source="made", turned=way) for way in (False, True))
    np.testing.assert_allclose(as_worn.movement[:, :4], turned.movement[:, :4], atol=1e-4)
    assert np.abs(as_worn.movement[:, 4:7] - turned.movement[:, 4:7]).max() > 0.1


def test_a_large_dataset_is_read_in_part() -> None:
    people = dataset(1, seconds=4000)
    assert len(unseen(MODEL, people, ["0"], source="made", answers=False)) == MOST_WINDOWS


def reliable() -> Model:
    people = dataset(6)
    parts = [unseen(MODEL, people, people.subjects[i::3], source=str(i)) for i in range(3)]
    reliability, _ = fit_reliability(parts, MODEL.labels, MODEL.widths)
    return replace(MODEL, calibration=Calibration(reliability=reliability))


def test_a_reliability_changes_no_bit_of_a_prediction_and_adds_the_movement() -> None:
    runs = []
    for model in (MODEL, reliable()):
        engine = Engine(model)
        table = operating_table(engine, [model.full])
        pipeline = Pipeline(engine, make_policy(f"fixed:{model.full}", table), table)
        runs.append([p for chunk in chunks_of(recording(9)) for p in pipeline.push(chunk)] + pipeline.flush())
    movement = Movement(MODEL.input.channels, 50.0)
    for plain, known in zip(*runs, strict=True):
        assert plain.probs.tobytes() == known.probs.tobytes()
        assert plain.movement is None
        assert known.movement is not None
        assert known.movement.shape == movement.of(np.zeros((40, 3), np.float32)).shape
    assert MODEL.fingerprint == reliable().fingerprint


def test_networks_of_another_kind_and_networks_that_know_the_people_are_refused() -> None:
    phone = load_model(find_model("phone_acc"))
    with pytest.raises(ConfigError, match=r"phone_acc was trained on people of uci-har; .* uci-har=MODEL"):
        calibrate_elsewhere(phone, [Elsewhere("uci-har", phone)])
    with pytest.raises(ConfigError, match="the network for sisfall has another architecture than phone_acc"):
        calibrate_elsewhere(phone, [Elsewhere("sisfall", MODEL)])


def test_missing_data_are_refused_before_any_dataset_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinestream.train.judge.calibrate_elsewhere.open_data", lambda *_: pytest.fail("read HAPT"))
    with pytest.raises(ConfigError, match="no dataset or recording 'nowhere'"):
        calibrate_elsewhere(load_model(find_model("phone_acc")), [Elsewhere("sisfall"), Elsewhere("nowhere")])


def test_recordings_without_labels_are_refused(tmp_path: Path) -> None:
    rows = [f"{i / 20:.2f},0.1,{9.8 + i % 2},0.2" for i in range(400)]
    path = tmp_path / "unlabelled.csv"
    path.write_text("\n".join(["time,acc_x,acc_y,acc_z", *rows]) + "\n")
    phone = load_model(find_model("phone_acc"))
    with pytest.raises(ConfigError, match=r"unlabelled\.csv has no window inside one labelled activity"):
        calibrate_elsewhere(phone, [Elsewhere(str(path), phone)])


def test_accuracy_elsewhere_is_the_mean_over_datasets_and_needs_a_test_on_each() -> None:
    def tested(accuracy: float, protocol: str = "datasets") -> Elsewhere:
        card = {"test": {"protocol": protocol, "accuracy": {"1.00x-80": accuracy, "0.50x-40": accuracy / 2}}}
        return Elsewhere("sisfall", replace(random_model(), card=card))

    full, half = Subnet(1.0, 80), Subnet(0.5, 40)
    assert accuracy_elsewhere([tested(0.8), tested(0.6)]) == pytest.approx({full: 0.7, half: 0.35})
    assert accuracy_elsewhere([tested(0.8), tested(0.6, "holdout")]) == {}
    assert accuracy_elsewhere([tested(0.8), Elsewhere("umafall")]) == {}
