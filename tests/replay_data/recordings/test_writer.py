"""The writer: everything comes back bit by bit, complete or cut off, and other programs can read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from kinestream.core.signals import UNLABELLED, SampleChunk
from kinestream.replay_data.recordings import Event, RecordingReader, open_recording, recover
from kinestream.replay_data.recordings.schema import (
    AFTER_LOSS,
    COMPUTED,
    DROPPED,
    EPOCH_START,
    NOT_FINITE,
    NOT_LATER,
    NOT_RECORDED,
    SCHEMAS,
)
from tests.replay_data.recordings.recorded import acc_only, as_bytes, chunks, prediction, writer


def interleaved() -> list[SampleChunk]:
    """Two streams in turn; the first changes its epoch and rate halfway."""
    first, second = chunks(400), acc_only(200)
    first[10:] = [replace(chunk, session="two", fs_hz=100.0, seq=chunk.seq - 200) for chunk in first[10:]]
    return [chunk for pair in zip(first, second, strict=True) for chunk in pair]


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_chunks_come_back_bit_by_bit(tmp_path: Path, closed: bool, at_once: int) -> None:
    recorded = interleaved()
    to = writer(tmp_path / "r", segment_s=3.0)
    for at in range(0, len(recorded), at_once):
        to.write(recorded[at : at + at_once])
    if closed:
        to.close()
    back = list(RecordingReader(tmp_path / "r").chunks())
    assert list(map(as_bytes, back)) == list(map(as_bytes, recorded))
    assert len(RecordingReader(tmp_path / "r").segments) > 1 or at_once == 1000
    to.abandon()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    values=st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=6, max_size=6),
    label=st.integers(-1, 1),
    segment_s=st.floats(0.1, 5.0),
)
def test_any_values_and_chunk_sizes_come_back(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], values: list[float], label: int, segment_s: float
) -> None:
    folder = tmp_path_factory.mktemp("any") / "r"
    recorded, seq = [], 0
    for size in sizes:
        x = np.tile(np.array(values, np.float32), (size, 1))
        t, codes = np.arange(seq, seq + size) / 50, np.full(size, label, np.int16)
        recorded.append(replace(chunks(20)[0], x=x, t=t, labels=codes, seq=seq, received_s=float(t[-1])))
        seq += size
    to = writer(folder, segment_s=segment_s)
    to.write(recorded)
    to.close()
    assert list(map(as_bytes, RecordingReader(folder).chunks())) == list(map(as_bytes, recorded))


def test_predictions_come_back_with_their_context(tmp_path: Path) -> None:
    bare = prediction(1, battery=None, deadline_ms=None)
    bare = replace(bare, prediction=replace(bare.prediction, truth=None, battery_frac=None))
    to = writer(tmp_path / "r")
    to.write([prediction(0), *chunks(20), bare])
    to.close()
    first, second = RecordingReader(tmp_path / "r").predictions()
    for read, expected in ((first, prediction(0)), (second, bare)):
        assert read.prediction.probs.tobytes() == expected.prediction.probs.tobytes()
        no_probs = np.empty(0, np.float32)
        plain = [replace(r, prediction=replace(r.prediction, probs=no_probs)) for r in (read, expected)]
        assert repr(plain[0]) == repr(plain[1])


def test_as_computed_yields_only_the_chunks_the_pipeline_processed(tmp_path: Path) -> None:
    recorded = chunks(400, 20)
    to = writer(tmp_path / "r")
    to.write(recorded)
    dropped = {"stream": "s", "session": "one", "seq": 40, "samples": 20}
    to.write([Event(DROPPED, dropped), Event(NOT_RECORDED, {"samples": 7}), Event(COMPUTED, {"chunks": 18})])
    to.close()
    reader = RecordingReader(tmp_path / "r")
    computed = list(reader.chunks(as_computed=True))
    assert [chunk.seq for chunk in computed] == [0, 20, *range(40, 340, 20)]  # numbered as the pipeline saw them
    assert [float(c.t[0]) for c in computed] == [float(c.t[0]) for c in recorded[:18] if c.seq != 40]
    assert len(list(reader.chunks())) == 20
    assert reader.counts() == {"dropped_live": 20, "not_recorded": 7}


def test_every_segment_has_the_same_columns_for_all_streams(tmp_path: Path) -> None:
    to = writer(tmp_path / "r", segment_s=1.0)
    for batch in (acc_only(100), chunks(100), chunks(300), [prediction()]):
        to.write(batch)
    to.close()
    for kind, schema in SCHEMAS.items():
        stored = ds.dataset(sorted((tmp_path / "r").glob(f"{kind}-*.parquet"))).schema
        assert stored.equals(schema)
    files = sorted((tmp_path / "r").glob("samples-*.parquet"))
    table = ds.dataset(files).to_table()
    assert len(files) > 2
    assert table["gyro_x"].null_count == 100
    assert set(table["label"].to_pylist()) == {None, "walking", "sitting"}


def test_flags_mark_epoch_starts_losses_and_bad_values(tmp_path: Path) -> None:
    first, second, third, fourth = chunks(80, 20)
    second = replace(second, x=np.where(np.arange(20)[:, None] == 3, np.nan, second.x).astype(np.float32))
    third = replace(third, seq=third.seq + 5, t=third.t[::-1].copy())
    fourth = replace(fourth, session="two", seq=0)
    to = writer(tmp_path / "r")
    to.write([first, second, third, fourth])
    to.close()
    flags = RecordingReader(tmp_path / "r").table("samples", 0)["flags"].to_numpy()
    expected = np.zeros(80, np.uint8)
    expected[[0, 60]] = EPOCH_START
    expected[23] = NOT_FINITE
    expected[40] = AFTER_LOSS
    expected[41:60] = NOT_LATER
    assert flags.tolist() == expected.tolist()


def test_pandas_polars_and_duckdb_read_it_by_glob(tmp_path: Path) -> None:
    to = writer(tmp_path / "r", segment_s=2.0)
    to.write(chunks(300))
    to.write([prediction(0), prediction(1)])
    to.close()
    tried = 0
    for name in ("pandas", "polars", "duckdb"):
        try:
            library = __import__(name)
        except ImportError:
            continue
        tried += 1
        if name == "pandas":
            frames = [library.read_parquet(path) for path in sorted((tmp_path / "r").glob("samples-*.parquet"))]
            rows, top = len(library.concat(frames)), frames[0]["acc_x"].iloc[0]
            predicted = library.read_parquet(next((tmp_path / "r").glob("predictions-*.parquet")))["label"].tolist()
        elif name == "polars":
            frame = library.read_parquet(tmp_path / "r" / "samples-*.parquet")
            rows, top = len(frame), frame["acc_x"][0]
            predicted = library.read_parquet(tmp_path / "r" / "predictions-*.parquet")["label"].to_list()
        else:
            result = library.sql(f"select count(*), first(acc_x order by seq) from '{tmp_path}/r/samples-*.parquet'")
            ((rows, top),) = result.fetchall()
            labels = library.sql(f"select label from '{tmp_path}/r/predictions-*.parquet'")
            predicted = [row[0] for row in labels.fetchall()]
        assert (rows, np.float32(top)) == (300, chunks(20)[0].x[0, 0]), name
        assert predicted == ["walking", "walking"], name
    if not tried:
        pytest.skip("none of pandas, polars and duckdb is installed")


def test_recording_into_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    writer(tmp_path / "r").close()
    before = sorted((tmp_path / "r").iterdir())
    with pytest.raises(ConfigError, match="holds a recording already"):
        writer(tmp_path / "r")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        writer(tmp_path / "notes")
    with pytest.raises(ConfigError, match="cannot record into"):
        writer(tmp_path / "notes" / "a.txt")
    assert sorted((tmp_path / "r").iterdir()) == before


def test_the_manifest_describes_the_recording_and_its_end(tmp_path: Path) -> None:
    to = writer(tmp_path / "r")
    to.write([*chunks(40), *acc_only(20)])
    open_ = json.loads((tmp_path / "r" / "recording.json").read_text())
    to.close({"lost": 3})
    closed = json.loads((tmp_path / "r" / "recording.json").read_text())
    assert open_["ended"] is None
    assert open_["streams"]["wrist"] == {"channels": ["acc_x", "acc_y", "acc_z"], "rate_hz": 25.0, "left_out": []}
    assert {"format", "version", "kinestream", "host_clock", "source", "units"} <= set(open_)
    assert closed["ended"]["how"] == "closed"
    assert closed["ended"]["rows"]["samples"] == 60
    assert closed["ended"]["counts"] == {"lost": 3}


def test_recovery_repeats_an_interrupted_seal(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    to = writer(folder)
    to.write(chunks(200))
    tail = (folder / "tail-000000.log").read_bytes()
    to.close()
    (folder / "tail-000000.log").write_bytes(tail)  # the segments are renamed, the tail is not removed yet
    (folder / ".samples-000000.parquet.part").write_bytes(b"PAR1 half")
    assert sum(map(len, RecordingReader(folder).chunks())) == 200
    report = recover(folder)
    assert report.kept["samples"] == sum(map(len, RecordingReader(folder).chunks())) == 200
    assert report.leftovers == [".samples-000000.parquet.part"]


def test_recovery_reports_the_losses(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    to = writer(folder, segment_s=1.0)
    for chunk in chunks(200):
        to.write([chunk])
    to.write(chunks(20))
    to.abandon()
    (tail,) = folder.glob("tail-*.log")
    tail.write_bytes(tail.read_bytes()[:-5])
    broken = folder / "samples-000001.parquet"
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(DataDamaged, match="kinestream recover"):
        list(RecordingReader(folder).chunks())
    report = recover(folder)
    assert report.damaged == ["samples-000001.parquet"]
    assert (report.holes, report.bytes_lost > 100) == (1, True)
    assert (folder / "samples-000001.parquet.damaged").exists()
    assert report.kept["samples"] == sum(map(len, RecordingReader(folder).chunks())) < 220
    assert RecordingReader(folder).manifest["ended"]["how"] == "recovered"


def test_a_missing_a_damaged_and_a_newer_manifest_raise_different_errors(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="no recording in"):
        RecordingReader(tmp_path)
    (tmp_path / "recording.json").write_text("{}")
    with pytest.raises(DataDamaged, match="not the manifest"):
        RecordingReader(tmp_path)
    (tmp_path / "recording.json").write_text('{"format": "kinestream recording", "version": 99}')
    with pytest.raises(DataDamaged, match="version 99"):
        RecordingReader(tmp_path)


def test_a_recording_is_a_dataset_of_its_streams(tmp_path: Path) -> None:
    to = writer(tmp_path / "r", segment_s=2.0)
    recorded = chunks(300)
    recorded[10:] = [replace(chunk, session="two", t=chunk.t + 100) for chunk in recorded[10:]]
    bad = recorded[3].x.copy()
    bad[4] = np.inf
    recorded[3] = replace(recorded[3], x=bad)
    to.write([*recorded, *acc_only(100)])
    to.close()
    dataset = open_recording(tmp_path / "r")
    assert dataset.subjects == ("s", "wrist")
    assert dataset.label_names == ("walking", "sitting")
    worn, wrist = dataset
    assert (len(worn), worn.segments, worn.repairs) == (299, ((0, 199), (199, 299)), {"not_finite": 1})
    assert np.isfinite(worn.x).all()
    assert worn.labels is not None
    assert set(worn.labels.tolist()) == {UNLABELLED, 0, 1}
    assert (len(wrist), wrist.fs_hz, wrist.channels) == (100, 25.0, ("acc_x", "acc_y", "acc_z"))
    assert wrist.labels is not None
    assert set(wrist.labels.tolist()) == {UNLABELLED}


def test_an_empty_recording_cannot_be_opened_as_a_dataset(tmp_path: Path) -> None:
    writer(tmp_path / "r").close()
    with pytest.raises(DataDamaged, match="no samples"):
        open_recording(tmp_path / "r")


def test_a_channel_without_a_column_is_left_out_with_a_notice(tmp_path: Path) -> None:
    to = writer(tmp_path / "r")
    pulse = [replace(c, channels=("pulse", *c.channels[1:])) for c in chunks(40)]
    only = [replace(c, stream="ppg", channels=("ppg",), x=c.x[:, :1]) for c in chunks(40)]
    to.write([*pulse, *only])
    to.close()
    back = list(RecordingReader(tmp_path / "r").chunks())
    assert back[0].channels == pulse[0].channels[1:]
    assert np.array_equal(back[0].x, pulse[0].x[:, 1:])
    assert back[-1].x.shape == (20, 0)
    assert [notice.split(" was")[0] for notice in open_recording(tmp_path / "r").notices] == ["s: pulse", "ppg: ppg"]
