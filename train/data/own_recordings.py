"""A user's own recordings as one dataset: labelled CSV and Parquet tables, kinestream recordings, folders of both."""

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
from kinestream.replay_data.tables.formats import FORMATS, is_table

from ..recipe.data_settings import OWN_RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """One opened file, kinestream recording or named dataset."""

    name: str
    """Unique among the sources opened together."""
    dataset: Dataset
    has_subjects: bool
    """Whether the data names its wearers; otherwise the source counts as one person."""


def open_own_recordings(
    places: Sequence[str | Path], columns: ColumnMap | None = None, data_dir: Path | None = None
) -> tuple[Dataset, tuple[str, ...]]:
    """All recordings in ``places`` as one dataset, and the people named in the recordings.

    A recording without a wearer's name counts as one person, named after its file. The same name in several files is
    the same person.

    Args:
        places: CSV and Parquet files, kinestream recordings, folders of either, or names of known datasets in
            ``data_dir``.
        columns: meaning of the columns, if their names do not show it.
    Raises:
        DataMissing: a file or folder does not exist, or a folder has no recording.
        KinestreamError: as ``replay_data.open_dataset``.
    """
    sources = [source for place in places for source in _open(place, columns, data_dir)]
    repeated = {name for name, n in Counter(source.name for source in sources).items() if n > 1}
    if repeated:
        raise ConfigError(
            f"two recordings are called {min(repeated)}; name each file once, or rename one of two different files"
        )
    entries: list[Entry] = []
    for source in sources:
        for entry in source.dataset.entries:
            subject = entry.subject if source.has_subjects else source.name
            name = source.name if len(source.dataset) == 1 else f"{source.name}/{entry.name}"
            entries.append(Entry(name, subject, partial(_renamed, entry, name, subject)))
    labels = dict.fromkeys(label for source in sources for label in source.dataset.label_names)
    notices = tuple(notice for source in sources for notice in source.dataset.notices)
    people = (entry.subject for source in sources if source.has_subjects for entry in source.dataset.entries)
    return Dataset(OWN_RECORDINGS, tuple(labels), entries, notices), tuple(dict.fromkeys(people))


def common_channels(recordings: Sequence[Recording]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The channels that all recordings share, in the first recording's order, and notices about unused channels.

    Raises:
        DataDamaged: the recordings share no channel.
    """
    first = recordings[0]
    common = tuple(name for name in first.channels if all(name in recording.channels for recording in recordings))
    if not common:
        other = next(recording for recording in recordings if not set(recording.channels) & set(first.channels))
        raise DataDamaged(
            f"{first.name} has {_sensors(first.channels)}, {other.name} has {_sensors(other.channels)}; "
            "all recordings must share a sensor: leave one kind out"
        )
    if all(len(recording.channels) == len(common) for recording in recordings):
        return common, ()
    minimal = [recording.name for recording in recordings if len(recording.channels) == len(common)]
    all_sensors = _sensors(max((recording.channels for recording in recordings), key=len))
    return common, (
        f"channels differ: only {_sensors(common)} is used, because {(minimal or [first.name])[0]} has no more; "
        f"leave such recordings out to use {all_sensors}",
    )


def _open(place: str | Path, columns: ColumnMap | None, data_dir: Path | None) -> Iterator[OpenedSource]:
    path = Path(place)
    if path.is_dir():
        sources = list(_open_folder(path, path.resolve().name, columns))
        if not sources:
            raise DataMissing(
                f"no recording in {path}; expected files that end in {', '.join(FORMATS)}, or folders that "
                "kinestream recorded"
            )
        yield from sources
    elif path.is_file():
        if not is_table(path):
            raise ConfigError(f"{path} is not a recording; expected a file that ends in {', '.join(FORMATS)}")
        yield _open_table(path, path.stem, columns)
    elif str(place) in DATASETS:
        yield OpenedSource(str(place), open_dataset(str(place), data_dir), True)
    else:
        raise DataMissing(
            f"no file or folder {path}; name CSV or Parquet files with a label column, or folders of them"
        )


def _open_folder(folder: Path, name: str, columns: ColumnMap | None) -> Iterator[OpenedSource]:
    """The recordings in a folder and its subfolders; a folder that ``kinestream`` recorded is one recording."""
    if is_recording(folder):
        dataset = open_recording(folder)
        yield OpenedSource(name, dataset, dataset.subjects != tuple(entry.name for entry in dataset.entries))
        return
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and not inner.name.startswith("."):
            yield from _open_folder(inner, f"{name}/{inner.name}", columns)
        elif is_table(inner):
            yield _open_table(inner, f"{name}/{inner.stem}", columns)


def _open_table(file: Path, name: str, columns: ColumnMap | None) -> OpenedSource:
    dataset = open_dataset(str(file), columns=columns)
    return OpenedSource(name, dataset, dataset.subjects != (file.stem,))


def _renamed(entry: Entry, name: str, subject: str) -> Recording:
    return replace(entry.load(), name=name, subject=subject)


def _sensors(channels: Sequence[str]) -> str:
    """The sensors of channels such as ``acc_x``: ``acc + gyro``."""
    return " + ".join(dict.fromkeys(channel.rsplit("_", 1)[0] for channel in channels))
