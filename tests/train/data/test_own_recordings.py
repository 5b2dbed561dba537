"""Own files and folders as one dataset."""

import pytest

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from kinestream.train.data.own_recordings import common_channels, open_sessions

from ..own_files import write_csv


def test_a_file_that_names_nobody_is_one_person_called_like_the_file(tmp_path):
    write_csv(tmp_path / "monday" / "walk.csv", seconds=2)
    write_csv(tmp_path / "tuesday" / "walk.csv", seconds=2)
    dataset, named = open_sessions([tmp_path / "monday", tmp_path / "tuesday"])
    assert dataset.subjects == ("monday/walk", "tuesday/walk")
    assert named == ()
    assert [one.subject for one in dataset] == ["monday/walk", "tuesday/walk"]


def test_a_person_named_in_two_files_is_one(tmp_path):
    write_csv(tmp_path / "a.csv", seconds=2, subject="anna")
    write_csv(tmp_path / "b.csv", seconds=2, subject="anna")
    write_csv(tmp_path / "c.csv", seconds=2, subject="ben")
    dataset, named = open_sessions([tmp_path])
    assert named == dataset.subjects == ("anna", "ben")
    assert len(dataset) == 3


def test_labels_of_all_files_are_known(tmp_path):
    write_csv(tmp_path / "a.csv", seconds=2, labels=("walking",))
    write_csv(tmp_path / "b.csv", seconds=2, labels=("sitting",))
    assert set(open_sessions([tmp_path])[0].label_names) == {"walking", "sitting"}


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataMissing, match=r"no file or folder .*none; name CSV or Parquet"):
        open_sessions([tmp_path / "none"])
    with pytest.raises(DataMissing, match="no recording in "):
        open_sessions([tmp_path])
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"notes\.txt is no recording"):
        open_sessions([tmp_path / "notes.txt"])


def test_a_file_named_twice_is_refused(tmp_path):
    path = write_csv(tmp_path / "walk.csv", seconds=2)
    with pytest.raises(ConfigError, match="two sessions are called walk"):
        open_sessions([path, path])


def test_only_what_all_recordings_have_is_used_and_that_is_said(tmp_path):
    write_csv(tmp_path / "a.csv", seconds=2)
    write_csv(tmp_path / "b.csv", seconds=2, gyro=False)
    dataset, _ = open_sessions([tmp_path])
    channels, notices = common_channels(list(dataset))
    assert channels == ("acc_x", "acc_y", "acc_z")
    assert notices == (
        f"channels differ: only acc is used, which is all that {tmp_path.name}/b has; "
        "without such recordings acc + gyro could be",
    )


def test_recordings_without_a_common_sensor_are_refused(tmp_path):
    (tmp_path / "turns.csv").write_text(
        "t,gx,gy,gz,label\n" + "".join(f"{i / 50:.2f},0.{i % 9},0.1,0.2,walking\n" for i in range(200))
    )
    write_csv(tmp_path / "a.csv", seconds=2, gyro=False)
    with pytest.raises(DataDamaged, match=r"a has acc, .*turns has gyro; all recordings must share a sensor"):
        common_channels(list(open_sessions([tmp_path])[0]))
