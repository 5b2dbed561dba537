"""A recipe chosen for a user's own recordings."""

import pytest

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.train.data.own_recordings import open_own_recordings
from kinestream.train.data.recipe_from_recordings import recipe_from_recordings
from kinestream.train.recipe.recipe_toml import parse_recipe, to_toml, tomllib
from kinestream.train.train_model import load_part

from ..made_up import LABELS
from ..own_files import write_csv


def recipe_for(folder, **options):
    return recipe_from_recordings("mine", open_own_recordings([folder])[0], **options)


def test_one_recording_gives_a_network_for_its_labels_channels_and_rate(tmp_path):
    write_csv(tmp_path / "a.csv")
    own = recipe_for(tmp_path)
    recipe = own.recipe
    assert recipe.data.labels == tuple(sorted(LABELS[:3]))
    assert (recipe.input.fs_hz, recipe.input.length, recipe.input.window_s) == (50.0, 128, 2.56)
    assert recipe.input.channels[:4] == ("body_acc_x", "body_acc_y", "body_acc_z", "gyro_x")
    assert recipe.network.architecture.channels == (32, 64, 128)
    assert recipe.data.protocol == "blocks"
    assert any("validated on the SAME in other minutes" in notice for notice in own.notices)
    assert parse_recipe(tomllib.loads(to_toml(recipe))) == recipe


@pytest.mark.parametrize("network", ["uci", "resnet_uci", "wisdm", "unimib", "kinet_uci"])
@pytest.mark.parametrize(("every", "fs_hz"), [(1, 50.0), (2, 25.0), (5, 10.0)])
def test_every_network_fits_an_accelerometer_at_any_rate(tmp_path, network, every, fs_hz):
    write_csv(tmp_path / "a.csv", gyro=False, every=every, seconds=80)
    recipe = recipe_for(tmp_path, network=network).recipe
    assert recipe.input.fs_hz == fs_hz
    assert recipe.network.architecture.columns == 6
    assert recipe.network.resolutions[-1] == recipe.input.length >= 48


def test_with_three_people_or_more_some_are_held_out_to_validate(tmp_path):
    for name in ("anna", "ben", "cleo", "dora"):
        write_csv(tmp_path / f"{name}.csv", subject=name)
    own = recipe_for(tmp_path)
    data = own.recipe.data
    assert data.protocol == "named"
    assert len(data.validate_on) == 1
    dataset = open_own_recordings([tmp_path])[0]
    train, validation = (load_part(dataset, own.recipe, part) for part in ("train", "validation"))
    assert set(validation.subjects) == set(data.validate_on)
    assert not set(train.subjects) & set(validation.subjects)
    with pytest.raises(ConfigError, match="protocol named has no test people"):
        load_part(dataset, own.recipe, "test")


def test_with_one_file_per_activity_no_file_is_held_out(tmp_path):
    for name in LABELS[:4]:
        write_csv(tmp_path / f"{name}.csv", labels=(name,))
    own = recipe_for(tmp_path)
    assert own.recipe.data.protocol == "blocks"
    assert any("without losing a class" in notice for notice in own.notices)
    train = load_part(open_own_recordings([tmp_path])[0], own.recipe, "train")
    assert set(train.labels.tolist()) == {0, 1, 2, 3}


def test_a_class_with_too_few_windows_is_left_out_with_advice(tmp_path):
    write_csv(tmp_path / "a.csv", labels=LABELS[:2])
    write_csv(tmp_path / "b.csv", labels=(LABELS[3],), seconds=5)
    own = recipe_for(tmp_path)
    assert own.recipe.data.labels == tuple(sorted(LABELS[:2]))
    assert any(notice.startswith(f"'{LABELS[3]}' is left out") and "record 14 s" in notice for notice in own.notices)


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ({"label": None}, r"no labels in .*--columns 'label=NAME'"),
        ({"labels": LABELS[:1]}, r"at least two activities .* only 'walking' has enough"),
        ({"seconds": 3.0}, r"no activity has enough; 'sitting' is left out|no activity has enough; 'walking"),
    ],
)
def test_recordings_with_too_few_labelled_windows_are_refused(tmp_path, csv, message):
    write_csv(tmp_path / "a.csv", **csv)
    with pytest.raises(DataDamaged, match=message):
        recipe_for(tmp_path)


def test_rows_with_missing_numbers_are_counted(tmp_path):
    write_csv(tmp_path / "a.csv", nan_rows=7)
    assert "skipped or repaired while reading: 7 not_finite" in recipe_for(tmp_path).notices


def test_a_fast_sensor_is_reduced_to_a_whole_fraction_of_its_rate(tmp_path):
    path = write_csv(tmp_path / "a.csv", seconds=60)
    text = path.read_text().splitlines()
    rows = [line.split(",", 1)[1] for line in text[1:]]
    path.write_text("\n".join([text[0], *(f"{i / 104:.5f},{row}" for i, row in enumerate(rows))]))
    assert recipe_for(tmp_path).recipe.input.fs_hz == 52.0


def test_an_overlay_replaces_chosen_settings_and_its_keys_are_checked(tmp_path):
    write_csv(tmp_path / "a.csv")
    mine = tmp_path / "mine.toml"
    mine.write_text("[training]\nepochs = 3\n")
    assert recipe_for(tmp_path, overlays=[mine]).recipe.training.epochs == 3
    mine.write_text("[training]\nepoch = 3\n")
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        recipe_for(tmp_path, overlays=[mine])


def test_a_wrong_name_or_network_is_refused(tmp_path):
    write_csv(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="cannot be a file's name"):
        recipe_from_recordings("a/b", open_own_recordings([tmp_path])[0])
    with pytest.raises(ConfigError, match=r"no network 'kinet' \(did you mean 'kinet_uci'"):
        recipe_for(tmp_path, network="kinet")
