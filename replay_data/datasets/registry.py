"""All datasets by name: where to find them, how to open them, and their published sizes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError

from ..recording import Dataset
from ..tables.column_map import ColumnMap
from ..tables.formats import FORMATS, is_table
from . import elsewhere, hapt, homes, uci_har, unimib, wisdm_2019, wisdm_v11
from .archive import FileTree, find_tree
from .homes import Home


@dataclass(frozen=True, slots=True)
class Published:
    """The size of a dataset as its authors publish it; None for figures they do not publish."""

    recordings: int
    subjects: int
    samples: int | None = None
    windows: int | None = None
    """Number of windows of ``window`` samples every ``hop``, each inside one run of a label."""
    window: int = 0
    hop: int = 0


@dataclass(frozen=True, slots=True)
class KnownDataset:
    """One dataset this package can read."""

    name: str
    open: Callable[[Path], Dataset]
    marker: str
    """Path of a file that every copy contains."""
    archives: tuple[str, ...]
    """Lower-case patterns of the archive's file name."""
    home: Home
    published: Published
    same_people_as: str = ""
    """The dataset whose people these are, numbered alike; empty: people of its own."""
    places: bool = False
    """Whether a subject is ``PERSON/PLACE``: one person who wore a sensor at several places."""

    @property
    def population(self) -> str:
        """The name of the dataset whose people these are: its own, or ``same_people_as``."""
        return self.same_people_as or self.name

    def person(self, subject: str) -> str:
        """The person of a subject: equal for all datasets and places in which this person appears.

        >>> DATASETS["umafall"].person("01/phone"), DATASETS["uci-har"].person("7"), DATASETS["hapt"].person("7")
        ('umafall/01', 'hapt/7', 'hapt/7')
        """
        own = subject.partition("/")[0] if self.places else subject
        return f"{self.population}/{own.lstrip('0') if self.same_people_as else own}"

    def locate(self, data_dir: Path) -> FileTree:
        """The dataset's files.

        Raises:
            DataMissing: the dataset is not in ``data_dir``.
            DataDamaged: its archive cannot be read.
        """
        return find_tree(self.name, self.marker, self.archives, data_dir, remedy=self.home.remedy(self.name))


def _converted(name: str, home: Home, published: Published, **people: Any) -> KnownDataset:
    """A dataset read from one Parquet table; ``published`` describes that table."""
    opened = partial(elsewhere.open_elsewhere, name=name, remedy=home.remedy(name))
    return KnownDataset(name, opened, home.file_name, (), home, published, **people)


DATASETS: dict[str, KnownDataset] = {
    known.name: known
    for known in (
        KnownDataset(
            hapt.NAME,
            hapt.open_hapt,
            hapt.MARKER,
            hapt.ARCHIVES,
            homes.HAPT,
            Published(61, 30, samples=1_122_772, windows=10_929, window=128, hop=64),
        ),
        KnownDataset(
            uci_har.NAME,
            uci_har.open_uci_har,
            uci_har.MARKER,
            uci_har.ARCHIVES,
            homes.UCI_HAR,
            Published(30, 30, windows=10_299, window=uci_har.WINDOW, hop=uci_har.HOP),
            same_people_as=hapt.NAME,
        ),
        KnownDataset(
            wisdm_v11.NAME,
            wisdm_v11.open_wisdm,
            wisdm_v11.MARKER,
            wisdm_v11.ARCHIVES,
            homes.WISDM_V11,
            Published(36, 36),
        ),
        *(
            KnownDataset(
                name,
                partial(wisdm_2019.open_wisdm_2019, device=device),
                wisdm_2019.MARKER,
                wisdm_2019.ARCHIVES,
                homes.WISDM_2019,
                Published(51, 51),
                same_people_as="" if device == "watch" else wisdm_2019.NAMES["watch"],
            )
            for device, name in wisdm_2019.NAMES.items()
        ),
        KnownDataset(
            unimib.NAME,
            unimib.open_unimib,
            unimib.DATA,
            unimib.ARCHIVES,
            homes.UNIMIB,
            Published(30, 30, 11_771 * unimib.WINDOW, windows=11_771, window=unimib.WINDOW, hop=unimib.WINDOW),
        ),
        KnownDataset(
            unimib.FALLS_NAME,
            unimib.open_unimib_falls51,
            unimib.FALLS,
            unimib.ARCHIVES,
            homes.UNIMIB,
            # The authors' 4170 windows without the 940 exact repeats.
            Published(30, 30, 3_230 * unimib.FALL_WINDOW, 3_230, unimib.FALL_WINDOW, unimib.FALL_WINDOW),
            same_people_as=unimib.NAME,
        ),
        _converted("sisfall", homes.SISFALL, Published(38, 38, 3_964_862)),
        _converted("umafall", homes.UMAFALL, Published(41, 19, 1_011_833), places=True),
        _converted("mobifall", homes.MOBIFALL, Published(24, 24, 1_044_765)),
        # 35 of the original's 36 people, 85 % of its windows.
        _converted("wisdm-windows", homes.WISDM_WINDOWS, Published(35, 35, 914_688), same_people_as=wisdm_v11.NAME),
    )
}


def default_data_dir() -> Path:
    """The folder of the datasets: ``$KINESTREAM_DATA``, else this platform's folder for user data.

    >>> import os
    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, KINESTREAM_DATA="/data/motion"):
    ...     default_data_dir().name
    'motion'
    """
    if own := os.environ.get("KINESTREAM_DATA"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_DATA_HOME"):
        return Path(xdg).expanduser() / "kinestream"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "kinestream"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "kinestream"
    return Path.home() / ".local" / "share" / "kinestream"


def known_dataset(name: str) -> KnownDataset:
    """The dataset of that name.

    >>> known_dataset("hapt").published.subjects
    30

    Raises:
        ConfigError: the name is unknown; the message suggests the nearest one.
    """
    if name not in DATASETS:
        raise ConfigError(
            f"no dataset '{name}'{did_you_mean(name, DATASETS)}; known: {', '.join(DATASETS)}; to replay, name one of "
            f"these, a file that ends in {', '.join(FORMATS)}, or a recording's folder"
        )
    return DATASETS[name]


def open_dataset(name_or_path: str, data_dir: Path | None = None, columns: ColumnMap | None = None) -> Dataset:
    """The dataset of that name, or the recordings in a CSV or Parquet file.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "walk.csv"
    ...     _ = path.write_text("time_ms,acc_x_g,acc_y_g,acc_z_g\\n0,0,0,1\\n20,0,0,1\\n40,0,0,1\\n")
    ...     dataset = open_dataset(str(path))
    >>> dataset, dataset[0].fs_hz
    (<Dataset walk.csv: 1 recordings of 1 people>, 50.0)

    Args:
        name_or_path: one of ``DATASETS``, or the path of a file of one of ``tables.formats.FORMATS``.
        data_dir: the folder that holds a named dataset's archive or extracted files, or a parent of that folder;
            default: ``default_data_dir()``.
        columns: the meaning of a file's columns, where their names leave it open.

    Raises:
        ConfigError: the dataset is unknown, or the file's columns, units or rate do not fit.
        DataMissing: the data is not there; the message names the folder searched and the command that fetches it.
        DataDamaged: the files violate their format.
    """
    if name_or_path not in DATASETS and is_table(Path(name_or_path)):
        from ..tables.open_table import open_table

        return open_table(Path(name_or_path), columns)
    return known_dataset(name_or_path).open(data_dir if data_dir is not None else default_data_dir())
