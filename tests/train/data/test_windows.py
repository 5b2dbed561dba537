"""Splits of people, joined datasets, and training windows identical to the live ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError, DataDamaged, InputMismatch
from kinestream.core.signals import ACC, SampleChunk
from kinestream.replay_data import Dataset, Entry, Recording, open_dataset
from kinestream.train import load_recipe
from kinestream.train.data.windows import load_windows, open_data
from kinestream.train.splits.protocols import protocol_of
from kinestream.train.splits.split import split_subjects
from kinestream.windowing import Segmenter

from ..made_up import LABELS, dataset, recording, small_recipe

PEOPLE = tuple(map(str, range(1, 31)))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(1, 20), st.booleans())
def test_the_parts_of_a_split_are_disjoint_and_complete(seed, validation, named):
    test_subjects = load_recipe("uci").data.test_subjects if named else ()
    data = replace(
        load_recipe("uci").data, split_seed=seed, validation_subjects=validation, test_subjects=test_subjects
    )
    split = split_subjects(PEOPLE, data)
    assert sorted((*split.train, *split.validation, *split.test)) == sorted(PEOPLE)
    assert len(split.validation) == validation
    assert len(split.test) == 9
    assert split == split_subjects(PEOPLE, data)


def test_another_seed_draws_other_validation_people():
    data = load_recipe("uci").data
    drawn = {split_subjects(PEOPLE, replace(data, split_seed=seed)).validation for seed in range(5)}
    assert len(drawn) > 1
    assert {split_subjects(PEOPLE, replace(data, split_seed=seed)).test for seed in range(5)} == {data.test_subjects}


def test_an_unknown_test_subject_is_named():
    with pytest.raises(ConfigError, match="test subject 31 is not in hapt"):
        split_subjects(PEOPLE, replace(load_recipe("uci").data, test_subjects=("31",)))


def test_too_few_people_are_refused():
    with pytest.raises(ConfigError, match="4 people beside the test subjects; expected 4 for validation"):
        split_subjects(("1", "3", "5", "6", "2"), replace(load_recipe("uci").data, test_subjects=("2",)))


PHONE = load_recipe("phone_acc").data


def test_every_joined_dataset_has_people_in_every_part():
    subjects = [f"hapt/{i}" for i in range(1, 31)] + [f"wisdm2019-phone/{i}" for i in range(1600, 1616)]
    split = split_subjects(subjects, PHONE)
    assert sorted((*split.train, *split.validation, *split.test)) == sorted(subjects)
    for part, hapt, wisdm in ((split.test, 9, 5), (split.validation, 3, 3)):
        assert sum(subject.startswith("hapt/") for subject in part) == hapt
        assert sum(subject.startswith("wisdm2019-phone/") for subject in part) == wisdm
    assert set(PHONE.test_subjects) <= set(split.test)


def test_a_dataset_with_too_few_people_is_named():
    subjects = [*PHONE.test_subjects, *map("hapt/{}".format, (1, 3, 5, 6)), *map("wisdm2019-phone/{}".format, range(4))]
    with pytest.raises(ConfigError, match="wisdm2019-phone has 3 people beside the test subjects; expected 3"):
        split_subjects(subjects, PHONE)


def every_other(whole: Recording) -> Recording:
    """The recording at half its rate."""
    assert whole.labels is not None
    half = slice(None, None, 2)
    return replace(
        whole, t=whole.t[half], x=whole.x[half], labels=whole.labels[half], segments=(), fs_hz=whole.fs_hz / 2
    )


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Data settings that join two datasets, both with a person 0; the second has 'climbing' and samples at 25 Hz."""

    def faster() -> Recording:
        return recording("0", labels=("walking", "walking_upstairs", "stand_to_sit"))

    def slower() -> Recording:
        whole = recording("0", labels=("walking", "walking_upstairs"))
        return replace(every_other(whole), label_names=("walking", "climbing"))

    datasets = {
        "one": Dataset("one", faster().label_names, [Entry("user0", "0", faster)]),
        "two": Dataset("two", ("walking", "climbing"), [Entry("user0", "0", slower)]),
    }
    monkeypatch.setattr("kinestream.train.data.windows.open_dataset", lambda name, folder: datasets[name])
    label_map = {"one": {"walking_upstairs": "stairs"}, "two": {"climbing": "stairs"}}
    return replace(PHONE, dataset="one + two", label_map=label_map, labels=("walking", "stairs"), test_subjects=())


