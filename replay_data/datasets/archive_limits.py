"""What an archive may hold, checked before it is unpacked: a small file can claim any number of members and bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from kinestream.core.errors import DataDamaged

MAX_MEMBERS = 200_000
MAX_DIRECTORY_BYTES = 32 * 2**20
"""Length of a zip's table of contents, which is read whole."""
MAX_MEMBER_BYTES = 2 * 10**9
MAX_TOTAL_BYTES = 40 * 10**9
MAX_RATIO = 200
"""Unpacked bytes for one packed byte, in all; recordings as text give 3 to 20."""
SMALL_BYTES = 64 * 2**20
"""An archive that unpacks to less may have any ratio."""

_REMEDY = "fetch the archive from its authors again, or unpack it yourself and name the folder"
_END, _LOCATOR, _END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_TAIL = 22 + 65_535 + 20


class ArchiveLimit:
    """Adds up the members of an archive.

    Args:
        path: the archive, for messages.
        packed_bytes: its length.

    >>> limit = ArchiveLimit(Path("har.zip"), packed_bytes=1000)
    >>> limit.add("acc.txt", 20_000)
    >>> limit.members, limit.total_bytes
    (1, 20000)
    """

    def __init__(self, path: Path, packed_bytes: int) -> None:
        self._path, self._packed_bytes = path, packed_bytes
        self.members = 0
        self.total_bytes = 0

    def add(self, name: str, size: int) -> None:
        """Count a member.

        Raises:
            DataDamaged: the archive has too many, or unpacks to too much.
        """
        self.members += 1
        self.total_bytes += size
        if self.members > MAX_MEMBERS:
            raise DataDamaged(f"{self._path} has more than {MAX_MEMBERS} files; {_REMEDY}")
        ratio = self.total_bytes / max(1, self._packed_bytes)
        if self.total_bytes > MAX_TOTAL_BYTES or (self.total_bytes > SMALL_BYTES and ratio > MAX_RATIO):
            raise DataDamaged(
                f"{self._path} of {megabytes(self._packed_bytes)} unpacks to {megabytes(self.total_bytes)} or more; "
                f"expected at most {megabytes(MAX_TOTAL_BYTES)} and {MAX_RATIO} times its length; {_REMEDY}"
            )


def check_member(path: Path, name: str, size: int) -> None:
    """Check one member before it is read into memory.

    Raises:
        DataDamaged: it is too large.
    """
    if size > MAX_MEMBER_BYTES:
        raise DataDamaged(
            f"{ascii(name)[1:-1][:80]} in {path} has {megabytes(size)}; "
            f"expected at most {megabytes(MAX_MEMBER_BYTES)}; {_REMEDY}"
        )


def check_directory(path: Path) -> None:
    """Check the length of a zip's table of contents before it is read.

    Raises:
        DataDamaged: it is too long.
    """
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - _TAIL))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            return
        size = struct.unpack_from("<L", tail, at + 12)[0]
        if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR:
            file.seek(min(struct.unpack_from("<Q", tail, at - 12)[0], length))
            end = file.read(56)
            if end[:4] == _END_64 and len(end) == 56:
                size = struct.unpack_from("<Q", end, 40)[0]
    if size > MAX_DIRECTORY_BYTES:
        raise DataDamaged(
            f"{path} has a table of contents of {megabytes(size)}; expected at most {megabytes(MAX_DIRECTORY_BYTES)}; "
            f"{_REMEDY}"
        )


def megabytes(size: int) -> str:
    """Return a size for messages.

    >>> megabytes(33_554_432)
    '33.6 MB'
    """
    return f"{size / 1e6:.3g} MB" if size < 10**9 else f"{size / 1e9:.3g} GB"
