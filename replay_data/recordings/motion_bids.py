"""Exports a recording as a Motion-BIDS dataset of one person.

Source: Jeung, Cockx, Appelhoff et al., Motion-BIDS, Scientific Data 2024; BIDS specification 1.10, Motion.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from kinestream import __version__
from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.signals import ACC, BODY_ACC, CHANNEL_UNITS, GYRO, MAG, UNLABELLED, SampleChunk

from .reader import RecordingReader

BIDS_VERSION = "1.10.0"
_TYPES = {**dict.fromkeys((*ACC, *BODY_ACC), "ACCEL"), **dict.fromkeys(GYRO, "GYRO"), **dict.fromkeys(MAG, "MAGN")}
_COUNTS = {"ACCEL": "ACCELChannelCount", "GYRO": "GYROChannelCount", "MAGN": "MAGNChannelCount"}


def export_motion_bids(reader: RecordingReader, folder: Path, task: str) -> list[Path]:
    """Write a dataset with one subject, one tracking system per stream and one run per epoch.

    A ``LATENCY`` channel holds the sample times, ``_events.tsv`` the labels, ``_scans.tsv`` the start of each run.

    Args:
        folder: new or empty.
        task: the task's name.
    Returns:
        The motion files.
    Raises:
        ConfigError: the folder is not empty, or the task's name has no letter or digit.
        DataDamaged: the recording has no samples.
        OSError: the folder cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; choose another folder")
    subject = _bids_label(reader.manifest.get("wearer") or "01")
    base = folder / f"sub-{subject}" / "motion"
    base.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for stream in reader.manifest["streams"]:  # two streams can share a name once only letters and digits are left
        wanted = _bids_label(stream)
        taken = set(names.values())
        names[stream] = next(n for n in (wanted, *(f"{wanted}{i}" for i in range(2, 1000))) if n not in taken)
    runs: list[_Run] = []
    open_runs: dict[str, _Run] = {}
    try:
        for chunk in reader.chunks():
            run = open_runs.get(chunk.stream)
            if run is None or not run.continues_with(chunk):
                if run:
                    run.close()
                number = 1 + sum(run.stream == chunk.stream for run in runs)
                stem = f"sub-{subject}_task-{_bids_label(task)}_tracksys-{names[chunk.stream]}_run-{number:02d}"
                run = open_runs[chunk.stream] = _Run(base, stem, task, names[chunk.stream], chunk)
                runs.append(run)
            run.add(chunk)
    finally:
        for run in open_runs.values():
            run.close()
    if not runs:
        raise DataDamaged(f"{reader.folder} has no samples to export")
    _describe(folder, subject, reader, runs)
    return [run.path for run in runs]


