"""The original home and the terms of each dataset.

A checksum is listed only if several independent projects publish the same one for the original archive (as of November
2026); otherwise the checksum of the first download is recorded and later downloads are compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .elsewhere import COLUMNS, FACTS, FOLDER


@dataclass(frozen=True, slots=True)
class Home:
    """One archive at its original home."""

    title: str
    page: str
    """The dataset's web page, to consult when ``url`` has moved."""
    url: str
    """The archive's address; empty if it is not downloaded, because this package reads a converted copy."""
    folder: str
    """The archive's folder, below the data folder."""
    file_name: str
    terms: str
    citation: str
    size_mb: int | None = None
    """Approximate size; None if unknown before the download."""
    sha256: str | None = None
    inner: str | None = None
    """Name of the zip inside the zip; only the inner one is kept."""
    blobs: Mapping[str, str] = field(default_factory=dict)
    """Git blob SHA-1 of files whose original content is known, by path in the dataset."""

    def remedy(self, dataset: str) -> str:
        """How a person gets the dataset onto this machine, for a message.

        >>> HAPT.remedy("hapt")
        'fetch it with: kinestream data fetch hapt'
        """
        if self.url:
            return f"fetch it with: kinestream data fetch {dataset}"
        return (
            f"kinestream does not fetch it: convert the original, published at {self.page}, to one Parquet table with "
            f"the columns {', '.join(COLUMNS)}, and put it at {self.folder}/{self.file_name} in that folder"
        )


_UCI = "https://archive.ics.uci.edu"
_NOT_COMMERCIAL = "Commercial use is prohibited; publications must cite the paper."

HAPT = Home(
    title="Smartphone-Based Recognition of Human Activities and Postural Transitions (HAPT)",
    page=f"{_UCI}/dataset/341",
    url=f"{_UCI}/static/public/341/smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
    folder="hapt",
    file_name="HAPT Data Set.zip",
    terms=_NOT_COMMERCIAL,
    citation="J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita, Transition-Aware Human Activity Recognition "
    "Using Smartphones, Neurocomputing 171, 2016",
    size_mb=80,
    sha256="4ac4ae064227c07045a99551876b54d204837e995e298b6488559e209b3deb09",
)
UCI_HAR = Home(
    title="Human Activity Recognition Using Smartphones (UCI-HAR)",
    page=f"{_UCI}/dataset/240",
    url=f"{_UCI}/static/public/240/human+activity+recognition+using+smartphones.zip",
    folder="uci-har",
    file_name="human+activity+recognition+using+smartphones.zip",
    terms=_NOT_COMMERCIAL,
    citation="D. Anguita, A. Ghio, L. Oneto, X. Parra, J. L. Reyes-Ortiz, A Public Domain Dataset for Human Activity "
    "Recognition Using Smartphones, ESANN 2013",
    size_mb=61,
    sha256="c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
    inner="UCI HAR Dataset.zip",
)
WISDM_V11 = Home(
    title="WISDM Activity Prediction v1.1",
    page="https://www.cis.fordham.edu/wisdm/dataset.php",
    url="https://www.cis.fordham.edu/wisdm/includes/datasets/latest/WISDM_ar_latest.tar.gz",
    folder="wisdm-v1.1",
    file_name="WISDM_ar_latest.tar.gz",
    terms="Its readme.txt must travel along with any copy; publications are asked to cite the paper.",
    citation="J. R. Kwapisz, G. M. Weiss, S. A. Moore, Activity Recognition using Cell Phone Accelerometers, "
    "SensorKDD 2010",
    blobs={"WISDM_ar_v1.1_raw.txt": "f448b1ec15898a77f47f49d85e98ae1bde83185c"},
)
WISDM_2019 = Home(
    title="WISDM Smartphone and Smartwatch Activity and Biometrics (WISDM 2019)",
    page=f"{_UCI}/dataset/507",
    url=f"{_UCI}/static/public/507/wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip",
    folder="wisdm-2019",
    file_name="wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip",
    terms="Its README.txt must travel along with any copy; publications are asked to cite the paper.",
    citation="G. M. Weiss, K. Yoneda, T. Hayajneh, Smartphone and Smartwatch-Based Biometrics Using Activities of "
    "Daily Living, IEEE Access 7, 2019",
    size_mb=295,
    inner="wisdm-dataset.zip",
)
UNIMIB = Home(
    title="UniMiB-SHAR",
    page="http://www.sal.disco.unimib.it/technologies/unimib-shar/",
    url="https://www.dropbox.com/s/x2fpfqj0bpf8ep6/UniMiB-SHAR.zip?dl=1",
    folder="unimib",
    file_name="UniMiB-SHAR.zip",
    terms="Publications must cite the paper.",
    citation="D. Micucci, M. Mobilio, P. Napoletano, UniMiB SHAR: A Dataset for Human Activity Recognition Using "
    "Acceleration Data from Smartphones, Applied Sciences 7(10), 2017",
    blobs={"data/acc_data.mat": "bb39b6cbddef0b44bfc289b1baca5a4f18ae4eeb"},
)


def _converted(name: str, title: str, page: str, terms: str, citation: str, size_mb: int) -> Home:
    """The home of a dataset that is read from a converted copy."""
    return Home(title, page, "", FOLDER, FACTS[name].file_name, terms, citation, size_mb)


SISFALL = _converted(
    "sisfall",
    title="SisFall, a fall and movement dataset",
    page="https://doi.org/10.3390/s17010198",
    terms="Published for research, without a licence file; publications must cite the paper.",
    citation="A. Sucerquia, J. D. López, J. F. Vargas-Bonilla, SisFall: A Fall and Movement Dataset, Sensors 17(1), "
    "2017",
    size_mb=22,
)
UMAFALL = _converted(
    "umafall",
    title="UMAFall, a multisensor dataset for fall detection",
    page="http://webpersonal.uma.es/de/ECASILARI/Fall_ADL_Traces/UMA_FALL_ADL_dataset.html",
    terms="Creative Commons Attribution 4.0 (CC BY 4.0); publications must cite the paper.",
    citation="E. Casilari, J. A. Santoyo-Ramón, J. M. Cano-García, UMAFall: A Multisensor Dataset for the Research on "
    "Automatic Fall Detection, Procedia Computer Science 110, 2017",
    size_mb=6,
)
MOBIFALL = _converted(
    "mobifall",
    title="MobiFall, falls and activities with a phone in the trouser pocket",
    page="https://bmi.hmu.gr/the-mobifall-and-mobiact-datasets-2/",
    terms="Academic use; publications must cite the paper. For judging only: no bundled model learns from it.",
    citation="G. Vavoulas, M. Pediaditis, C. Chatzaki, E. G. Spanakis, M. Tsiknakis, The MobiFall Dataset: Fall "
    "Detection and Classification with a Smartphone, International Journal of Monitoring and Surveillance Technologies "
    "Research 2(1), 2014",
    size_mb=8,
)
WISDM_WINDOWS = _converted(
    "wisdm-windows",
    title="WISDM Activity Prediction v1.1 as windows of 6.4 s, decoded from a standardised export",
    page=WISDM_V11.page,
    terms=WISDM_V11.terms,
    citation=WISDM_V11.citation,
    size_mb=9,
)
