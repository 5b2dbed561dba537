"""A recording tells damage from data: no flipped bit or lost file gives wrong samples, or costs more than itself."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.chaos.flips import flip_bits, write_recording
from kinestream.core.errors import DataDamaged
from kinestream.replay_data.recordings import RecordingReader, RecordingWriter, is_recording, open_recording, recover
from kinestream.replay_data.recordings.check import check_recording
from kinestream.replay_data.recordings.checked_parquet import about_of, parquet_bytes, read_checked
from kinestream.replay_data.recordings.description import DESCRIPTION_KEY, Description
from tests.replay_data.recordings.recorded import acc_only, as_bytes, chunks, prediction, writer

RELEASED = Path(__file__).parents[2] / "compatibility" / "files"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed recording of two streams in four segments, with predictions."""
    to = writer(tmp_path / "r", segment_s=2.0)
    for number, (one, two) in enumerate(zip(chunks(400), acc_only(200), strict=True)):
        to.write([one, two, prediction(number)])
    to.close()
    return tmp_path / "r"


def content(folder: Path) -> list[tuple[object, ...]]:
    return list(map(as_bytes, RecordingReader(folder).chunks()))


def recorded() -> list[tuple[object, ...]]:
    return [as_bytes(chunk) for pair in zip(chunks(400), acc_only(200), strict=True) for chunk in pair]


def test_no_flipped_bit_gives_wrong_samples_in_silence(tmp_path: Path) -> None:
    outcome = flip_bits(tmp_path, flips=40, seed=12)
    assert (outcome.silent, outcome.wrong) == ([], [])
    assert set(outcome.by_file) == {"samples", "predictions", "events", "tail", "recording.json"}
    assert outcome.reported > 15
    assert max(outcome.lost) <= 250  # a flip costs at most the samples of one segment


def test_every_page_has_a_checksum_that_other_programs_verify(folder: Path) -> None:
    path = folder / "samples-000001.parquet"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_damage_is_reported_with_its_file_the_rows_it_costs_and_the_repair(folder: Path) -> None:
    path = folder / "samples-000001.parquet"
    rows = len(pq.read_table(path))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(damaged)
    expected = rf"samples-000001.parquet cannot be read .*: up to {rows} samples are lost; kinestream recover"
    with pytest.raises(DataDamaged, match=expected):
        list(RecordingReader(folder).chunks())
    report = check_recording(folder)
    assert not report.sound
    assert f"up to {rows} samples are lost" in report.problems[0]
    repaired = recover(folder)
    assert (repaired.damaged, repaired.lost["samples"], repaired.kept["samples"]) == (
        *(["samples-000001.parquet"], rows),
        600 - rows,
    )
    assert set(content(folder)) < set(recorded())
    notices = " ".join(open_recording(folder).notices)
    assert f"lacks {rows} samples before segment 2" in notices + " ".join(check_recording(folder).notes)
    assert check_recording(folder).sound  # it documents what it lost


def test_a_flipped_bit_costs_only_the_row_group_that_it_hits(tmp_path: Path) -> None:
    to = writer(tmp_path / "r")
    to.write(chunks(5000, 2000))
    to.close()
    path = tmp_path / "r" / "samples-000000.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[pq.read_metadata(path).row_group(1).column(12).data_page_offset + 100] ^= 1
    path.write_bytes(damaged)
    report = recover(tmp_path / "r")
    assert (report.kept["samples"], report.lost["samples"]) == (3500, 1500)
    seqs = [(chunk.seq, len(chunk)) for chunk in RecordingReader(tmp_path / "r").chunks()]
    assert seqs == [(0, 1500), (3000, 1000), (4000, 1000)]
    whole = np.concatenate([chunk.x for chunk in chunks(5000, 2000)])
    for chunk in RecordingReader(tmp_path / "r").chunks():
        assert np.array_equal(chunk.x, whole[chunk.seq : chunk.seq + len(chunk)])
    assert check_recording(tmp_path / "r").sound


def test_a_footer_without_its_checksum_is_damage_but_a_file_of_release_0_1_0_is_not(folder: Path) -> None:
    path = folder / "samples-000000.parquet"
    path.write_bytes(path.read_bytes().replace(b"kinestream.crc32", b"kinestream.crc33"))
    with pytest.raises(DataDamaged, match="its checksum is missing"):
        list(RecordingReader(folder).chunks())
    old = check_recording(RELEASED / "recording")
    assert old.sound
    assert "3 files have no checksums" in " ".join(old.notes)


