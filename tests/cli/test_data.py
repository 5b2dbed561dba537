"""``kinestream data`` on the command line."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from kinestream.cli.data import add_parser
from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from tests.replay_data.datasets.http_server import Served, serve


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["data", *words])
    return args.run(args)


@pytest.fixture
def archive() -> bytes:
    """One HAPT recording as its authors pack it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("RawData/labels.txt", "1 1 1 1 256\n")
        for sensor in ("acc", "gyro"):
            packed.writestr(f"RawData/{sensor}_exp01_user01.txt", "1 0 0\n" * 300)
    return buffer.getvalue()


def test_list_shows_the_folder_terms_and_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--data", str(tmp_path)) == 0
    out = capsys.readouterr().out
    for text in ("hapt:", "not found", str(tmp_path / "hapt"), "about 80 MB", "Commercial use is prohibited", "cite: "):
        assert text in out


def test_data_without_a_subcommand_lists_the_datasets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == run("list") == 0
    first, second = (part for part in capsys.readouterr().out.split("hapt: ")[1:])
    assert first == second


def test_list_as_json_reports_found_missing_and_damaged_copies(
    tmp_path: Path, archive: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my hapt.zip").write_bytes(archive)
    (tmp_path / "wisdm-dataset.zip").write_bytes(b"cut short")
    assert run("list", "--json", "--data", str(tmp_path)) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["hapt"]["state"], rows["hapt"]["source"]) == ("found", str(tmp_path / "my hapt.zip"))
    assert rows["uci-har"]["state"] == "not found"
    assert rows["wisdm2019"]["state"].startswith("damaged: ")


def test_fetch_shows_the_terms_and_downloads_only_once(
    tmp_path: Path, archive: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = hashlib.sha256(archive).hexdigest()
    with serve(Served(archive)) as served:
        words = ("fetch", "hapt", "--data", str(tmp_path), "--url", served.url, "--sha256", sha256)
        assert run(*words) == 0
        captured = capsys.readouterr()
        assert "Commercial use is prohibited" in captured.err
        assert f"{tmp_path / 'hapt' / 'HAPT Data Set.zip'}\nSHA-256 of the download {sha256}" in captured.out
        assert run(*words) == 0
        assert "already in" in capsys.readouterr().out
    assert len(served.requested_ranges) == 1
    assert run("check", "hapt", "--data", str(tmp_path)) == 0
    assert "1 of the 61 recordings" in capsys.readouterr().out


def test_fetch_as_json_prints_one_document(tmp_path: Path, archive: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    sha256 = hashlib.sha256(archive).hexdigest()
    with serve(Served(archive)) as served:
        assert run("fetch", "hapt", "--json", "--data", str(tmp_path), "--url", served.url, "--sha256", sha256) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["downloaded"], facts["sha256"], facts["trust"]) == (True, sha256, "published")


def test_a_download_with_another_checksum_is_refused(tmp_path: Path, archive: bytes) -> None:
    with serve(Served(archive)) as served, pytest.raises(DataDamaged, match="expected 4ac4ae06"):
        run("fetch", "hapt", "--data", str(tmp_path), "--url", served.url)


def test_a_web_page_instead_of_the_archive_is_reported_as_damaged(tmp_path: Path) -> None:
    with (
        serve(Served(b"<html>log in first</html>")) as served,
        pytest.raises(DataDamaged, match="not a complete archive"),
    ):
        run("fetch", "unimib", "--data", str(tmp_path), "--url", served.url)


def test_check_reports_the_figures_as_json(tmp_path: Path, archive: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hapt.zip").write_bytes(archive)
    assert run("check", "hapt", "--json", "--data", str(tmp_path)) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["samples"], report["windows"], report["sound"]) == (300, 3, True)


def test_check_of_a_missing_and_of_an_unknown_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="kinestream data fetch hapt"):
        run("check", "hapt", "--data", str(tmp_path))
    with pytest.raises(ConfigError, match="did you mean 'hapt'"):
        run("check", "hatp", "--data", str(tmp_path))
