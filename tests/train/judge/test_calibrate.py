"""Calibration compared with manual counts and with the live pipeline."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC, UNLABELLED
from kinestream.inference import Engine, find_model, load_model, operating_table
from kinestream.interpret.calibration import tempered
from kinestream.policy import make_policy
from kinestream.replay_data import Dataset, Entry, Recording
from kinestream.run.pipeline import Pipeline
from kinestream.train.data.windows import chunks_of, open_data
from kinestream.train.judge.calibrate import calibrate, change_rates
from kinestream.train.judge.model_card import recipe_of

from ...random_models import random_model

MODEL = random_model(widths=(0.25, 1.0))
NAMES = (*MODEL.labels, "falling")


def recording(person: str, stretches: list[tuple[int, float]]) -> Recording:
    """Noise, labelled with each (code, seconds) in turn."""
    codes = np.concatenate([np.full(round(50 * seconds), code, np.int16) for code, seconds in stretches])
    x = np.random.default_rng(int(person)).normal(0, 3, (len(codes), 3)).astype(np.float32)
    return Recording("made", f"r{person}", person, 50.0, ACC, np.arange(len(codes)) / 50, x, codes, NAMES)


def dataset(*people: list[tuple[int, float]]) -> Dataset:
    entries = [Entry(f"r{i}", str(i), partial(recording, str(i), stretches)) for i, stretches in enumerate(people)]
    return Dataset("made", NAMES, entries)


def test_rates_are_changes_per_second_plus_one_change_per_minute() -> None:
    rates = change_rates(dataset([(0, 30), (1, 20), (0, 30), (UNLABELLED, 5), (2, 10)]), MODEL.labels)
    leaving = rates.sum(1)
    np.testing.assert_allclose(leaving, [(2 + 1) / (60 + 60), (1 + 1) / (20 + 60), 1 / (10 + 60), 1 / 60])
    np.testing.assert_allclose(rates[0], leaving[0] * np.array([0, 1, 1, 1]) / 3)


def test_the_order_of_activities_is_learnt_only_on_request() -> None:
    script = dataset([(0, 10), (1, 10)] * 20)
    uniform, ordered = (change_rates(script, MODEL.labels, order=order)[0] for order in (False, True))
    assert uniform[1] == pytest.approx(uniform[2])
    assert ordered[1] > 50 * ordered[2] > 0
    assert ordered.sum() == pytest.approx(uniform.sum())


def test_unknown_activities_between_two_known_ones_are_skipped() -> None:
    rates = change_rates(dataset([(0, 10), (4, 3), (1, 10)]), MODEL.labels, order=True)
    assert rates[0].argmax() == 1


def test_a_recording_of_a_single_activity_does_not_change_the_rates() -> None:
    np.testing.assert_allclose(change_rates(dataset([(0, 5000)]), MODEL.labels).sum(1), 1 / 60)


def test_the_temperature_maximises_the_likelihood_of_the_live_labels() -> None:
    """For a model that is mostly right: all stretches of motion but one are labelled with its own prediction."""
    model = random_model(widths=(1.0,), seed=2)
    engine = Engine(model)
    rng = np.random.default_rng(1)
    motions = [rng.normal(0, 12, 3) + rng.normal(0, 6, (1500, 3)) for _ in range(8)]
    codes = [int(engine.predict(x[:40].astype("f4"), model.full).probs.argmax()) for x in motions]
    codes[-1] = (codes[-1] + 1) % 4
    x, labels = np.concatenate(motions).astype("f4"), np.repeat(np.array(codes, np.int16), 1500)
    labelled = Recording("made", "r", "me", 50.0, ACC, np.arange(len(x)) / 50, x, labels, NAMES)
    calibration = calibrate(model, Dataset("made", NAMES, [Entry("r", "me", lambda: labelled)]), ("me",), ("me",))
    probs, codes = [], []
    for subnet in model.subnets:
        table = operating_table(engine, [subnet])
        pipeline = Pipeline(engine, make_policy(f"fixed:{subnet}", table), table)
        predictions = [p for chunk in chunks_of(labelled) for p in pipeline.push(chunk)] + pipeline.flush()
        for prediction in predictions:
            if prediction.truth_share > 0.5:
                probs.append(prediction.probs)
                codes.append(prediction.labels.index(prediction.truth or ""))
    p, y = np.array(probs), np.array(codes)
    temperature = calibration.temperature[1.0]
    losses = [-np.log(tempered(p, temperature * by)[np.arange(len(y)), y]).mean() for by in (0.97, 1.0, 1.03)]
    assert losses[1] == min(losses)
    assert 0.05 < temperature < 10
    assert calibration.is_learnt
    assert 0 < calibration.evidence <= model.input.length / model.input.hop


def test_too_few_windows_are_refused() -> None:
    with pytest.raises(DataDamaged, match="at least 50"):
        calibrate(MODEL, dataset([(0, 10), (1, 5)]), ("0",), ("0",))


def test_without_training_people_the_rates_stay_at_their_default(data_dir):
    model = load_model(find_model("uci_kinet"))
    calibration = calibrate(model, open_data(recipe_of(model).data, data_dir), (), ("1",))
    assert calibration.rates_per_s == ()
    assert calibration.about.startswith("rates of change not learnt; temperatures")
