"""Somebody's own recordings, as one dataset: labelled CSV and Parquet tables, recorded sessions, folders of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from kinestream.replay_data import ColumnMap, Dataset, Entry, Recording, open_dataset
from kinestream.replay_data.datasets.registry import DATASETS
from kinestream.replay_data.recordings import is_recording, open_recording
from kinestream.replay_data.tables.table_file import TABLE_SUFFIXES

from ..recipe.schema import OWN_RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Session:
    """One file or recorded session, opened."""

    name: str
    """Unique among those opened together."""
    dataset: Dataset
    has_subjects: bool
    """Whether the recording itself says who wore it; else each session counts as a person of its own."""


def open_sessions(
    places: Sequence[str | Path], columns: ColumnMap | None = None, data_dir: Path | None = None
) -> tuple[Dataset, tuple[str, ...]]:
    """All recordings there, as one dataset, and the people that the recordings themselves name.

    A recording that does not say who wore it counts as one person's, called like its file. A person named in several
    files is the same one.

    Args:
        places: CSV and Parquet files, recorded sessions, folders of either, or names of known datasets, which
            ``data_dir`` is for.
        columns: which column is what, where the names do not tell.
    Raises:
        DataMissing: there is no such file or folder, or nothing in it.
        KinestreamError: as ``replay_data.open_dataset``.
    """
    sessions = [session for place in places for session in _open(place, columns, data_dir)]
    twice = {name for name, n in Counter(session.name for session in sessions).items() if n > 1}
    if twice:
        raise ConfigError(f"two sessions are called {min(twice)}; name each file once, and give each a name of its own")
    entries: list[Entry] = []
    for session in sessions:
        for entry in session.dataset.entries:
            subject = entry.subject if session.has_subjects else session.name
            name = session.name if len(session.dataset) == 1 else f"{session.name}/{entry.name}"
            entries.append(Entry(name, subject, partial(_renamed, entry, name, subject)))
    labels = dict.fromkeys(label for session in sessions for label in session.dataset.label_names)
    notices = tuple(notice for session in sessions for notice in session.dataset.notices)
    named = (entry.subject for session in sessions if session.has_subjects for entry in session.dataset.entries)
    return Dataset(OWN_RECORDINGS, tuple(labels), entries, notices), tuple(dict.fromkeys(named))


def common_channels(recordings: Sequence[Recording]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The channels that all recordings have, in the first one's order; and a line on each that has more.

    Raises:
        DataDamaged: there is none.
    """
    first = recordings[0]
    common = tuple(name for name in first.channels if all(name in one.channels for one in recordings))
    if not common:
        other = next(one for one in recordings if not set(one.channels) & set(first.channels))
        raise DataDamaged(
            f"{first.name} has {_sensors(first.channels)}, {other.name} has {_sensors(other.channels)}; "
            "all recordings must share a sensor: leave one kind out"
        )
    more = [one.name for one in recordings if len(one.channels) > len(common)]
    few = [one.name for one in recordings if len(one.channels) == len(common)]
    if not more:
        return common, ()
    poorest = few[0] if few else first.name
    return common, (
        f"channels differ: only {_sensors(common)} is used, which is all that {poorest} has; "
        f"without such recordings {_sensors(max((one.channels for one in recordings), key=len))} could be",
    )


def _open(place: str | Path, columns: ColumnMap | None, data_dir: Path | None) -> Iterator[Session]:
    path = Path(place)
    if path.is_dir():
        found = list(_within(path, path.resolve().name, columns))
        if not found:
            raise DataMissing(
                f"no recording in {path}; expected files that end in {', '.join(TABLE_SUFFIXES)}, or recorded sessions"
            )
        yield from found
    elif path.is_file():
        if path.suffix.lower() not in TABLE_SUFFIXES:
            raise ConfigError(f"{path} is no recording; expected a file that ends in {', '.join(TABLE_SUFFIXES)}")
        yield _table(path, path.stem, columns)
    elif str(place) in DATASETS:
        yield Session(str(place), open_dataset(str(place), data_dir), True)
    else:
        raise DataMissing(
            f"no file or folder {path}; name CSV or Parquet files with a label column, or folders of them"
        )


def _within(folder: Path, name: str, columns: ColumnMap | None) -> Iterator[Session]:
    """What lies in a folder and the folders in it; a folder that ``kinestream`` recorded is one session."""
    if is_recording(folder):
        dataset = open_recording(folder)
        yield Session(name, dataset, dataset.subjects != tuple(entry.name for entry in dataset.entries))
        return
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and not inner.name.startswith("."):
            yield from _within(inner, f"{name}/{inner.name}", columns)
        elif inner.suffix.lower() in TABLE_SUFFIXES:
            yield _table(inner, f"{name}/{inner.stem}", columns)


def _table(file: Path, name: str, columns: ColumnMap | None) -> Session:
    dataset = open_dataset(str(file), columns=columns)
    return Session(name, dataset, dataset.subjects != (file.stem,))


def _renamed(entry: Entry, name: str, subject: str) -> Recording:
    return replace(entry.load(), name=name, subject=subject)


def _sensors(channels: Sequence[str]) -> str:
    return " + ".join(dict.fromkeys(channel.rsplit("_", 1)[0] for channel in channels))