def test_a_name_that_looks_like_a_checksum_is_a_name(tmp_path: Path) -> None:
    name = "kinestream.crc32\x18\x1001234567012345670"
    table = pa.table({name: [1, 2], "stream": [name, name]})
    content = parquet_bytes(table, {"kinestream": json.dumps(name)})
    assert read_checked(content).equals(table)
    assert json.loads(about_of(content)["kinestream"]) == name


@pytest.mark.parametrize("lost", ["recording.json", "events-000000.parquet"])
@pytest.mark.parametrize("how", ["removed", "damaged"])
def test_one_lost_small_file_costs_no_sample(folder: Path, lost: str, how: str) -> None:
    before = RecordingReader(folder).manifest
    if how == "removed":
        (folder / lost).unlink()
    else:
        (folder / lost).write_bytes((folder / lost).read_bytes()[:-3] + b"\x00\x00\x00")
    assert is_recording(folder)
    assert content(folder) == recorded()
    notices = " ".join(open_recording(folder).notices)
    assert lost.partition("-")[0] in notices
    assert next(record.prediction.labels for record in RecordingReader(folder).predictions()) == ("walking", "sitting")
    report = recover(folder)
    assert report.kept["samples"] == 600
    manifest = RecordingReader(folder).manifest
    kept = [key for key in before if key != "ended"]
    assert [manifest[key] for key in kept] == [before[key] for key in kept]
    assert content(folder) == recorded()


def test_samples_outlive_the_manifest_and_all_events(folder: Path) -> None:
    for path in [folder / "recording.json", *folder.glob("events-*"), *folder.glob("predictions-*")]:
        path.unlink()
    assert content(folder) == recorded()
    assert "the model and the policy of the run are lost" in RecordingReader(folder).findings[0]
    worn, wrist = open_recording(folder)
    assert (worn.label_names, len(worn), len(wrist), wrist.fs_hz) == (("walking", "sitting"), 400, 200, 25.0)
    report = recover(folder)
    assert (report.manifest, report.kept["samples"]) == ("rebuilt", 600)
    assert "the model and the policy of the run are lost" not in " ".join(open_recording(folder).notices)
    assert RecordingReader(folder).manifest["source"] == {"name": "test", "live": False}
    assert content(folder) == recorded()


@pytest.mark.parametrize("number", [0, 2])
def test_one_segment_alone_is_readable(folder: Path, tmp_path: Path, number: int) -> None:
    name = f"samples-{number:06d}.parquet"
    (tmp_path / "alone").mkdir()
    shutil.copy(folder / name, tmp_path / "alone" / name)
    alone = content(tmp_path / "alone")
    assert len(alone) > 5
    assert set(alone) < set(recorded())


def test_a_killed_recording_without_its_manifest_is_read_and_repaired(tmp_path: Path) -> None:
    write_recording(tmp_path / "r", closed=False)
    before = content(tmp_path / "r")
    (tmp_path / "r" / "recording.json").unlink()
    assert content(tmp_path / "r") == before
    report = recover(tmp_path / "r")
    assert (report.manifest, report.tails_sealed) == ("rebuilt", 1)
    assert content(tmp_path / "r") == before
    assert check_recording(tmp_path / "r").sound


def test_a_tail_whose_description_is_damaged_is_sealed_with_what_the_others_know(tmp_path: Path) -> None:
    write_recording(tmp_path / "r", closed=False)
    before = content(tmp_path / "r")
    (tail,) = (tmp_path / "r").glob("tail-*.log")
    damaged = bytearray(tail.read_bytes())
    damaged[30] ^= 1
    tail.write_bytes(damaged)
    assert content(tmp_path / "r") == before
    assert recover(tmp_path / "r").holes == 1
    assert content(tmp_path / "r") == before


@pytest.mark.parametrize("name", ["recording", "killed"])
def test_a_recording_of_release_0_1_0_without_its_manifest_is_readable(tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(RELEASED / name, tmp_path / name))
    before = content(folder)
    (folder / "recording.json").unlink()
    assert content(folder) == before
    assert recover(folder).manifest == "rebuilt"
    assert content(folder) == before


