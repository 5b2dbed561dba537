"""A recipe made for what somebody recorded."""

import pytest

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.train.data.own_recordings import open_sessions
from kinestream.train.data.recipe_from_recordings import own_recipe
from kinestream.train.recipe.recipe_toml import parse_recipe, to_toml, tomllib
from kinestream.train.train_model import load_part

from ..made_up import LABELS
from ..own_files import write_csv


def made_of(folder, **how):
    return own_recipe("mine", open_sessions([folder])[0], **how)


def test_one_recording_gives_a_network_for_its_labels_channels_and_rate(tmp_path):
    write_csv(tmp_path / "a.csv")
    made = made_of(tmp_path)
    recipe = made.recipe
    assert recipe.data.labels == tuple(sorted(LABELS[:3]))
    assert (recipe.input.fs_hz, recipe.input.length, recipe.input.window_s) == (50.0, 128, 2.56)
    assert recipe.input.channels[:4] == ("body_acc_x", "body_acc_y", "body_acc_z", "gyro_x")
    assert recipe.network.architecture.channels == (32, 64, 128)
    assert recipe.data.protocol == "blocks"
    assert any("validated on the SAME in other minutes" in line for line in made.notices)
    assert parse_recipe(tomllib.loads(to_toml(recipe))) == recipe


@pytest.mark.parametrize("network", ["uci", "resnet_uci", "wisdm", "unimib", "kinet_uci"])
@pytest.mark.parametrize(("every", "fs_hz"), [(1, 50.0), (2, 25.0), (5, 10.0)])
def test_every_network_fits_an_accelerometer_at_any_rate(tmp_path, network, every, fs_hz):
    write_csv(tmp_path / "a.csv", gyro=False, every=every, seconds=80)
    recipe = made_of(tmp_path, network=network).recipe
    assert recipe.input.fs_hz == fs_hz
    assert recipe.network.architecture.columns == 6
    assert recipe.network.resolutions[-1] == recipe.input.length >= 48


def test_three_people_or_more_set_some_aside_to_validate(tmp_path):
    for name in ("anna", "ben", "cleo", "dora"):
        write_csv(tmp_path / f"{name}.csv", subject=name)
    made = made_of(tmp_path)
    data = made.recipe.data
    assert data.protocol == "named"
    assert len(data.validate_on) == 1
    dataset = open_sessions([tmp_path])[0]
    train, validation = (load_part(dataset, made.recipe, part) for part in ("train", "validation"))
    assert set(validation.subjects) == set(data.validate_on)
    assert not set(train.subjects) & set(validation.subjects)
    with pytest.raises(ConfigError, match="protocol named has no test people"):
        load_part(dataset, made.recipe, "test")


def test_one_file_an_activity_is_not_parted_by_files(tmp_path):
    for name in LABELS[:4]:
        write_csv(tmp_path / f"{name}.csv", labels=(name,))
    made = made_of(tmp_path)
    assert made.recipe.data.protocol == "blocks"
    assert any("without losing a class" in line for line in made.notices)
    train = load_part(open_sessions([tmp_path])[0], made.recipe, "train")
    assert set(train.labels.tolist()) == {0, 1, 2, 3}


def test_a_class_with_too_little_is_left_out_with_what_it_needs(tmp_path):
    write_csv(tmp_path / "a.csv", labels=LABELS[:2])
    write_csv(tmp_path / "b.csv", labels=(LABELS[3],), seconds=5)
    made = made_of(tmp_path)
    assert made.recipe.data.labels == tuple(sorted(LABELS[:2]))
    assert any(line.startswith(f"'{LABELS[3]}' is left out") and "record 14 s" in line for line in made.notices)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"label": None}, r"no labels in .*--columns 'label=NAME'"),
        ({"labels": LABELS[:1]}, r"two activities or more .* only 'walking' has enough"),
        ({"seconds": 3.0}, r"no activity has enough; 'sitting' is left out|no activity has enough; 'walking"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_one_line(tmp_path, how, message):
    write_csv(tmp_path / "a.csv", **how)
    with pytest.raises(DataDamaged, match=message):
        made_of(tmp_path)


def test_rows_that_are_no_numbers_are_counted(tmp_path):
    write_csv(tmp_path / "a.csv", nan_rows=7)
    assert "skipped or repaired while reading: 7 not_finite" in made_of(tmp_path).notices


def test_a_fast_sensor_is_read_at_a_whole_fraction_of_its_rate(tmp_path):
    path = write_csv(tmp_path / "a.csv", seconds=60)
    text = path.read_text().splitlines()
    rows = [line.split(",", 1)[1] for line in text[1:]]
    path.write_text("\n".join([text[0], *(f"{i / 104:.5f},{row}" for i, row in enumerate(rows))]))
    assert made_of(tmp_path).recipe.input.fs_hz == 52.0


def test_an_overlay_has_the_last_word_and_its_keys_are_checked(tmp_path):
    write_csv(tmp_path / "a.csv")
    mine = tmp_path / "mine.toml"
    mine.write_text("[training]\nepochs = 3\n")
    assert made_of(tmp_path, overlays=[mine]).recipe.training.epochs == 3
    mine.write_text("[training]\nepoch = 3\n")
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        made_of(tmp_path, overlays=[mine])


def test_a_wrong_name_or_network_is_refused(tmp_path):
    write_csv(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="cannot be a file's name"):
        own_recipe("a/b", open_sessions([tmp_path])[0])
    with pytest.raises(ConfigError, match=r"no network 'kinet' \(did you mean 'kinet_uci'"):
        made_of(tmp_path, network="kinet")