class _Run:
    """One epoch of one stream, written while it is read."""

    def __init__(self, base: Path, stem: str, task: str, tracksys: str, first: SampleChunk) -> None:
        self.stream, self._epoch = first.stream, first.session
        self.path = base / f"{stem}_motion.tsv"
        self._base, self._stem, self._task, self._tracksys = base, stem, task, tracksys
        self._channels, self._fs_hz = first.channels, first.fs_hz
        self.start_s = float(first.t[0])
        self._end_s = self.start_s
        self._samples = 0
        self._events: list[tuple[float, float, str]] = []  # start, end, label
        self._open = True
        self._file: TextIO = open(self.path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed in close()

    def continues_with(self, chunk: SampleChunk) -> bool:
        same = (chunk.session, chunk.channels, chunk.fs_hz) == (self._epoch, self._channels, self._fs_hz)
        return same and chunk.t[0] >= self._end_s

    def add(self, chunk: SampleChunk) -> None:
        latency = chunk.t - self.start_s
        for at, values in zip(latency.tolist(), chunk.x, strict=True):
            cells = [str(value) if np.isfinite(value) else "n/a" for value in values]
            self._file.write("\t".join([f"{at:.6f}", *cells]) + "\n")
        self._add_labels(chunk, latency)
        self._samples += len(chunk)
        self._end_s = float(chunk.t[-1])

    def _add_labels(self, chunk: SampleChunk, latency: np.ndarray) -> None:
        if chunk.labels is None:
            return
        for at, code in zip(latency.tolist(), chunk.labels.tolist(), strict=True):
            if code == UNLABELLED:
                continue
            name, period_s = chunk.label_names[code], 1 / self._fs_hz
            last = self._events[-1] if self._events else None
            if last and last[2] == name and at - last[1] < 1.5 * period_s:
                self._events[-1] = (last[0], at + period_s, name)
            else:
                self._events.append((at, at + period_s, name))

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._file.close()
        kinds = [_TYPES.get(name, "MISC") for name in self._channels]
        _write_tsv(
            self._base / f"{self._stem}_channels.tsv",
            ("name", "component", "type", "tracked_point", "units"),
            [
                ("latency", "n/a", "LATENCY", "n/a", "s"),
                *(
                    (name, name[-1], kind, self._tracksys, CHANNEL_UNITS[name])
                    for name, kind in zip(self._channels, kinds, strict=True)
                ),
            ],
        )
        span_s = self._end_s - self.start_s
        about: dict[str, Any] = {
            "TaskName": self._task,
            "SamplingFrequency": self._fs_hz,
            "SamplingFrequencyEffective": (self._samples - 1) / span_s if span_s > 0 else self._fs_hz,
            "TrackingSystemName": self._tracksys,
            "RecordingDuration": self._samples / self._fs_hz,
            "MotionChannelCount": len(kinds) + 1,
            "LATENCYChannelCount": 1,
            "TrackedPointsCount": 1,
            "MissingValues": "n/a",
            **{key: kinds.count(kind) for kind, key in _COUNTS.items() if kind in kinds},
        }
        if "MISC" in kinds:
            about["MISCChannelCount"] = kinds.count("MISC")
        _write_json(self._base / f"{self._stem}_motion.json", about)
        if self._events:
            rows = [(f"{begin:.6f}", f"{end - begin:.6f}", name) for begin, end, name in self._events]
            _write_tsv(self._base / f"{self._stem}_events.tsv", ("onset", "duration", "trial_type"), rows)


def _describe(folder: Path, subject: str, reader: RecordingReader, runs: list[_Run]) -> None:
    _write_json(
        folder / "dataset_description.json",
        {
            "Name": f"kinestream recording {reader.folder.resolve().name}",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "GeneratedBy": [{"Name": "kinestream", "Version": __version__}],
        },
    )
    readme = f"Motion of {subject}, recorded by kinestream {reader.manifest['kinestream']}. Accelerations in m/s^2, "
    readme += "angular rates in rad/s, as the sensors were worn; labels are in the events files.\n"
    (folder / "README").write_text(readme, encoding="utf-8")
    _write_tsv(folder / "participants.tsv", ("participant_id",), [(f"sub-{subject}",)])
    clock = reader.manifest["host_clock"]
    rows = []
    for run in runs:
        start = "n/a"  # the clock of a replay has no known time of day
        if reader.manifest["source"]["live"]:
            unix_s = clock["unix_s"] + run.start_s - clock["monotonic_s"]
            start = datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        rows.append((f"motion/{run.path.name}", start))
    _write_tsv(folder / f"sub-{subject}" / f"sub-{subject}_scans.tsv", ("filename", "acq_time"), rows)


def _bids_label(text: str) -> str:
    """The letters and digits of a text, as BIDS requires for labels.

    Raises:
        ConfigError: the text has none.
    """
    label = re.sub(r"[^A-Za-z0-9]", "", text)
    if not label:
        raise ConfigError(f"'{text}' has no letter or digit for a BIDS label; choose another name")
    return label


def _write_tsv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    lines = ["\t".join(header), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
