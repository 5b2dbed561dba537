"""Parsers of files: tables, XDF, recordings and their manifests."""

from __future__ import annotations

import json
import random
import struct
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.chaos.flips import write_recording
from kinestream.core.errors import KinestreamError
from kinestream.core.signals import SampleChunk
from kinestream.launch.open_source import open_source
from kinestream.recording.manifest import RecordedRun
from kinestream.replay_data.recording import Dataset
from kinestream.replay_data.recordings import RecordingReader, recover
from kinestream.replay_data.recordings.check import check_recording
from kinestream.replay_data.recordings.layout import MANIFEST
from kinestream.replay_data.recordings.xdf import import_xdf
from kinestream.replay_data.recordings.xdf_file import BOUNDARY
from kinestream.replay_data.tables.open_table import open_table
from tests.replay_data.recordings.test_export import xdf_chunk, xdf_samples, xdf_stream

from .judge import Target
from .mutations import WORDS, Case, mutate_bytes, mutate_json, mutate_text


def _check_dataset(dataset: Dataset) -> None:
    for recording in dataset:
        assert len(recording.t) == len(recording.x)
        assert np.isfinite(recording.x).all()
        assert np.isfinite(recording.t).all()
        assert 0 < recording.fs_hz < np.inf
        for start, stop in recording.segments:
            assert 0 <= start <= stop <= len(recording.t)
            assert (np.diff(recording.t[start:stop]) > 0).all()
        if recording.labels is not None:
            assert recording.labels.max(initial=-1) < len(recording.label_names)


def _table(suffix: str) -> Callable[[Case], None]:
    def parse(case: Case) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"walk{suffix}"
            path.write_bytes(case[0])
            _check_dataset(open_table(path))

    return parse


CSV_WORDS = (
    *WORDS,
    b'"',
    b'"a\nb"',
    b"2024-01-31T12:00:00.020",
    b"9999-12-31T23:59:59",
    b"0001-01-01T00:00:00+14:00",
    b"sep=;\n",
)


@cache
def _csv_seeds() -> Sequence[Case]:
    rows = range(40)
    plain = "time_ms,ax,ay,az,gyro_x,gyro_y,gyro_z,label,user\n" + "".join(
        f"{20 * k},0.1,{k / 100},9.8,0.1,0.2,0.3,{'Walk' if k < 20 else ''},u{k // 20}\n" for k in rows
    )
    comma = "sep=;\nt;acc_x_g;acc_y_g;acc_z_g\n" + "".join(
        f"{k / 50:.2f};0,01;0,02;1,0\n".replace(".", ",") for k in rows
    )
    dates = "timestamp\tax\tay\taz\n" + "".join(f"2024-01-31T12:00:00.{20_000_000 * k:09d}\t0\t0\t9.8\n" for k in rows)
    return [(plain.encode(),), (comma.encode(),), (dates.encode(),)]


