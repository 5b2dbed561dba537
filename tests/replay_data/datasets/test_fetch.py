"""Downloads over a real connection: complete, interrupted and resumed, wrong, or missing."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from kinestream.replay_data.datasets.fetch import ATTEMPTS, fetch, git_blob_sha1, verify_recorded
from kinestream.replay_data.datasets.homes import Home

from .http_server import Served, serve

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HOME = Home(
    "Made", "https://example.org/page", "http://127.0.0.1:9/", "made", "made.zip", "none", "nobody", sha256=SHA256
)


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_download_is_checked_and_its_checksum_recorded(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serve(Served(CONTENT)) as served:
        fetched = fetch(HOME, tmp_path, url=served.url, on_progress=lambda done, total: seen.append((done, total)))
    assert fetched.path == tmp_path / "made" / "made.zip"
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.sha256, fetched.trust) == (SHA256, "published")
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert verify_recorded(fetched.path) == SHA256
    assert sorted(path.name for path in fetched.path.parent.iterdir()) == ["made.zip", "made.zip.sha256"]


def test_an_interrupted_download_resumes_where_it_stopped(tmp_path: Path) -> None:
    with serve(Served(CONTENT, break_after=[100_000, 50_000])) as served:
        fetched = fetch(HOME, tmp_path, url=served.url, retry_s=0)
    assert fetched.path.read_bytes() == CONTENT
    assert served.requested_ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_command_resumes_an_abandoned_download(tmp_path: Path) -> None:
    with serve(Served(CONTENT, break_after=[60_000, *[0] * (ATTEMPTS - 1)])) as served:
        with pytest.raises(DataMissing, match=r"broke off after 60000 bytes .* run the same command again"):
            fetch(HOME, tmp_path, url=served.url, retry_s=0)
        assert not (tmp_path / "made" / "made.zip").exists()
        fetched = fetch(HOME, tmp_path, url=served.url, retry_s=0)
    assert fetched.path.read_bytes() == CONTENT
    assert served.requested_ranges[-1] == "bytes=60000-"


def test_a_server_without_ranges_sends_the_whole_file_again(tmp_path: Path) -> None:
    with serve(Served(CONTENT, ranges=False, break_after=[100_000])) as served:
        fetched = fetch(HOME, tmp_path, url=served.url, retry_s=0)
    assert fetched.path.read_bytes() == CONTENT
    assert served.requested_ranges == [None, "bytes=100000-"]


def test_a_changed_file_is_not_appended_to_the_old_part(tmp_path: Path) -> None:
    newer = CONTENT[::-1]
    with serve(Served(CONTENT, break_after=[100_000, *[0] * (ATTEMPTS - 1)])) as served:
        with pytest.raises(DataMissing):
            fetch(replace(HOME, sha256=None), tmp_path, url=served.url, retry_s=0)
        served.content, served.tag = newer, '"v2"'
        fetched = fetch(replace(HOME, sha256=None), tmp_path, url=served.url, retry_s=0)
    assert fetched.path.read_bytes() == newer


def test_without_a_version_tag_or_a_checksum_the_download_restarts(tmp_path: Path) -> None:
    with serve(Served(CONTENT, tag="", break_after=[100_000])) as served:
        fetched = fetch(replace(HOME, sha256=None), tmp_path, url=served.url, retry_s=0)
    assert fetched.path.read_bytes() == CONTENT
    assert served.requested_ranges == [None, None]


@pytest.mark.parametrize("half", [CONTENT, b"older and longer" * 30_000])
def test_a_part_as_long_as_the_file_is_used_if_it_matches(tmp_path: Path, half: bytes) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "made.zip.part").write_bytes(half)
    with serve(Served(CONTENT)) as served:
        assert fetch(HOME, tmp_path, url=served.url, retry_s=0).path.read_bytes() == CONTENT


def test_a_download_with_a_wrong_checksum_is_refused_and_removed(tmp_path: Path) -> None:
    with (
        serve(Served(CONTENT[:-1] + b"?")) as served,
        pytest.raises(DataDamaged, match=f"expected {SHA256}; it was removed"),
    ):
        fetch(HOME, tmp_path, url=served.url)
    assert list((tmp_path / "made").iterdir()) == []


def test_a_given_checksum_replaces_the_published_one(tmp_path: Path) -> None:
    with serve(Served(b"repacked")) as served:
        fetched = fetch(HOME, tmp_path, url=served.url, sha256=hashlib.sha256(b"repacked").hexdigest().upper())
    assert fetched.path.read_bytes() == b"repacked"


def test_without_a_published_checksum_the_first_download_sets_it(tmp_path: Path) -> None:
    home = replace(HOME, sha256=None)
    with serve(Served(CONTENT)) as served:
        first = fetch(home, tmp_path, url=served.url)
        assert (first.trust, first.sha256) == ("first", SHA256)
        first.path.unlink()
        assert fetch(home, tmp_path, url=served.url).trust == "recorded"
        first.path.unlink()
        served.content = b"something else"
        with pytest.raises(DataDamaged, match=f"expected {SHA256}"):
            fetch(home, tmp_path, url=served.url)


def test_the_recorded_checksum_has_the_format_of_sha256sum(tmp_path: Path) -> None:
    with serve(Served(CONTENT)) as served:
        folder = fetch(HOME, tmp_path, url=served.url).path.parent
    assert (folder / "made.zip.sha256").read_text() == f"{SHA256}  made.zip\n"
    (folder / "made.zip").write_bytes(b"changed since")
    with pytest.raises(DataDamaged, match="remove it and fetch it again"):
        verify_recorded(folder / "made.zip")


def test_a_file_missing_on_the_server_names_the_web_page(tmp_path: Path) -> None:
    with (
        serve(Served(CONTENT, status=[404])) as served,
        pytest.raises(DataMissing, match=r"answered 404 Not Found; see https://example\.org/page"),
    ):
        fetch(HOME, tmp_path, url=served.url)
    assert served.requested_ranges == [None]


def test_a_server_error_is_retried(tmp_path: Path) -> None:
    with serve(Served(CONTENT, status=[503, 500])) as served:
        assert fetch(HOME, tmp_path, url=served.url, retry_s=0).path.read_bytes() == CONTENT
    assert len(served.requested_ranges) == 3


def test_an_unreachable_server_raises_data_missing(tmp_path: Path) -> None:
    with serve(Served(CONTENT)) as served:
        pass
    with pytest.raises(DataMissing, match="broke off after 0 bytes"):
        fetch(HOME, tmp_path, url=served.url, retry_s=0)


def test_an_invalid_address_raises_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'data\.zip' is not an address"):
        fetch(HOME, tmp_path, url="data.zip")


def test_a_folder_that_cannot_be_created_raises_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="name another folder with --data"):
        fetch(HOME, tmp_path / "file", url="http://127.0.0.1:9/")


def test_a_zip_in_a_zip_is_unwrapped_once(tmp_path: Path) -> None:
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("activity_key.txt", "walking = A")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("inner data.zip", inner.getvalue())
    home = replace(HOME, sha256=None, inner="inner data.zip")
    with serve(Served(outer.getvalue())) as served:
        fetched = fetch(home, tmp_path, url=served.url)
    assert fetched.path == tmp_path / "made" / "inner data.zip"
    assert fetched.path.read_bytes() == inner.getvalue()
    assert verify_recorded(fetched.path) == hashlib.sha256(inner.getvalue()).hexdigest()
    assert not (tmp_path / "made" / "made.zip").exists()


def test_the_blob_hash_equals_that_of_git(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    expected = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True).stdout.strip()
    assert git_blob_sha1(CONTENT) == expected
