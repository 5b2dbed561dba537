"""A user's own files and folders as one dataset."""

import pytest

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from kinestream.train.data.own_recordings import common_channels, open_own_recordings

from ..own_files import write_csv


def test_a_file_without_subjects_counts_as_one_person_named_after_it(tmp_path):
    write_csv(tmp_path / "monday" / "walk.csv", seconds=2)
    write_csv(tmp_path / "tuesday" / "walk.csv", seconds=2)
    dataset, people = open_own_recordings([tmp_path / "monday", tmp_path / "tuesday"])
    assert dataset.subjects == ("monday/walk", "tuesday/walk")
    assert people == ()
    assert [recording.subject for recording in dataset] == ["monday/walk", "tuesday/walk"]


def test_the_same_name_in_two_files_is_the_same_person(tmp_path):
    write_csv(tmp_path / "a.csv", seconds=2, subject="anna")
    write_csv(tmp_path / "b.csv", seconds=2, subject="anna")
    write_csv(tmp_path / "c.csv", seconds=2, subject="ben")
    dataset, people = open_own_recordings([tmp_path])
    assert people == dataset.subjects == ("anna", "ben")
    assert len(dataset) == 3


def test_the_dataset_has_the_labels_of_all_files(tmp_path):
    write_csv(tmp_path / "a.csv", seconds=2, labels=("walking",))
    write_csv(tmp_path / "b.csv", seconds=2, labels=("sitting",))
    assert set(open_own_recordings([tmp_path])[0].label_names) == {"walking", "sitting"}


def test_missing_recordings_are_named(tmp_path):
    with pytest.raises(DataMissing, match=r"no file or folder .*none; name CSV or Parquet"):
        open_own_recordings([tmp_path / "none"])
    with pytest.raises(DataMissing, match="no recording in "):
        open_own_recordings([tmp_path])
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"notes\.txt is not a recording"):
        open_own_recordings([tmp_path / "notes.txt"])


def test_a_file_named_twice_is_refused(tmp_path):
    path = write_csv(tmp_path / "walk.csv", seconds=2)
    with pytest.raises(ConfigError, match="two recordings are called walk"):
        open_own_recordings([path, path])


def test_only_the_common_channels_are_used_with_a_notice(tmp_path):
    write_csv(tmp_path / "a.csv", seconds=2)
    write_csv(tmp_path / "b.csv", seconds=2, gyro=False)
    dataset, _ = open_own_recordings([tmp_path])
    channels, notices = common_channels(list(dataset))
    assert channels == ("acc_x", "acc_y", "acc_z")
    assert notices == (
        f"channels differ: only acc is used, because {tmp_path.name}/b has no more; "
        "leave such recordings out to use acc + gyro",
    )


def test_recordings_without_a_common_sensor_are_refused(tmp_path):
    (tmp_path / "turns.csv").write_text(
        "t,gx,gy,gz,label\n" + "".join(f"{i / 50:.2f},0.{i % 9},0.1,0.2,walking\n" for i in range(200))
    )
    write_csv(tmp_path / "a.csv", seconds=2, gyro=False)
    with pytest.raises(DataDamaged, match=r"a has acc, .*turns has gyro; all recordings must share a sensor"):
        common_channels(list(open_own_recordings([tmp_path])[0]))
