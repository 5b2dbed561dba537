"""Exports to CSV and Motion-BIDS, and the import of XDF files."""

from __future__ import annotations

import csv
import json
import struct
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing, InputMismatch, MissingExtra
from kinestream.core.signals import STANDARD_GRAVITY, UNLABELLED
from kinestream.replay_data import open_dataset
from kinestream.replay_data.recordings import RecordingReader, open_recording
from kinestream.replay_data.recordings.export import export_csv
from kinestream.replay_data.recordings.motion_bids import export_motion_bids
from kinestream.replay_data.recordings.xdf import import_xdf
from kinestream.replay_data.recordings.xdf_file import BOUNDARY
from tests.replay_data.recordings.recorded import acc_only, chunks, prediction, writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two streams, one of them with two epochs, and two predictions."""
    to = writer(tmp_path / "r", segment_s=2.0)
    worn = [replace(c, x=c.x + np.array([0, 0, 9.8, 0, 0, 0], np.float32)) for c in chunks(300)]
    worn[10:] = [replace(chunk, session="two", t=chunk.t + 100) for chunk in worn[10:]]
    to.write([*worn, *acc_only(100), prediction(0), prediction(1)])
    to.close()
    return tmp_path / "r"


def test_csv_export_writes_all_samples_and_predictions_and_never_overwrites(folder: Path, tmp_path: Path) -> None:
    written = export_csv(RecordingReader(folder), tmp_path / "out.csv")
    assert written == {tmp_path / "out.csv": 400, tmp_path / "out-predictions.csv": 2}
    with open(tmp_path / "out-predictions.csv", newline="") as file:
        first, _ = csv.DictReader(file)
    assert (first["label"], first["policy"], float(first["p_sitting"])) == (
        *("walking", "fixed:subnet=0.35x-96"),
        pytest.approx(0.3),
    )
    with pytest.raises(ConfigError, match="exists already"):
        export_csv(RecordingReader(folder), tmp_path / "out.csv")


def test_an_exported_csv_file_opens_without_a_column_map(tmp_path: Path) -> None:
    to = writer(tmp_path / "r")
    to.write([replace(c, x=c.x + np.array([0, 0, 9.8, 0, 0, 0], np.float32)) for c in chunks(300)])
    to.close()
    export_csv(RecordingReader(tmp_path / "r"), tmp_path / "out.csv")
    dataset = open_dataset(str(tmp_path / "out.csv"))
    (back,), (recorded,) = dataset, open_recording(tmp_path / "r")
    assert dataset.notices == ()
    assert np.array_equal(back.x, recorded.x)
    assert back.t == pytest.approx(recorded.t)
    assert back.labels is not None
    assert recorded.labels is not None
    names, wanted = back.label_names, recorded.label_names
    assert [names[c] if c >= 0 else "" for c in back.labels] == [wanted[c] if c >= 0 else "" for c in recorded.labels]


def test_motion_bids_export_has_all_files_and_fields_the_standard_requires(folder: Path, tmp_path: Path) -> None:
    files = export_motion_bids(RecordingReader(folder), tmp_path / "bids", "daily life")
    stem = "sub-01_task-dailylife_tracksys-"
    assert [file.name for file in files] == [
        f"{stem}s_run-01_motion.tsv",
        f"{stem}s_run-02_motion.tsv",
        f"{stem}wrist_run-01_motion.tsv",
    ]
    about = json.loads((tmp_path / "bids" / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion"} <= set(about)
    for file in files:
        base = str(file).removesuffix("_motion.tsv")
        rows = [line.split("\t") for line in file.read_text().splitlines()]
        header, *channels = [line.split("\t") for line in Path(f"{base}_channels.tsv").read_text().splitlines()]
        sidecar = json.loads(Path(f"{base}_motion.json").read_text())
        assert header == ["name", "component", "type", "tracked_point", "units"]
        assert {len(row) for row in rows} == {len(channels)}  # and no header row
        assert float(rows[0][0]) == 0.0
        assert {"TaskName", "SamplingFrequency", "TrackingSystemName"} <= set(sidecar)
        kinds = [channel[2] for channel in channels]
        assert sidecar["ACCELChannelCount"] == kinds.count("ACCEL") == 3
        assert sidecar["MotionChannelCount"] == len(channels)
    x = np.loadtxt(files[0])[:, 1:].astype(np.float32)
    assert np.array_equal(x, np.concatenate([c.x for c in RecordingReader(folder).chunks()][:10]))
    events = Path(str(files[1]).replace("_motion.tsv", "_events.tsv")).read_text().splitlines()
    assert events == ["onset\tduration\ttrial_type", "0.000000\t2.000000\tsitting"]
    scans = (tmp_path / "bids" / "sub-01" / "sub-01_scans.tsv").read_text().splitlines()
    assert len(scans) == 1 + len(files)
    with pytest.raises(ConfigError, match="is not empty"):
        export_motion_bids(RecordingReader(folder), tmp_path / "bids", "daily life")


def xdf_chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def xdf_stream(number: int, name: str, kind: str, rate_hz: float, channels: list[tuple[str, str]]) -> bytes:
    channel_xml = "".join(f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label, unit in channels)
    xml = (
        f"<?xml version='1.0'?><info><name>{name}</name><type>x</type><channel_count>{len(channels)}</channel_count>"
        f"<nominal_srate>{rate_hz}</nominal_srate><channel_format>{kind}</channel_format>"
        f"<desc><channels>{channel_xml}</channels></desc></info>"
    )
    return xdf_chunk(2, struct.pack("<I", number) + xml.encode())


def xdf_samples(number: int, t: np.ndarray, rows: list[bytes]) -> bytes:
    body = b"".join(b"\x08" + struct.pack("<d", at) + row for at, row in zip(t, rows, strict=True))
    return xdf_chunk(3, struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(rows)) + body)


def xdf_file(path: Path, channels: list[tuple[str, str]], x: np.ndarray) -> Path:
    """An XDF file with a sensor at 50 Hz, a stream of markers and a stream that is not motion."""
    t = 1000 + np.arange(len(x)) / 50
    markers = [("Walking", 1000.99), ("Sitting Down", 1002.99)]
    texts = [b"\x04" + struct.pack("<I", len(text)) + text.encode() for text, _ in markers]
    path.write_bytes(
        b"XDF:"
        + xdf_chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        + xdf_stream(1, "IMU", "float32", 50.0, channels)
        + xdf_stream(2, "Markers", "string", 0.0, [("marker", "")])
        + xdf_stream(3, "Skin", "float32", 50.0, [("conductance", "uS")])
        + xdf_samples(1, t, [row.astype("<f4").tobytes() for row in x])
        + xdf_samples(2, np.array([at for _, at in markers]), texts)
        + xdf_samples(3, t[:50], [struct.pack("<f", 1.0)] * 50)
    )
    return path


IN_G = [*((f"Acc{axis}", "g") for axis in "XYZ"), *((f"Gyro{axis}", "deg/s") for axis in "XYZ")]


def test_an_xdf_file_becomes_a_recording_in_si_units(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    x = np.random.default_rng(0).normal(0, 0.1, (300, 6))
    x[:, 2] += 1
    outcomes = import_xdf(xdf_file(tmp_path / "a.xdf", IN_G, x), tmp_path / "r", wearer="anna")
    assert len(outcomes) == 3
    assert "Skin: left out" in " ".join(outcomes)
    (recording,) = open_recording(tmp_path / "r")
    assert (recording.subject, recording.fs_hz, len(recording)) == ("anna", 50.0, 300)
    assert recording.x[:, :3] == pytest.approx(x[:, :3] * STANDARD_GRAVITY, rel=1e-5)
    assert recording.x[:, 3:] == pytest.approx(np.deg2rad(x[:, 3:]), rel=1e-5)
    assert recording.label_names == ("sitting_down", "walking")
    assert recording.labels is not None
    assert recording.labels.tolist() == [UNLABELLED] * 50 + [1] * 100 + [0] * 150


def test_a_file_that_is_missing_damaged_or_without_motion_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    with pytest.raises(DataMissing):
        import_xdf(tmp_path / "none.xdf", tmp_path / "r")
    (tmp_path / "b.xdf").write_bytes(b"not an XDF file")
    with pytest.raises(DataDamaged, match="cannot be read as XDF"):
        import_xdf(tmp_path / "b.xdf", tmp_path / "r")
    skin_only = xdf_file(tmp_path / "c.xdf", [("a", "uS"), ("b", "uS")], np.ones((100, 2)))
    with pytest.raises(InputMismatch, match="no motion stream"):
        import_xdf(skin_only, tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_without_pyxdf_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyxdf", None)
    with pytest.raises(MissingExtra, match=r"'.\[xdf\]'"):
        import_xdf(tmp_path / "a.xdf", tmp_path / "r")


@pytest.mark.parametrize("count", [2**31, 2**63])
def test_an_xdf_file_that_announces_more_samples_than_it_has_costs_no_memory(tmp_path: Path, count: int) -> None:
    pytest.importorskip("pyxdf")
    path = xdf_file(tmp_path / "a.xdf", IN_G, np.tile([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (300, 1)))
    content = path.read_bytes()
    samples = xdf_chunk(3, struct.pack("<I", 2) + b"\x08" + struct.pack("<Q", count))
    path.write_bytes(content + samples + xdf_chunk(5, BOUNDARY) + xdf_chunk(9, b"unknown"))
    outcomes = import_xdf(path, tmp_path / "r")
    assert outcomes[0] == f"damaged: {len(samples) + 23} bytes in 1 places cannot be read, and their samples are lost"
    assert len(open_recording(tmp_path / "r")[0]) == 300


def test_damage_in_an_xdf_file_costs_the_samples_up_to_the_next_boundary_and_is_reported(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    path = xdf_file(tmp_path / "a.xdf", IN_G, np.tile([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (300, 1)))
    content = path.read_bytes()
    broken = xdf_samples(1, np.array([1006.0]), [bytes(24)])[:-24]
    more = xdf_samples(1, 1007 + np.arange(50) / 50, [np.array([0, 0, 1, 0, 0, 0], "<f4").tobytes()] * 50)
    path.write_bytes(content + broken + xdf_chunk(5, BOUNDARY) + more)
    assert import_xdf(path, tmp_path / "r")[0].startswith("damaged: ")
    assert len(open_recording(tmp_path / "r")[0]) == 350
