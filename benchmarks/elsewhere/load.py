"""The labelled windows of a whole dataset, with the stretch of unbroken motion that each was cut from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.train.data.windows import Windows, windows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.replay_data import Dataset, Recording

SLACK_S = 0.5
"""A window's grid can begin this much before the first sample of its stretch; stretches lie further apart."""


def load_stretches(dataset: Dataset, spec: InputSpec) -> Windows:
    """All windows, labelled with the dataset's own names; ``recordings`` numbers the stretch instead of the recording.

    The trials of a recording lie on an invented clock, in the order of their files. Smoothing across them would learn
    from that order.

    Raises:
        KinestreamError: as ``windows_of``.
    """
    starts: list[NDArray[np.float64]] = []

    def noting(recordings: Sequence[Recording]) -> Iterator[Recording]:
        for recording in recordings:
            starts.append(np.array([recording.t[start] for start, _ in recording.segments]))
            yield recording

    windows = windows_of(dataset, spec, dataset.label_names, dataset.subjects, track=noting)
    before = np.cumsum([0, *map(len, starts)])
    stretches = np.zeros(len(windows), np.int64)
    for number, own in enumerate(starts):
        of_recording = np.flatnonzero(windows.recordings == number)
        found = np.searchsorted(own - SLACK_S, windows.t_start_s[of_recording], side="right")
        stretches[of_recording] = before[number] + np.maximum(found - 1, 0)
    return replace(windows, recordings=stretches)