def test_a_segment_describes_its_streams_its_rows_and_its_recording(folder: Path) -> None:
    file = (folder / "samples-000001.parquet").read_bytes()
    values = json.loads(pq.read_metadata(folder / "samples-000001.parquet").metadata[DESCRIPTION_KEY.encode()])
    assert {"version", "units", "started_utc", "host_clock", "kinestream"} <= set(values)
    description = Description.from_json(about_of(file)[DESCRIPTION_KEY])
    assert description.about["source"] == {"name": "test", "live": False}
    assert description.model_labels == ("walking", "sitting")
    table = read_checked(file)
    assert description.rows["samples"] == len(table)
    assert description.rows_before["samples"] == len(pq.read_table(folder / "samples-000000.parquet"))
    ((epoch, first, last, n),) = description.epochs["wrist"]
    own = table.filter(pa.compute.equal(table["stream"], "wrist"))
    assert (epoch, n, last) == ("one", len(own), first + len(own) - 1)
    assert {since.stream: since.format.fs_hz for since in description.formats} == {"s": 50.0, "wrist": 25.0}


def test_a_missing_segment_is_counted(folder: Path) -> None:
    rows = len(pq.read_table(folder / "samples-000001.parquet"))
    (folder / "samples-000001.parquet").unlink()
    report = check_recording(folder)
    assert not report.sound
    assert f"lacks {rows} samples before segment 2" in " ".join(report.problems)
    assert f"samples-000001.parquet is missing: its {rows} samples are lost" in " ".join(open_recording(folder).notices)
    for path in folder.glob("*-000001.parquet"):
        path.unlink()
    assert f"lacks {rows} samples before segment 2" in " ".join(open_recording(folder).notices)


def test_missing_last_samples_are_counted(folder: Path) -> None:
    last = max(folder.glob("samples-*"))
    rows = len(pq.read_table(last))
    last.unlink()
    assert f"lacks its last {rows} samples" in " ".join(check_recording(folder).problems)


def test_an_edited_manifest_is_used_once_its_checksum_is_removed(folder: Path) -> None:
    manifest = json.loads((folder / "recording.json").read_text())
    manifest["wearer"] = "bea"
    (folder / "recording.json").write_text(json.dumps(manifest))
    reader = RecordingReader(folder)
    assert reader.manifest["wearer"] is None
    assert "remove the line crc32 if you edited it" in reader.findings[0]
    del manifest["crc32"]
    (folder / "recording.json").write_text(json.dumps(manifest))
    assert RecordingReader(folder).manifest["wearer"] == "bea"


def test_a_folder_of_other_tables_is_no_recording(tmp_path: Path) -> None:
    pq.write_table(pa.table({"t": [0.0], "acc_x": [1.0]}), tmp_path / "samples-000000.parquet")
    (tmp_path / "tail-000000.log").write_text("12:00 started")
    assert not is_recording(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_only_the_user_can_read_a_recording(folder: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "killed", closed=False)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, tmp_path / "killed")} == {0o700}
    files = [*folder.iterdir(), *(tmp_path / "killed").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    recover(tmp_path / "killed")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "killed").iterdir()} == {0o600}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 400 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_everything_written_before_a_disk_is_full_stays_readable_and_is_repaired(small_disk: Path) -> None:
    folder = small_disk / "r"
    to = writer(folder, segment_s=2.0)
    written = fill(to)
    before = content(folder)
    assert written <= sum(len(chunk) for chunk in RecordingReader(folder).chunks()) <= written + 20
    assert len(list(folder.glob("samples-*"))) > 2
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(400 << 10))
    with pytest.raises(OSError, match="No space left"):
        recover(folder)
    assert content(folder) == before
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    assert recover(folder).kept["samples"] == sum(map(len, RecordingReader(folder).chunks()))
    assert content(folder) == before


def fill(to: RecordingWriter) -> int:
    """Write until the disk is full, and return the samples written."""
    written = 0
    for chunk in chunks(100_000):  # more than the disk holds
        try:
            to.write([chunk])
        except OSError:
            break
        written += len(chunk)
    to.abandon()
    return written