def test_people_of_different_datasets_never_collide(two):
    joined = open_data(two)
    assert joined.subjects == ("one/0", "two/0")
    assert [(r.name, r.subject) for r in joined] == [("one/user0", "one/0"), ("two/user0", "two/0")]
    assert joined.label_names == ("walking", "stairs", "stand_to_sit")


def test_joined_datasets_share_classes_and_the_sampling_grid(two):
    phone = load_recipe("phone_acc")
    network = replace(phone.network, classes=2, columns=3)
    spec = replace(phone.input, channels=ACC, hop=80)
    recipe = replace(phone, network=network, input=spec, data=two)
    joined = open_data(two)
    for person, left_out in (("one/0", {"stand_to_sit": 1}), ("two/0", {})):
        windows = load_windows(joined, recipe, [person])
        assert windows.x.shape == (2, 80, 3)  # six seconds per class hold one window of four seconds
        assert windows.labels.tolist() == [0, 1]
        assert windows.left_out == left_out
    # 0.7 and 1.5 Hz are well below the Nyquist frequency of either rate: both give the same motion.
    fast, slow = (load_windows(joined, recipe, [person]).x[0] for person in joined.subjects)
    assert np.abs(fast - slow).mean() < 0.3 * np.abs(fast - fast.mean(axis=0)).mean()


def test_a_label_map_with_an_unknown_activity_is_refused(two):
    with pytest.raises(ConfigError, match=r"label_map\.two names 'crawling'; the dataset has walking, climbing"):
        open_data(replace(two, label_map={"two": {"crawling": "stairs"}}))


def test_a_single_dataset_keeps_its_own_names(data_dir):
    data = load_recipe("uci").data
    assert open_data(data, data_dir).subjects == open_dataset("hapt", data_dir).subjects


def test_a_source_too_slow_for_the_model_is_refused():
    def slow() -> Recording:
        return every_other(recording("0"))

    with pytest.raises(InputMismatch, match="reads 50 Hz, the source offers 25 Hz"):
        load_windows(Dataset("made_up", LABELS, [Entry("u0", "0", slow)]), small_recipe(), ["0"])


def test_training_windows_equal_those_of_the_live_segmenter():
    recipe = small_recipe()
    windows = load_windows(dataset(1, labels=LABELS, seconds=64 * 4 / 50), recipe, ["0"])
    source = recording("0", labels=LABELS, seconds=64 * 4 / 50)
    segmenter = Segmenter(recipe.input)
    received_s = float(source.t[-1])
    chunk = SampleChunk(
        "s", "s", source.t, source.x, source.channels, 50.0, 0, received_s, source.labels, source.label_names
    )
    live = [w for w in [*segmenter.push(chunk), *segmenter.flush()] if w.truth_share == 1]
    assert len(live) == len(windows) == 6 * 3
    assert np.array_equal(np.stack([w.x for w in live]), windows.x)
    assert [LABELS[code] for code in windows.labels] == [w.truth for w in live]


def test_windows_of_other_activities_are_left_out_and_counted():
    windows = load_windows(dataset(2), small_recipe(), ["0", "1"])
    assert windows.left_out == {"stand_to_sit": 2 * 3}
    assert np.bincount(windows.labels).tolist() == [6] * 6


def test_repairs_made_while_reading_are_counted():
    def repaired() -> Recording:
        return replace(recording("0"), repairs={"missing_value": 2})

    both = Dataset("made_up", LABELS, [Entry(name, name, repaired) for name in "01"])
    assert load_windows(both, small_recipe(), ["0", "1"]).repairs == {"missing_value": 4}


def test_a_smaller_hop_gives_more_windows():
    data, recipe = dataset(2), small_recipe()
    assert len(load_windows(data, recipe, ["0"], hop=32)) > len(load_windows(data, recipe, ["0"]))


def test_a_class_without_windows_is_named():
    with pytest.raises(DataDamaged, match=r"class 'lying' has no window of 128 samples among subjects 0 of made_up"):
        load_windows(dataset(1, labels=LABELS[:5]), small_recipe(), ["0"])