@cache
def _parquet_seeds() -> Sequence[Case]:
    n = 60
    columns = {"t": np.arange(n) / 50, "ax": np.zeros(n), "ay": np.zeros(n, np.float32), "az": np.full(n, 9.8)}
    labelled = {**columns, "label": ["walking", None] * (n // 2)}
    dated = {**columns, "t": pa.array(range(0, n * 20_000_000, 20_000_000), pa.timestamp("ns"))}
    seeds = []
    for table, compression in ((columns, "none"), (labelled, "snappy"), (dated, "zstd")):
        out = BytesIO()
        pq.write_table(pa.table(table), out, compression=compression, write_page_checksum=True)
        seeds.append((out.getvalue(),))
    return seeds


def _mutate_footer(rng: random.Random, data: bytes) -> bytes:
    """Harm the description at the end of a Parquet file, whose length then still fits; or any bytes."""
    size = int.from_bytes(data[-8:-4], "little") if len(data) > 12 else 0
    if not 0 < size < len(data) - 12 or rng.random() < 0.4:
        return mutate_bytes(rng, data)
    footer = mutate_bytes(rng, data[-8 - size : -8])
    return data[: -8 - size] + footer + struct.pack("<I", len(footer)) + data[-4:]


def _xdf_pieces() -> list[bytes]:
    """The tag and content of each chunk of a file with a sensor, markers and a stream that is not motion."""
    t = 1000 + np.arange(100) / 50
    x = np.tile(np.array([0.0, 0.1, 1.0, 1.0, 2.0, 3.0], "<f4"), (100, 1))
    channels = [*((f"Acc{axis}", "g") for axis in "XYZ"), *((f"Gyro{axis}", "deg/s") for axis in "XYZ")]
    text = b"Walking"
    pieces = [
        xdf_chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>"),
        xdf_stream(1, "IMU", "float32", 50.0, channels),
        xdf_stream(2, "Markers", "string", 0.0, [("marker", "")]),
        xdf_stream(3, "Skin", "int16", 50.0, [("conductance", "uS")]),
        xdf_samples(1, t[:50], [row.tobytes() for row in x[:50]]),
        xdf_chunk(5, BOUNDARY),
        xdf_samples(1, t[50:], [row.tobytes() for row in x[50:]]),
        xdf_samples(2, t[:1], [b"\x04" + struct.pack("<I", len(text)) + text]),
        xdf_samples(3, t[:20], [struct.pack("<h", 1)] * 20),
    ]
    return [piece[5:] for piece in pieces]


def _xdf_chunk(piece: bytes) -> bytes:
    return b"\x04" + struct.pack("<I", len(piece)) + piece


def _import(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.xdf"
        path.write_bytes(content)
        import_xdf(path, Path(folder) / "recording")
        reader = RecordingReader(Path(folder) / "recording")
        assert sum(map(len, reader.chunks()))
        assert not reader.findings


@cache
def _recording_seeds() -> Sequence[Case]:
    """A closed and a killed recording: its kind, then its files, sorted by name. An empty part is a missing file."""
    seeds = []
    for kind in ("closed", "killed"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "walk"
            write_recording(path, closed=kind == "closed", seconds=3.0)
            names = sorted(file.name for file in path.iterdir())
            _NAMES[kind.encode()] = names
            _CHUNKS[kind.encode()] = {_key(chunk): _content(chunk) for chunk in RecordingReader(path).chunks()}
            seeds.append((kind.encode(), *((path / name).read_bytes() for name in names)))
    return seeds


_NAMES: dict[bytes, list[str]] = {}
_CHUNKS: dict[bytes, dict[object, object]] = {}


def _key(chunk: SampleChunk) -> object:
    return chunk.stream, chunk.session, chunk.seq, len(chunk)


def _content(chunk: SampleChunk) -> object:
    labels = None if chunk.labels is None else chunk.labels.tobytes()
    return (
        chunk.t.tobytes(),
        np.ascontiguousarray(chunk.x).tobytes(),
        chunk.channels,
        chunk.fs_hz,
        labels,
        chunk.label_names,
    )


def _parse_recording(case: Case) -> None:
    _recording_seeds()
    kind = case[0] if case[0] in _NAMES else b"closed"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk"
        path.mkdir()
        for name, content in zip(_NAMES[kind], case[1:], strict=False):
            if content:
                (path / name).write_bytes(content)
        refused: KinestreamError | None = None
        for use in (lambda: _read(path, kind), lambda: check_recording(path), lambda: open_source(str(path))):
            try:
                use()
            except KinestreamError as error:
                refused = error
        recover(path)
        _read(path, kind)
        if refused:
            raise refused


def _read(path: Path, kind: bytes) -> None:
    """Every chunk that is read is one that was written; chunks that are missing are reported."""
    reader = RecordingReader(path)
    expected = _CHUNKS[kind]
    found = set()
    for chunk in reader.chunks():
        assert expected.get(_key(chunk)) == _content(chunk), "a chunk that was never recorded"
        found.add(_key(chunk))
    list(reader.predictions())
    was_damaged = bool((reader.manifest.get("ended") or {}).get("damaged"))
    if kind == b"closed" and len(found) < len(expected):
        assert reader.findings or reader.tail_bytes_lost or was_damaged, f"{len(expected) - len(found)} chunks less"


@cache
def _manifest_seeds() -> Sequence[Case]:
    _recording_seeds()
    values = json.loads(_recording_seeds()[0][1 + _NAMES[b"closed"].index(MANIFEST)])
    values.pop("crc32", None)  # as a person who edits it leaves it
    model = {
        "name": "tiny",
        "found_as": "tiny",
        "fingerprint": "00",
        "labels": ["walking", "sitting"],
        "rate_hz": 50.0,
        "hop": 64,
        "max_gap_s": 0.1,
        "axes": None,
        "battery": False,
    }
    point = {"subnet": {"width": 1.0, "resolution": 128}, "accuracy": 0.9, "macs": 9, "p50_ms": 1.0, "p95_ms": 1.0}
    table = {
        "model": "tiny",
        "machine": "m",
        "energy_model": "e",
        "points": [{**point, "energy_mj": 1.0}],
        "sensing": [],
    }
    values |= {"model": model, "policy": {"text": "fixed", "deadline_ms": None}, "table": table}
    return [(json.dumps(values).encode(),)]


def _parse_manifest(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_bytes(case[0])
        reader = RecordingReader(folder)
        open_source(folder)
        list(reader.chunks())
        try:
            RecordedRun.from_json(reader.manifest)
        except (KeyError, TypeError, AttributeError, ValueError):
            return  # as it promises: the callers say it in one line


def _mutate_file(rng: random.Random, data: bytes) -> bytes:
    if data[:1] == b"{":
        return b"" if rng.random() < 0.1 else mutate_json(rng, data)
    if data[:4] == b"PAR1":
        return b"" if rng.random() < 0.1 else _mutate_footer(rng, data)
    return data if data in _NAMES else mutate_bytes(rng, data)


FILES = (
    Target("csv", _csv_seeds, _table(".csv"), lambda rng, data: mutate_text(rng, data, CSV_WORDS)),
    Target("parquet", _parquet_seeds, _table(".parquet"), _mutate_footer),
    Target(
        "xdf",
        cache(lambda: [(b"XDF:" + b"".join(map(_xdf_chunk, _xdf_pieces())),)]),
        lambda case: _import(b"".join(case)),
    ),
    Target(
        "xdf chunks",
        cache(lambda: [tuple(_xdf_pieces())]),
        lambda case: _import(b"XDF:" + b"".join(map(_xdf_chunk, case))),
        mutate_text,
        has_fixed_parts=False,
    ),
    Target("recording", _recording_seeds, _parse_recording, _mutate_file),
    Target("manifest", _manifest_seeds, _parse_manifest, mutate_json),
)
"""All parsers of files."""
