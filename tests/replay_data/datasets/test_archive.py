"""A dataset's files read the same from a folder, a zip, a nested zip and a tar."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from kinestream.core.errors import DataDamaged, DataMissing
from kinestream.replay_data.datasets.archive import find_tree

FILES = {"RawData/labels.txt": b"1 2 3\n", "RawData/other.txt": b"x" * 50_000, "README.txt": b"read me"}


def as_folder(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / "some" / "My Data Set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def as_zip(folder: Path, prefix: str = "My Data Set/") -> Path:
    with zipfile.ZipFile(folder / "my data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"__MACOSX/{prefix}RawData/labels.txt", b"shadow")
        for name, content in FILES.items():
            archive.writestr(prefix + name, content)
    return folder


def as_zip_in_zip(folder: Path) -> Path:
    inner = (as_zip(folder) / "my data.zip").rename(folder / "inner.zip")
    with zipfile.ZipFile(folder / "my outer data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "My Data Set.zip")
        archive.writestr("My Data Set.names", b"names")
    inner.unlink()
    return folder


def as_tar(folder: Path) -> Path:
    plain = as_folder(folder / "plain")
    with tarfile.open(folder / "my data.tar.gz", "w:gz") as archive:
        archive.add(plain / "some" / "My Data Set", "My_v1")
    for path in sorted(plain.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return folder


def find(folder: Path):
    return find_tree("mine", "RawData/labels.txt", ("*my*data*",), folder)


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_zip_in_zip, as_tar])
def test_every_kind_of_archive_gives_the_same_files(pack, tmp_path: Path) -> None:
    tree = find(pack(tmp_path))
    assert tree.names == tuple(sorted(FILES))
    assert {name: tree.read(name) for name in tree.names} == FILES
    with pytest.raises(DataMissing, match=r"has no 'RawData/nothing\.txt'"):
        tree.read("RawData/nothing.txt")


def test_the_path_of_the_archive_itself_is_accepted(tmp_path: Path) -> None:
    archive = as_zip(tmp_path, prefix="") / "my data.zip"
    assert find(archive.rename(tmp_path / "renamed.zip")).read("README.txt") == b"read me"


def test_a_missing_dataset_names_the_folder_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        find(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "kinestream data fetch mine" in str(caught.value)


def test_an_archive_without_the_dataset_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "my data.zip", "w") as archive:
        archive.writestr("other.txt", b"")
    with pytest.raises(DataDamaged, match=r"holds no 'RawData/labels\.txt'"):
        find(tmp_path)


@pytest.mark.parametrize(("pack", "name"), [(as_zip, "my data.zip"), (as_tar, "my data.tar.gz")])
def test_a_truncated_archive_is_reported_as_damaged(pack, name: str, tmp_path: Path) -> None:
    archive = pack(tmp_path) / name
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataDamaged, match="fetch it again"):
        find(tmp_path)


def test_a_changed_byte_inside_a_zip_is_detected(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "my data.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("RawData/labels.txt", b"1 2 3 4 5 6 7 8\n")
    path = tmp_path / "my data.zip"
    path.write_bytes(path.read_bytes().replace(b"3 4 5", b"3 9 5"))
    with pytest.raises(DataDamaged, match="not a complete archive"):
        find(tmp_path).read("RawData/labels.txt")


def test_a_folder_is_preferred_to_the_archive_beside_it(tmp_path: Path) -> None:
    as_zip(tmp_path)
    as_folder(tmp_path)
    assert find(tmp_path).source == tmp_path / "some" / "My Data Set"


def test_an_archive_with_a_matching_name_but_other_content_is_skipped(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a my data results.zip", "w") as archive:
        archive.writestr("other.txt", b"")
    as_zip(tmp_path)
    assert find(tmp_path).source == tmp_path / "my data.zip"
