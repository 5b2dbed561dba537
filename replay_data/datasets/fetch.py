"""Download a dataset from its home: with progress, resumed where it broke off, and checked.

A broken download stays beside its target as ``.part`` with the server's version tag in ``.part.tag``; the next
attempt asks for the rest (``Range``) only if the file has not changed since (``If-Range``).
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
"""Called with the bytes there are and the bytes there will be, None where the server does not say."""

ATTEMPTS = 5
"""How often a broken download is taken up again before it is left for the next command."""
_BLOCK = 1 << 16
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Fetched:
    """A dataset's archive on this machine."""

    path: Path
    sha256: str
    """Of the archive as it was downloaded."""
    trust: Literal["published", "recorded", "first"]
    """What the checksum was compared with: the published one, the one recorded earlier, or nothing."""


def fetch(
    home: Home,
    data_dir: Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    on_progress: Progress = lambda done, total: None,
    retry_s: float = 1.0,
) -> Fetched:
    """Download the archive, going on with a download that broke off earlier.

    Args:
        data_dir: the archive goes into ``home.folder`` below it.
        url: another place to download from.
        sha256: the checksum to expect; default the published one, where there is one.
        retry_s: wait before a broken download is taken up again, doubled each time.

    Raises:
        DataMissing: the server does not have it, or broke off too often.
        DataDamaged: the checksum is another than expected; what was downloaded is removed.
        ConfigError: the folder cannot be written.
    """
    target = data_dir / home.folder / home.file_name
    expected = (sha256 or home.sha256 or "").lower() or None
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _download(url or home.url, part, expected is not None, home.page, on_progress, retry_s)
        found = _sha256(part)
        if expected:
            _compare(part, found, expected, remove=True)
        trust = "published" if expected else _compare_with_record(part, target, found)
        part.replace(target)
        _tag_of(part).unlink(missing_ok=True)
        _record(target, found)
        return Fetched(_unwrap(target, home.inner), found, trust)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise ConfigError(
            f"cannot write to {part.parent} ({error.strerror}); name another folder with --data"
        ) from None


def verify_recorded(path: Path) -> str | None:
    """The checksum recorded when the file was fetched, found to be still true; None: none was recorded.

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
    """The name git gives a file of this content."""
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
                    f"{url} answered {error.code} {error.reason}; see {page} and name the new place with --url"
                ) from None
            reason = f"the server answered {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
        except ValueError:
            raise ConfigError(f"'{url}' is no address to download from; expected e.g. https://...") from None
        if attempt + 1 < ATTEMPTS:
            time.sleep(retry_s * 2**attempt if _size(part) == before else retry_s)
    raise DataMissing(
        f"the download of {url} broke off after {_size(part)} bytes ({reason}); "
        "run the same command again to go on from there"
    )


def _download_rest(url: str, part: Path, hash_known: bool, on_progress: Progress) -> bool:
    """Append what is missing to ``part``; whether it is complete then."""
    tag_file = _tag_of(part)
    tag = tag_file.read_text(encoding="utf-8") if tag_file.is_file() else ""
    # Without a version tag only a known checksum can tell that the rest belongs to what is already here.
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
        # Nothing is left to send: either all of it is here, or what is here is of another version.
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
    """What identifies this version of the file; a weak tag (W/...) does not identify its bytes."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _compare(path: Path, found: str, expected: str, remove: bool) -> None:
    if found == expected:
        return
    if remove:
        path.unlink()
        _tag_of(path).unlink(missing_ok=True)
    what = (
        "it was removed: fetch it again, or name another place with --url" if remove else "remove it and fetch it again"
    )
    raise DataDamaged(f"{path} has the SHA-256 {found}, expected {expected}; {what}")


def _compare_with_record(part: Path, target: Path, found: str) -> Literal["recorded", "first"]:
    """Where no checksum is published: the same as the last time, if there was one."""
    record = _record_of(target)
    if not record.is_file():
        return "first"
    _compare(part, found, record.read_text(encoding="utf-8").split()[0], remove=True)
    return "recorded"


def _unwrap(target: Path, inner: str | None) -> Path:
    """The zip inside the zip instead of the outer one, so that reading a file does not unpack it all each time."""
    if inner is None:
        return target
    kept = target.with_name(inner)
    try:
        with zipfile.ZipFile(target) as outer, outer.open(inner) as source, kept.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, KeyError):
        return target  # packed in another way; whether it can be read, the loader will say
    _record(kept, _sha256(kept))
    target.unlink()
    return kept


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(path: Path, sha256: str) -> None:
    """In the format of the command ``sha256sum``, which can check it too."""
    _record_of(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _tag_of(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
