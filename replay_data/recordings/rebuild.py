"""Rebuilds the manifest of a recording from its segments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import CHANNEL_UNITS

from .description import Description, Since, formats_in, streams_entry
from .layout import segment_numbers, wrong_types
from .schema import STARTED, Event
from .segments import describe_segment, read_segment
from .tables import events_of


def rebuild_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest as far as the segments know it; None if the folder holds no readable segment.

    The model, the policy and the operating table are in the first events only; without these, ``model`` is None.
    """
    numbers = segment_numbers(folder) if folder.is_dir() else []
    found = {number: description for number in numbers if (description := describe_segment(folder, number))}
    events = list(_readable_events(folder, numbers))
    formats = [*_formats(found), *_announced(events)]
    if not found and not events:
        return None
    about: dict[str, Any] = {
        "kinestream": "unknown",
        "started_utc": None,
        "host_clock": None,
        "source": {"name": folder.resolve().name, "live": False},
        "wearer": None,
        "model": None,
        "policy": None,
    }
    streams = streams_entry(sorted(formats, key=lambda since: since.chunk))
    rest = {"units": dict(CHANNEL_UNITS), "streams": streams, "ended": None}
    for known in (*(description.about for description in found.values()), *_manifests(events)):
        candidate = about | {key: value for key, value in known.items() if value is not None}
        if not any(wrong_types({**candidate, **rest})):
            about = candidate
    return {**about, **rest}


def _manifests(events: list[Event]) -> Iterator[dict[str, Any]]:
    """The manifests of the moment when the recording started."""
    for event in events:
        if event.kind == STARTED and isinstance(manifest := event.value.get("manifest"), dict):
            yield manifest


def _formats(found: dict[int, Description]) -> Iterator[Since]:
    for description in found.values():
        yield from description.formats


def _announced(events: list[Event]) -> list[Since]:
    try:
        return formats_in(events)
    except DataDamaged:
        return []


def _readable_events(folder: Path, numbers: list[int]) -> Iterator[Event]:
    for number in numbers:
        try:
            yield from events_of(read_segment(folder, "events", number).table)
        except DataDamaged:
            continue
