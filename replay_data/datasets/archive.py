"""Reads the files of a dataset from an extracted folder, a zip or a tar archive alike."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Protocol

from kinestream.core.errors import DataDamaged, DataMissing

from .archive_limits import ArchiveLimit, check_directory, check_member

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")


class FileTree(Protocol):
    """A dataset's files by their path inside the dataset, with ``/`` between folders."""

    source: Path
    """The folder or archive, named in messages."""
    names: tuple[str, ...]
    """The paths of all files, sorted."""

    def open(self, name: str) -> IO[bytes]:
        """One file, opened for reading.

        Raises:
            DataMissing: the file does not exist.
        """
        ...

    def read(self, name: str) -> bytes:
        """The whole content of one file.

        Raises:
            DataMissing: the file does not exist.
            DataDamaged: the archive breaks off or its checksum does not match.
        """
        ...


class _Folder:
    def __init__(self, source: Path) -> None:
        self.source = source
        self.names = tuple(sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()))

    def open(self, name: str) -> IO[bytes]:
        try:
            return (self.source / name).open("rb")
        except FileNotFoundError:
            raise _no_such_file(name, self.source) from None

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()


class _Archive:
    """A zip or tar whose members lie under ``prefix``; opened for each read, so that no file stays open."""

    def __init__(self, source: Path, inner: str | None, prefix: str, names: tuple[str, ...]) -> None:
        self.source = source
        self.inner = inner
        self.prefix = prefix
        self.names = names

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO(self.read(name))

    def read(self, name: str) -> bytes:
        if name not in self.names:
            raise _no_such_file(name, self.source)
        with _opened(self.source, self.inner) as archive:
            return _read_member(archive, self.source, self.prefix + name)


def find_tree(
    dataset: str, marker: str, archives: tuple[str, ...], data_dir: Path, *, remedy: str | None = None
) -> FileTree:
    """The file tree that holds ``marker``: in ``data_dir``, up to two folder levels below it, or in an archive there.

    Args:
        dataset: the dataset's name, for the message.
        marker: path of a file that every copy of the dataset contains, inside the dataset.
        archives: lower-case patterns of the archive's file name (``*hapt*``); empty: it is never in an archive.
        data_dir: the folder to search, or the archive itself.
        remedy: how to get the dataset, for the message; default: the command that fetches it.

    Raises:
        DataMissing: neither exists; the message names the folder and the remedy.
        DataDamaged: the archive exists, but cannot be read or lacks ``marker``.
    """
    folders = [data_dir, *_folders_below(data_dir)] if data_dir.is_dir() else []
    for folder in folders:
        if (folder / marker).is_file():
            return _Folder(folder)
    candidates = (
        [data_dir]
        if data_dir.is_file() and archives
        else [path for folder in folders for path in _archives_in(folder, archives)]
    )
    for path in candidates[:-1]:
        with suppress(DataDamaged):
            return _tree_in_archive(path, marker)
    if candidates:
        return _tree_in_archive(candidates[-1], marker)
    named = f" and archives named {', '.join(archives)}" if archives else ""
    remedy = remedy or f"fetch it with: kinestream data fetch {dataset}"
    raise DataMissing(f"no {dataset} in {data_dir}: looked for '{marker}'{named}; {remedy}")


def _folders_below(folder: Path, depth: int = 2) -> Iterator[Path]:
    """Readable folders below, breadth first and not deep, as ``folder`` can be a whole home directory."""
    below = sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".") and os.access(path, os.R_OK | os.X_OK)
    )
    yield from below
    if depth > 1:
        for path in below:
            yield from _folders_below(path, depth - 1)


def _archives_in(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(ARCHIVE_SUFFIXES)
        and any(fnmatch(path.name.lower(), pattern) for pattern in patterns)
    )


def _tree_in_archive(path: Path, marker: str) -> FileTree:
    with _opened(path, None) as archive:
        names = _member_names(archive, path)
    tree = _rooted_at(marker, path, None, names)
    if tree is not None:
        return tree
    # The UCI repository wraps some datasets twice: a zip inside a zip.
    for inner in (name for name in names if name.lower().endswith(".zip")):
        with _opened(path, inner) as archive:
            tree = _rooted_at(marker, path, inner, _member_names(archive, path))
        if tree is not None:
            return tree
    raise DataDamaged(f"{path} holds no '{marker}'; expected the archive as its authors distribute it; fetch it again")


def _rooted_at(marker: str, path: Path, inner: str | None, names: list[str]) -> FileTree | None:
    """The archive with the folder of ``marker`` as its root; None without ``marker``. Skips macOS shadow files."""
    for name in names:
        if (name == marker or name.endswith("/" + marker)) and not name.startswith("__MACOSX/"):
            prefix = name.removesuffix(marker)
            below = sorted(member.removeprefix(prefix) for member in names if member.startswith(prefix))
            return _Archive(path, inner, prefix, tuple(below))
    return None


@contextmanager
def _opened(path: Path, inner: str | None) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    """The archive, or the zip inside it; turns read errors into ``DataDamaged``."""
    try:
        with ExitStack() as stack:
            if not zipfile.is_zipfile(path) and tarfile.is_tarfile(path):
                yield stack.enter_context(tarfile.open(path))
                return
            check_directory(path)
            archive = stack.enter_context(zipfile.ZipFile(path))
            if inner is not None:
                # Every seek inside a compressed member restarts its decompression; a copy on disk avoids that.
                check_member(path, inner, archive.getinfo(inner).file_size)
                copy = stack.enter_context(NamedTemporaryFile())
                with archive.open(inner) as member:
                    shutil.copyfileobj(member, copy)
                copy.flush()
                check_directory(Path(copy.name))
                archive = stack.enter_context(zipfile.ZipFile(copy))
            yield archive
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DataDamaged(f"{path} is not a complete archive ({error}); fetch it again") from error


def _member_names(archive: zipfile.ZipFile | tarfile.TarFile, path: Path) -> list[str]:
    limit = ArchiveLimit(path, path.stat().st_size)
    names: list[str] = []
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            limit.add(info.filename, info.file_size)
            names += [] if info.is_dir() else [info.filename]
        return names
    for member in archive:
        limit.add(member.name, member.size)
        names += [member.name] if member.isfile() else []
    return names


def _read_member(archive: zipfile.ZipFile | tarfile.TarFile, path: Path, name: str) -> bytes:
    if isinstance(archive, zipfile.ZipFile):
        check_member(path, name, archive.getinfo(name).file_size)
        return archive.read(name)
    check_member(path, name, archive.getmember(name).size)
    file = archive.extractfile(name)
    return file.read() if file is not None else b""


def _no_such_file(name: str, source: Path) -> DataMissing:
    return DataMissing(
        f"{source} has no '{name}'; expected the complete dataset as its authors distribute it: fetch it again"
    )
