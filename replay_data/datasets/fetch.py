"""Downloads a dataset from its original home: with progress, resumable, and with a check of the checksum.

An interrupted download stays beside its target as ``.part`` with the server's version tag in ``.part.tag``; the next
attempt asks for the rest (``Range``) only if the server's file has not changed (``If-Range``).
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing

from .homes import Home

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and the total, None if the server does not announce the total."""

ATTEMPTS = 5
"""Attempts per command to complete an interrupted download."""
_BLOCK = 1 << 16
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Fetched:
    """A dataset's archive on this machine."""

    path: Path
    sha256: str
    """Checksum of the downloaded archive."""
    trust: Literal["published", "recorded", "first"]
    """Reference of the checksum: the published one, the one recorded earlier, or none (the first download)."""


def fetch(
    home: Home,
    data_dir: Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    on_progress: Progress = lambda done, total: None,
    retry_s: float = 1.0,
) -> Fetched:
    """Download the archive, resuming an earlier interrupted download.

    Args:
        data_dir: the archive goes into ``home.folder`` below it.
        url: another address to download from.
        sha256: the expected checksum; default: the published one, if any.
        retry_s: seconds before an interrupted download resumes, doubled after each attempt without progress.

    Raises:
        DataMissing: the server does not have the file, or the connection failed too often.
        DataDamaged: the checksum differs from the expected one; the download is removed.
        ConfigError: the folder cannot be written.
    """
    target = data_dir / home.folder / home.file_name
    expected = (sha256 or home.sha256 or "").lower() or None
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _download(url or home.url, part, expected is not None, home.page, on_progress, retry_s)
        actual = _sha256(part)
        if expected:
            _compare(part, actual, expected, remove=True)
        trust = "published" if expected else _compare_with_record(part, target, actual)
        part.replace(target)
        _tag_of(part).unlink(missing_ok=True)
        _record(target, actual)
        return Fetched(_unwrap(target, home.inner), actual, trust)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise ConfigError(
            f"cannot write to {part.parent} ({error.strerror}); name another folder with --data"
        ) from None


def verify_recorded(path: Path) -> str | None:
    """The checksum recorded when the file was fetched, after comparing the file with it; None if none was recorded.

    Raises:
        DataDamaged: the file has changed since.
    """
    record = _record_of(path)
    if not record.is_file():
        return None
    recorded = record.read_text(encoding="utf-8").split()[0]
    _compare(path, _sha256(path), recorded, remove=False)
    return recorded


def git_blob_sha1(content: bytes) -> str:
    """The object name git gives a file with this content.

    >>> git_blob_sha1(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _download(url: str, part: Path, hash_known: bool, page: str, on_progress: Progress, retry_s: float) -> None:
    reason = ""
    for attempt in range(ATTEMPTS):
        before = _size(part)
        try:
            if _download_rest(url, part, hash_known, on_progress):
                return
            reason = "the connection closed early"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise DataMissing(
                    f"{url} answered {error.code} {error.reason}; see {page} and give the new address with --url"
                ) from None
            reason = f"the server answered {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
        except ValueError:
            raise ConfigError(f"'{url}' is not an address to download from; expected e.g. https://...") from None
        if attempt + 1 < ATTEMPTS:
            time.sleep(retry_s * 2**attempt if _size(part) == before else retry_s)
    raise DataMissing(
        f"the download of {url} broke off after {_size(part)} bytes ({reason}); "
        "run the same command again to resume there"
    )


def _download_rest(url: str, part: Path, hash_known: bool, on_progress: Progress) -> bool:
    """Append the missing bytes to ``part`` and return whether the file is complete."""
    tag_file = _tag_of(part)
    tag = tag_file.read_text(encoding="utf-8") if tag_file.is_file() else ""
    # Without a version tag, only a known checksum proves that the rest belongs to the existing part.
    start = _size(part) if tag or hash_known else 0
    headers = {"User-Agent": "kinestream", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if tag:
            headers["If-Range"] = tag
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # The server has nothing left to send: the part is complete, or it belongs to another version.
        if error.headers.get("Content-Range", "").endswith(f"/{start}"):
            return True
        part.unlink()
        return False
    with response:
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.unlink()
            return False
        done = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length and length.isdigit() else None
        tag_file.write_text(_strong_tag(response.headers), encoding="utf-8")
        with part.open("ab" if resumed else "wb") as file:
            on_progress(done, total)
            while block := response.read(_BLOCK):
                file.write(block)
                done += len(block)
                on_progress(done, total)
    return total is None or done == total


def _strong_tag(headers: http.client.HTTPMessage) -> str:
    """The identifier of this version of the file; a weak tag (W/...) does not identify its bytes."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _compare(path: Path, actual: str, expected: str, remove: bool) -> None:
    if actual == expected:
        return
    if remove:
        path.unlink()
        _tag_of(path).unlink(missing_ok=True)
    advice = (
        "it was removed: fetch it again, or give another address with --url"
        if remove
        else "remove it and fetch it again"
    )
    raise DataDamaged(f"{path} has the SHA-256 {actual}, expected {expected}; {advice}")


def _compare_with_record(part: Path, target: Path, actual: str) -> Literal["recorded", "first"]:
    """Without a published checksum, compare with the one recorded at an earlier download, if any."""
    record = _record_of(target)
    if not record.is_file():
        return "first"
    _compare(part, actual, record.read_text(encoding="utf-8").split()[0], remove=True)
    return "recorded"


def _unwrap(target: Path, inner: str | None) -> Path:
    """Replace a zip that holds a zip by the inner one: otherwise reading one file would unpack all of it."""
    if inner is None:
        return target
    inner_path = target.with_name(inner)
    try:
        with zipfile.ZipFile(target) as outer, outer.open(inner) as source, inner_path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, KeyError):
        return target  # packed differently; the loader reports whether it can read it
    _record(inner_path, _sha256(inner_path))
    target.unlink()
    return inner_path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(path: Path, sha256: str) -> None:
    """Write the checksum in the format of the command ``sha256sum``, which can verify it."""
    _record_of(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _tag_of(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
