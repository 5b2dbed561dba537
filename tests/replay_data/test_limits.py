"""Small files that claim gigabytes are refused in a line, before they take memory."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.replay_data import parquet_limits
from kinestream.replay_data.datasets import archive_limits
from kinestream.replay_data.datasets.archive import find_tree
from kinestream.replay_data.tables.table_file import TableFile


def refusal(path: Path, columns: list[str]) -> str:
    with pytest.raises(DataDamaged) as refused:
        TableFile(path).read(columns)
    text = str(refused.value)
    assert "\n" not in text
    assert "expected at most" in text
    return text


def test_a_dictionary_of_one_long_text_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, np.int32)), pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"label": texts.cast(pa.dictionary(pa.int32(), pa.string()))}), path, store_schema=False)
    assert path.stat().st_size < 100_000
    assert "100 GB in memory" in refusal(path, ["label"])


def test_a_column_of_equal_numbers_is_not_unfolded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.parquet"
    monkeypatch.setattr(parquet_limits, "MAX_TABLE_BYTES", 10_000_000)
    pq.write_table(pa.table({"t": np.zeros(2_000_000)}), path)
    assert path.stat().st_size < 20_000
    assert "0.016 GB in memory" in refusal(path, ["t"])


def test_a_parquet_file_of_many_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"c{number}": [0.0] for number in range(5000)}), path)
    assert "5000 columns" in refusal(path, ["c0"])


def test_an_ordinary_parquet_file_with_repeated_texts_is_read(tmp_path: Path) -> None:
    path = tmp_path / "walk.parquet"
    pq.write_table(pa.table({"t": np.arange(1000) / 50, "label": ["walking"] * 1000}), path)
    file = TableFile(path)
    file.read(["t", "label"])
    assert set(file.texts("label").tolist()) == {"walking"}
    assert file.numbers("t").values[-1] == 19.98


@pytest.mark.parametrize("line", [",".join(map(str, range(1_000_000))), "t," + "x" * 2_000_000])
def test_a_text_file_of_a_million_columns_or_an_endless_line_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(f"{line}\n{line}\n")
    assert "columns or more in its first line" in refusal(path, ["t"])


def test_a_zip_that_unpacks_to_much_more_than_it_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "har.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("marker.txt", "here")
        for number in range(3):
            archive.writestr(f"{number}.txt", bytes(50_000_000))
    with pytest.raises(DataDamaged, match=r"har.zip of .* unpacks to 100 MB or more; expected at most 40 GB and 200"):
        find_tree("har", "marker.txt", ("*har*",), tmp_path)


def test_a_tar_that_unpacks_to_much_more_than_it_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "har.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, size in (("marker.txt", 4), ("acc.txt", 100_000_000)):
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
    with pytest.raises(DataDamaged, match="unpacks to 100 MB or more"):
        find_tree("har", "marker.txt", ("*har*",), tmp_path)


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_limits, "MAX_MEMBERS", 10)
    monkeypatch.setattr(archive_limits, "MAX_DIRECTORY_BYTES", 2000)
    path = tmp_path / "har.zip"
    for files, message in ((20, "more than 10 files"), (60, "a table of contents of 0.00"), (5, None)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("marker.txt", "here")
            for number in range(files):
                archive.writestr(f"{number}.txt", "")
        if message is None:
            assert find_tree("har", "marker.txt", ("*har*",), tmp_path).read("marker.txt") == b"here"
        else:
            with pytest.raises(DataDamaged, match=message):
                find_tree("har", "marker.txt", ("*har*",), tmp_path)


def test_a_member_too_large_for_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_limits, "MAX_MEMBER_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "har.zip", "w") as archive:
        archive.writestr("marker.txt", bytes(2000))
    tree = find_tree("har", "marker.txt", ("*har*",), tmp_path)
    with pytest.raises(DataDamaged, match=r"marker.txt in .* has 0.002 MB; expected at most 0.001 MB"):
        tree.read("marker.txt")
