"""File names in a recording's folder, and the manifest that describes it."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinestream.core.atomic_file import sync_folder, write_atomically
from kinestream.core.errors import DataDamaged, DataMissing

MANIFEST = "recording.json"
FORMAT = "kinestream recording"
VERSION = 1
KINDS = ("samples", "predictions", "events")
"""The tables of a recording, each in numbered segments: ``samples-000000.parquet``."""


CHECKSUM = "crc32"
"""The manifest's checksum of its other entries; a person who edits the manifest removes it."""

_FIRST_COLUMNS = ("chunk", "stream", "session", "seq", "t_s")


class ManifestDamaged(DataDamaged):
    """The manifest cannot be read or trusted; segments that describe themselves can replace it."""


def is_recording(path: Path | str) -> bool:
    """Whether a folder holds a recording, with or without its manifest."""
    folder = Path(path)
    if (folder / MANIFEST).is_file():
        return True
    if not folder.is_dir():
        return False
    tails = (tail_path(folder, number) for number in numbers_of(folder, "tail", ".log"))
    samples = (segment_path(folder, "samples", number) for number in numbers_of(folder, "samples", ".parquet"))
    return any(map(_is_tail, tails)) or any(map(_has_our_columns, samples))


def _is_tail(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == b"KSF"


def _has_our_columns(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(path).names[: len(_FIRST_COLUMNS)]) == _FIRST_COLUMNS
    except (OSError, pa.ArrowException):
        return False


def segment_path(folder: Path, kind: str, number: int) -> Path:
    """The file of one table of segment ``number``."""
    return folder / f"{kind}-{number:06d}.parquet"


def tail_path(folder: Path, number: int) -> Path:
    """The file that holds segment ``number`` while it is being written."""
    return folder / f"tail-{number:06d}.log"


def numbers_of(folder: Path, prefix: str, suffix: str) -> list[int]:
    """The numbers of the existing files of one kind, in order."""
    pattern = re.compile(rf"{re.escape(prefix)}-(\d{{6,}}){re.escape(suffix)}")
    return sorted(int(match[1]) for path in folder.iterdir() if (match := pattern.fullmatch(path.name)))


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of all segments, sealed or still a tail."""
    numbers = set(numbers_of(folder, "tail", ".log"))
    for kind in KINDS:
        numbers.update(numbers_of(folder, kind, ".parquet"))
    return sorted(numbers)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a recording.

    Raises:
        DataMissing: the folder holds no recording.
        ManifestDamaged: the manifest is not valid, or does not match its checksum.
        DataDamaged: it comes from a newer version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["version"]
        if manifest["format"] != FORMAT:
            raise ValueError(f"its format is {str(manifest['format'])[:60]!r}")
    except FileNotFoundError:
        raise DataMissing(
            f"no recording in {folder}: it has no {MANIFEST}; name the folder given to --record"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestDamaged(f"{path} is not the manifest of a recording ({error}); restore it from a copy") from None
    if (stored := manifest.pop(CHECKSUM, None)) is not None and stored != _checksum(manifest):
        raise ManifestDamaged(
            f"{path} does not match its checksum: restore a copy, or remove the line {CHECKSUM} if you edited it"
        )
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise DataDamaged(
            f"{path} has version {version}; this kinestream reads versions up to {VERSION}: update kinestream"
        )
    for where, found, expected in wrong_types(manifest):
        raise ManifestDamaged(f"{path}: {where} is {str(found)[:60]!r}, expected {expected}; restore it from a copy")
    return manifest


def wrong_types(manifest: dict[str, Any]) -> Iterator[tuple[str, object, str]]:
    """What has another type than the readers of recordings rely on: its place, its value, and what is expected."""
    if not isinstance(streams := manifest.get("streams"), dict):
        yield "streams", streams, "an object"
        return
    for key in ("source", "host_clock", "model", "ended"):
        if not isinstance(found := manifest.get(key), dict | None):
            yield key, found, "an object"
            return
    if "ended" not in manifest:
        yield "ended", "missing", "an object or null"
    if not isinstance(found := manifest.get("wearer"), str | None):
        yield "wearer", found, "a text or null"
    for name, stream in streams.items():
        if not isinstance(stream, dict):
            yield f"stream {name}", stream, "an object"
            return
        for key in ("channels", "left_out"):
            if not _are_texts(found := stream.get(key)):
                yield f"{key} of stream {name}", found, "a list of texts"
        if not _is_number(found := stream.get("rate_hz")):
            yield f"rate_hz of stream {name}", found, "a number"
    if not _are_texts(labels := (manifest.get("model") or {}).get("labels", [])):
        yield "labels of the model", labels, "a list of texts"
    counts = (manifest.get("ended") or {}).get("counts", {})
    if not isinstance(counts, dict) or not all(map(_is_number, counts.values())):
        yield "counts", counts, "an object of numbers"
    rows = (manifest.get("ended") or {}).get("rows", {})
    if not isinstance(rows, dict) or not all(map(_is_number, rows.values())):
        yield "rows", rows, "an object of numbers"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _checksum(manifest: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(manifest, sort_keys=True).encode()):08x}"


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replace the whole manifest atomically.

    Raises:
        OSError: the folder cannot be written.
    """
    values = json.loads(json.dumps({**manifest, "format": FORMAT, "version": VERSION}, allow_nan=False))
    content = json.dumps({"format": FORMAT, **values, CHECKSUM: _checksum(values)}, indent=1)
    write_atomically(folder / MANIFEST, content + "\n", durable=True, private=True)
    sync_folder(folder)
