"""Models and rivals on datasets they never learnt from: who is judged, by which names, and what counts as an error."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.elsewhere import judge
from benchmarks.elsewhere.__main__ import main
from benchmarks.elsewhere.activities import common_names
from benchmarks.elsewhere.judge import Shown, conclude, figures
from benchmarks.elsewhere.load import load_stretches
from benchmarks.elsewhere.network import learnt_trust_from, of_strangers
from benchmarks.elsewhere.rivals import Answers, answers, cached, rival_recipe
from benchmarks.rivals_models.features import gravity_aligned_features
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, Subnet
from kinestream.inference import find_model, load_model
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.reliability import Profile, Reliability
from kinestream.replay_data.datasets.registry import DATASETS, open_dataset
from kinestream.train.data.windows import Windows
from kinestream.train.judge.calibrate_elsewhere import ABOUT
from kinestream.train.splits.protocols import PROTOCOLS

from ..replay_data.datasets.test_elsewhere import written

SPEC = InputSpec(ACC, 20.0, length=80, hop=40, lowpass_hz=None)
FINE = ("walking", "walking_upstairs", "walking_downstairs")


@pytest.mark.parametrize(
    ("ours", "theirs", "label", "name"),
    [
        (FINE, FINE, "walking_upstairs", "walking_upstairs"),
        (FINE, ("walking", "stairs"), "walking_upstairs", "stairs"),
        (("walking", "stairs"), FINE, "walking_downstairs", "stairs"),
        (FINE, (*FINE, "stairs"), "walking_upstairs", "stairs"),
        (FINE, FINE[:2], "walking_downstairs", "stairs"),
        (("running",), ("jogging",), "jogging", "running"),
        (("jogging",), ("jogging",), "jogging", "jogging"),
        (("falling_back", "falling_left"), ("fall",), "falling_left", "fall"),
        (("sitting",), ("typing",), "typing", "typing"),
    ],
)
def test_labels_are_compared_under_the_finest_name_both_sides_distinguish(ours, theirs, label, name) -> None:
    assert common_names(ours, theirs)[label] == name


def shown(labels, confidence=0.95, unknown=()) -> Shown:
    n = len(labels)
    hidden = np.isin(np.arange(n), unknown)
    return Shown(np.array(labels), np.full(n, confidence), hidden)


def test_a_wrong_label_is_a_confident_error_only_if_it_is_shown() -> None:
    truth = np.zeros(10, np.int64)
    scores = figures(
        shown([0] * 6 + [1] * 4, unknown=[9]), ("walking", "stairs"), truth, ("walking", "stairs"), ["a"] * 10
    )
    assert scores["accuracy"] == 0.6
    assert scores["confident_errors"] == 0.3
    assert scores["shown"] == 0.9
    assert scores["calibration_error"] == pytest.approx(0.35)


def test_activities_never_taught_count_apart_and_other_is_no_activity() -> None:
    labels, truths = ("walking", "stairs", "other"), ("walking", "fall", "jumping")
    scores = figures(shown([0, 0, 2, 1], unknown=[1]), labels, np.array([0, 1, 2, 2]), truths, ["a"] * 4)
    assert (scores["windows"], scores["never_taught"]) == (1, 3)
    assert scores["never_taught_shown"] == pytest.approx(1 / 3)  # stairs; the others are unknown and other
    assert scores["accuracy"] == 1.0
    taught = figures(shown([2]), labels, np.array([0]), ("other",), ["a"])
    assert (taught["windows"], taught["accuracy"], taught["never_taught"]) == (1, 1.0, 0)


def test_the_worst_person_has_enough_windows_to_be_judged(monkeypatch) -> None:
    monkeypatch.setattr(judge, "FEWEST_WINDOWS", 3)
    people = ["a"] * 4 + ["b"] * 4 + ["c"] * 2
    scores = figures(
        shown([0, 0, 0, 0, 1, 1, 0, 0, 1, 1]), ("walking", "stairs"), np.zeros(10, np.int64), FINE[:1], people
    )
    assert scores["worst_person"] == 0.5
    assert scores["people"] == 3


def test_macro_f1_is_over_the_activities_that_the_dataset_shows() -> None:
    labels = ("walking", "stairs", "sitting")
    scores = figures(shown([0, 0, 2, 1]), labels, np.array([0, 0, 0, 1]), ("walking", "stairs"), ["a"] * 4)
    assert scores["macro_f1"] == pytest.approx((0.8 + 1.0) / 2)


def test_a_network_of_one_activity_is_not_called_right() -> None:
    scores = figures(shown([0, 1]), ("falling_back", "falling_left"), np.array([0, 0]), ("fall",), ["a"] * 2)
    assert "accuracy" not in scores


def test_smoothing_runs_within_a_recording_and_the_threshold_hides_labels() -> None:
    probs = np.array([[0.95, 0.05]] * 3 + [[0.3, 0.7]] + [[0.3, 0.7]], np.float32)
    windows = Windows(
        np.zeros((5, 4, 1), np.float32),
        np.zeros(5, np.int64),
        recordings=np.array([0, 0, 0, 0, 1]),
        t_start_s=np.array([0.0, 2, 4, 6, 0]),
    )
    of = (probs, windows, ("walking", "stairs"), Calibration(), Subnet(1.0, 80), SPEC)
    plain, smoothed = conclude(*of, smooth=False), conclude(*of, smooth=True)
    assert plain.label.tolist() == [0, 0, 0, 1, 1]
    assert plain.is_unknown.tolist() == [False, False, False, True, True]
    assert smoothed.label.tolist() == [0, 0, 0, 0, 1]  # the last begins another recording
    np.testing.assert_allclose(plain.confidence, probs.max(1), rtol=1e-6)
    assert smoothed.confidence[2] > plain.confidence[2]


def test_windows_know_the_trial_they_were_cut_from(tmp_path: Path) -> None:
    windows = load_stretches(open_dataset("umafall", walks(tmp_path, "umafall")), SPEC)
    assert windows.recordings.tolist() == sorted([0, 1, 2, 3] * 14)
    by_trial = [set(windows.t_start_s[windows.recordings == trial] // 100) for trial in range(4)]
    assert by_trial == [{0}, {1}, {0}, {1}]
    assert [set(np.array(windows.subjects)[windows.recordings == trial]) for trial in (1, 2)] == [{"1"}, {"2"}]


def test_a_reliability_decides_the_confidence_but_not_the_label() -> None:
    motion = Profile(((0.0,) * 4,) * 2, (tuple(map(tuple, np.eye(4).tolist())),) * 2)
    position = Profile(((0.0,) * 3,) * 2, (tuple(map(tuple, np.eye(3).tolist())),) * 2)
    never = Reliability(motion, position, {1.0: (-9.0, *(0.0,) * 8)})
    windows = Windows(
        np.random.default_rng(0).normal(size=(2, 80, 3)).astype(np.float32),
        np.zeros(2, np.int64),
        recordings=np.zeros(2, np.int64),
        t_start_s=np.array([0.0, 2.0]),
    )
    probs = np.array([[0.1, 0.9], [0.9, 0.1]], np.float32)
    calibration = Calibration(reliability=never)
    concluded = conclude(probs, windows, ("walking", "stairs"), calibration, Subnet(1.0, 80), SPEC, smooth=False)
    assert concluded.label.tolist() == [1, 0]
    assert concluded.confidence.max() < 0.01
    assert concluded.is_unknown.all()


def test_the_data_a_reliability_was_learnt_from_is_read_from_the_calibration() -> None:
    about = f"temperatures of hapt; {ABOUT} 12 of its own validation people, 7 of wisdm-windows, 3 of sisfall; with x"
    sources = learnt_trust_from(Calibration(about=about))
    assert sources == ["its own validation people", "wisdm-windows", "sisfall"]


def test_people_a_model_learnt_from_are_left_out_in_every_dataset_that_shows_them() -> None:
    model = load_model(find_model("uci_cnn"))
    learnt = model.card["subjects"]["train"][0]
    stranger = model.card["subjects"]["test"][0]
    windows = Windows(np.zeros((2, 4, 1), np.float32), np.zeros(2, np.int64), subjects=(learnt, stranger))
    for name in ("hapt", "uci-har"):
        assert of_strangers(windows, DATASETS[name], model).subjects == (stranger,)
    assert len(of_strangers(windows, DATASETS["wisdm2019"], model)) == 2


@pytest.mark.parametrize("name", ["hapt", "sisfall", "mobifall"])
def test_a_rival_learns_from_no_person_of_the_dataset_it_is_judged_on(name: str) -> None:
    recipe = rival_recipe(name)
    assert recipe is not None
    subjects = [f"{dataset}/{i}" for dataset in recipe.data.datasets for i in range(10)]
    split = PROTOCOLS["datasets"].fold(subjects, recipe.data)
    assert {subject.partition("/")[0] for subject in split.test} == {name}
    learnt = {subject.partition("/")[0] for subject in (*split.train, *split.validation)}
    assert learnt == {"hapt", "wisdm2019-phone", "sisfall", "umafall", "wisdm-windows"} - {name}


def test_datasets_of_the_same_people_as_the_rivals_have_no_rival() -> None:
    assert [name for name in DATASETS if rival_recipe(name) is None] == ["uci-har", "wisdm", "wisdm2019"]


def test_a_rival_is_judged_by_what_it_was_taught_and_asked_once(tmp_path: Path) -> None:
    recipe = rival_recipe("hapt")
    assert recipe is not None
    train = Windows(np.zeros((5, 80, 3), np.float32), np.arange(5))  # no lying, the last label
    x = np.zeros((2, 80, 3), np.float32)
    asked = []

    def ask() -> Answers:
        asked.append(1)
        return answers(lambda recipe, train, x: np.full((len(x), 6), 1 / 6, np.float32), recipe, train, x)

    first, again = (cached(tmp_path / "deep" / "a.npz", recipe, x, ask) for _ in range(2))
    assert first.labels == again.labels == recipe.data.labels[:5]
    np.testing.assert_allclose(again.probs, np.full((2, 5), 0.2), rtol=1e-5)
    assert len(asked) == 1
    cached(tmp_path / "deep" / "a.npz", recipe, x + 1, ask)
    cached(tmp_path / "deep" / "a.npz", replace(recipe, seed=1), x + 1, ask)
    assert len(asked) == 3


def test_gravity_aligned_features_depend_on_the_turn_only_through_the_direction_of_gravity() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(4, 80, 3)) + np.array([0, 0, 9.8])).astype(np.float32)
    turned = x[:, :, [2, 0, 1]]
    plain, other = gravity_aligned_features(x, 20.0), gravity_aligned_features(turned, 20.0)
    np.testing.assert_allclose(plain[:, :-3], other[:, :-3], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(plain[:, -3:][:, [2, 0, 1]], other[:, -3:], atol=1e-6)


def walks(folder: Path, name: str) -> Path:
    """The folder with a dataset of two people who walk and hop for 30 s each, at its own rate."""
    rate = {"mobifall": 85.0, "umafall": 50.0}[name]
    rows, rng = [], np.random.default_rng(0)
    for person in ("1", "2"):
        for trial, (label, activity) in enumerate([("walking", "Walking"), ("other", "Hopping")]):
            for i in range(int(30 * rate)):
                acc = rng.normal(0, 3.0, 3) + np.array([0, 9.8, 0])
                rows.append((person, f"{activity}_1", 100.0 * trial + i / rate, *map(float, acc), label))
    return written(folder, rows, name=name)


def run_main(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["elsewhere", *map(str, arguments)])
    main()


def test_the_command_judges_what_is_here_resumes_and_keeps_mobifall_for_a_last_look(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    walks(tmp_path, "umafall")
    walks(tmp_path, "mobifall")
    path = tmp_path / "figures.json"
    arguments = ["--data", tmp_path, "--json", path, "--no-rivals", "--models", "phone_acc", "uci_cnn"]
    run_main(monkeypatch, *arguments)
    first = capsys.readouterr()
    assert "phone_acc on umafall, smoothed" in first.out
    assert "mobifall" not in first.out
    assert "uci_cnn cannot read umafall: the model needs gyro_x" in first.err
    assert "hapt is left out: no hapt in" in first.err
    rows = json.loads(path.read_text())["rows"]
    assert [(row["name"], row["subnet"]) for row in rows] == [
        ("phone_acc on umafall", "1.00x-80"),
        ("phone_acc on umafall, smoothed", "1.00x-80"),
        ("phone_acc on umafall", "0.10x-60"),
        ("phone_acc on umafall, smoothed", "0.10x-60"),
    ]
    assert rows[0]["windows"] == [2 * 14]
    assert rows[0]["never_taught"] == [2 * 14]
    assert not rows[0]["home"]

    monkeypatch.setattr("benchmarks.elsewhere.__main__.Engine", None)  # complete rows need no engine
    run_main(monkeypatch, *arguments)
    assert capsys.readouterr().out == first.out
    monkeypatch.undo()
    run_main(monkeypatch, *arguments, "--final")
    assert "phone_acc on mobifall" in capsys.readouterr().out


def test_rows_of_a_changed_model_are_computed_again(tmp_path: Path, monkeypatch) -> None:
    walks(tmp_path, "umafall")
    path = tmp_path / "figures.json"
    arguments = ["--data", tmp_path, "--json", path, "--no-rivals", "--models", "phone_acc", "--datasets", "umafall"]
    run_main(monkeypatch, *arguments)
    fresh = json.loads(path.read_text())
    stale = json.loads(path.read_text())
    for row in stale["rows"]:
        row |= {"fingerprint": "of another", "accuracy": [0.123]}
    path.write_text(json.dumps(stale))
    run_main(monkeypatch, *arguments)
    assert json.loads(path.read_text()) == fresh

    for row in stale["rows"]:
        row["fingerprint"] = fresh["rows"][0]["fingerprint"]  # the model is the same, but not the data
    path.write_text(json.dumps(stale))
    answered = tmp_path / "work" / "static_CNN_umafall.npz"
    answered.parent.mkdir()
    answered.touch()
    run_main(monkeypatch, *arguments)
    assert json.loads(path.read_text()) == stale
    run_main(monkeypatch, *arguments, "--again", "--work", answered.parent)
    assert json.loads(path.read_text()) == fresh
    assert not answered.exists()


def test_the_recipe_of_the_rivals_reads_what_their_features_read() -> None:
    recipe = rival_recipe("umafall")
    assert recipe is not None
    assert recipe.input.channels == ACC
    assert recipe.training.draw == "datasets"
