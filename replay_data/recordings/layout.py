"""File names in a recording's folder, and the manifest that describes it."""

from __future__ import annotations

import json
import re
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


def is_recording(path: Path | str) -> bool:
    """Whether a folder holds a recording."""
    return (Path(path) / MANIFEST).is_file()


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
        DataDamaged: the manifest is not valid or comes from a newer version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["version"] if manifest["format"] == FORMAT else None
    except FileNotFoundError:
        raise DataMissing(
            f"no recording in {folder}: it has no {MANIFEST}; name the folder given to --record"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataDamaged(f"{path} is not the manifest of a recording ({error}); restore it from a copy") from None
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise DataDamaged(
            f"{path} has version {version}; this kinestream reads versions up to {VERSION}: update kinestream"
        )
    for where, found, expected in _wrong_types(manifest):
        raise DataDamaged(f"{path}: {where} is {str(found)[:60]!r}, expected {expected}; restore it from a copy")
    return manifest


def _wrong_types(manifest: dict[str, Any]) -> Iterator[tuple[str, object, str]]:
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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replace the whole manifest atomically.

    Raises:
        OSError: the folder cannot be written.
    """
    content = json.dumps({"format": FORMAT, "version": VERSION, **manifest}, indent=1, allow_nan=False)
    write_atomically(folder / MANIFEST, content + "\n", durable=True)
    sync_folder(folder)