def test_a_dataset_without_a_needed_channel_is_refused():
    def only_acc() -> Recording:
        whole = recording("0")
        return replace(whole, channels=whole.channels[:3], x=whole.x[:, :3])

    with pytest.raises(InputMismatch, match="gyro_x"):
        load_windows(Dataset("made_up", LABELS, [Entry("u0", "0", only_acc)]), small_recipe(), ["0"])


def test_hapt_gives_the_published_number_of_windows_of_its_official_split(data_dir):
    recipe = load_recipe("uci")
    hapt = open_dataset("hapt", data_dir)
    split = split_subjects(hapt.subjects, recipe.data)
    test = load_windows(hapt, recipe, split.test)
    assert (len(test), test.x.shape[1:]) == (2996, (128, 9))
    assert len(load_windows(hapt, recipe, (*split.train, *split.validation))) == 7415


def test_unimibs_presegmented_windows_are_unchanged():
    recipe, n = load_recipe("unimib"), 34
    labels = recipe.data.labels
    x = np.random.default_rng(0).normal(size=(n * 151, 3)).astype(np.float32)
    t = (np.arange(n * 151) % 151) / 50 + np.repeat(np.arange(n) * 4.0, 151)
    codes = np.repeat(np.arange(n) % 17, 151).astype(np.int16)
    segments = tuple((i * 151, i * 151 + 151) for i in range(n))
    source = Recording("unimib", "user01", "1", 50.0, ACC, t, x, codes, labels, segments)
    windows = load_windows(Dataset("unimib", labels, [Entry("user01", "1", lambda: source)]), recipe, ["1"])
    assert np.allclose(windows.x, x.reshape(n, 151, 3), atol=1e-5)
    assert windows.labels.tolist() == [code % 17 for code in range(n)]


def test_the_wisdm_recipe_cuts_windows_of_its_own_rate_and_length():
    recipe = load_recipe("wisdm")
    labels = recipe.data.labels
    n = 400 * len(labels)
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    codes = np.repeat(np.arange(6, dtype=np.int16), 400)
    source = Recording("wisdm", "user01", "1", 20.0, ACC, np.arange(n) / 20, x, codes, labels)
    windows = load_windows(Dataset("wisdm", labels, [Entry("user01", "1", lambda: source)]), recipe, ["1"])
    assert windows.x.shape == (6 * 5, 200, 3)  # 400 samples hold five windows of 200 every 50
    assert np.allclose(windows.x[0], x[:200], atol=1e-5)


def test_the_protocols_description_names_the_test_people_of_each_dataset():
    assert protocol_of(PHONE).define(PHONE) == (
        "test people named by the recipe, of wisdm2019-phone 30 % of all, drawn with seed 0; "
        "3 of the others of each dataset, drawn with seed 0, validate"
    )


@pytest.mark.parametrize("network", ["uci", "resnet_uci", "kinet_uci"])
def test_the_original_and_paper_overlays_train_and_test_on_the_official_windows(network, data_dir):
    recipe = load_recipe(network, "original", "paper")
    uci_har = open_data(recipe.data, data_dir)
    trained = [name for name in uci_har.subjects if name not in recipe.data.test_subjects]
    tested = load_windows(uci_har, recipe, recipe.data.test_subjects)
    assert np.bincount(tested.labels).tolist() == [496, 471, 420, 491, 532, 537]
    assert len(load_windows(uci_har, recipe, trained, hop=recipe.train_hop)) == 7352


def test_an_activity_mapped_to_no_class_is_left_out_of_its_dataset_only(data_dir):
    recipe = load_recipe("phone_acc")
    label_map = {**recipe.data.label_map, "hapt": {**recipe.data.label_map["hapt"], "sitting": ""}}
    joined = open_data(replace(recipe.data, label_map=label_map), data_dir)
    people = [next(name for name in joined.subjects if name.startswith(part)) for part in ("hapt", "wisdm")]
    windows = load_windows(joined, recipe, people, every_class=False)
    sitting = {windows.subjects[i] for i in np.flatnonzero(windows.labels == recipe.data.labels.index("sitting"))}
    assert sitting == {people[1]}
    assert windows.left_out["sitting of hapt"] > 0
