"""The journal: appended messages survive any crash, in order and once; dropped messages are reported."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import textwrap
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.ingest.relay.durable import Mark
from kinestream.ingest.relay.journal import Journal, Lost
from kinestream.ingest.relay.records import Record, pack_record


def message(number: int, size: int = 40) -> list[bytes]:
    return [b"imu/wrist", b"%d" % number, bytes([number % 256]) * size]


def undelivered(journal: Journal, after: int | None = None) -> list[Record]:
    number = journal.delivered if after is None else after
    return [record for record in takewhile(lambda record: record is not None, journal.after(number)) if record]


def append_many(journal: Journal, count: int) -> None:
    for number in range(count):
        journal.append(message(number))


def numbers_in(records: list[Record]) -> list[int]:
    """Return the numbers in the content of the messages."""
    return [int(record.frames[1]) for record in records]


def test_messages_are_read_in_order_and_again_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=8 << 20, segment_bytes=1000) as journal:
        name = journal.id
        reader = journal.after(0)
        assert next(reader) is None
        for number in range(200):
            journal.append(message(number))
            record = next(reader)
            assert record
            assert (record.number, record.frames) == (number + 1, tuple(message(number)))
        assert next(reader) is None
    with Journal(tmp_path) as journal:
        assert journal.id == name
        assert numbers_in(undelivered(journal)) == list(range(200))
        assert journal.next == 201
        journal.append(message(200))
        assert numbers_in(undelivered(journal, after=150)) == list(range(150, 201))
        assert journal.damaged.size_bytes == 0


def test_delivered_messages_are_removed_for_good(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=1000) as journal:
        for number in range(100):
            journal.append(message(number))
        files = len(list(tmp_path.glob("*.seg")))
        journal.deliver(60)
        assert len(list(tmp_path.glob("*.seg"))) <= files / 2
        journal.deliver(10)
        assert journal.delivered == 60
    with Journal(tmp_path) as journal:
        assert journal.delivered == 60
        assert numbers_in(undelivered(journal)) == list(range(60, 100))


def test_a_full_journal_drops_and_returns_its_oldest_messages(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=10_000) as journal:
        for number in range(1000):
            room, dropped = journal.has_room(message(number)), journal.dropped.messages
            journal.append(message(number), samples=5)
            assert (journal.dropped.messages > dropped) is not room
        lost = journal.dropped.messages
        assert journal.dropped.samples == 5 * lost
        assert journal.size_bytes <= 10_000
        assert sum(path.stat().st_size for path in tmp_path.glob("*.seg")) == journal.size_bytes
        assert numbers_in(undelivered(journal)) == list(range(lost, 1000))
        assert lost > 500


def test_a_reader_continues_after_dropped_messages(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=10_000) as journal:
        journal.append(message(0))
        reader = journal.after(0)
        assert next(reader) is not None
        for number in range(1, 1000):
            journal.append(message(number))
        rest = [record for record in takewhile(lambda record: record is not None, reader) if record]
        assert numbers_in(rest) == numbers_in(undelivered(journal))
        assert numbers_in(rest) == list(range(journal.dropped.messages, 1000))
        assert journal.damaged == Lost()


def test_a_message_longer_than_a_segment_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=1000) as journal:
        for number in range(5):
            journal.append(message(number, size=600_000))
        assert [record.frames[2] for record in undelivered(journal)] == [
            message(number, 600_000)[2] for number in range(5)
        ]


@pytest.mark.parametrize("cut", [1, 9, 30, 80])
def test_a_torn_tail_is_skipped_and_later_messages_are_kept(tmp_path: Path, cut: int) -> None:
    with Journal(tmp_path) as journal:
        for number in range(10):
            journal.append(message(number))
    path = next(tmp_path.glob("*.seg"))
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - cut)
    with Journal(tmp_path) as journal:
        journal.append(message(10))
        assert numbers_in(undelivered(journal)) == [*range(9), 10]
        assert journal.damaged.size_bytes > 0
        assert journal.damaged.messages == (cut < 80)  # of the longest cut, not even the head is left


def test_any_flipped_bit_costs_at_most_one_message_which_is_counted(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(12):
            journal.append(message(number, 10), samples=10)
    path = next(tmp_path.glob("*.seg"))
    whole = path.read_bytes()
    rng = random.Random(0)
    for bit in rng.sample(range(8 * len(whole)), 400):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with Journal(tmp_path) as journal:
            assert journal.next == 13
            numbers = numbers_in(undelivered(journal))
            numbers_in(undelivered(journal))  # read again, counted once
            lost = journal.damaged
        assert set(numbers) <= set(range(12))
        assert numbers == sorted(set(numbers))
        assert lost.messages == 12 - len(numbers) <= 1
        assert lost.samples == 10 * lost.messages


@pytest.mark.parametrize("size", [1, 100, 700])
def test_overwritten_bytes_cost_the_messages_there_and_are_counted(tmp_path: Path, size: int) -> None:
    rng = random.Random(size)
    with Journal(tmp_path, segment_bytes=3000) as journal:
        for number in range(100):
            journal.append(message(number), samples=7)
    for path in sorted(tmp_path.glob("*.seg"))[1:-1]:
        data = bytearray(path.read_bytes())
        at = rng.randrange(len(data) - size)
        data[at : at + size] = rng.randbytes(size)
        path.write_bytes(data)
    with Journal(tmp_path) as journal:
        kept = undelivered(journal)
        assert len(kept) + journal.damaged.messages == 100
        assert sum(record.samples for record in kept) + journal.damaged.samples == 700
        assert 0 < journal.damaged.messages < 100


def test_a_message_inside_a_damaged_message_is_not_taken_for_one(tmp_path: Path) -> None:
    inner = pack_record(Record(2, (b"forged",), 1, 1), 1, 200)
    with Journal(tmp_path) as journal:
        journal.append([b"topic", inner * 20, b""], samples=1)
        journal.append([b"topic", b"honest", b""], samples=1)
    path = next(tmp_path.glob("*.seg"))
    data = bytearray(path.read_bytes())
    data[:36] = bytes(36)
    path.write_bytes(data)
    with Journal(tmp_path) as journal:
        assert [record.frames[1] for record in undelivered(journal)] == [b"honest"]
        assert journal.damaged.messages == 1


def old_record(number: int, frames: list[bytes]) -> bytes:
    body = struct.pack(f"<QI{len(frames)}I", number, len(frames), *map(len, frames)) + b"".join(frames)
    return struct.pack("<II", len(body) + 8, crc32(body)) + body


def old_journal(folder: Path) -> None:
    (folder / "id").write_text(bytes(range(16)).hex())
    for first in (1, 11):
        records = [old_record(number, message(number)) for number in range(first, first + 10)]
        (folder / f"{first:020}.seg").write_bytes(b"".join(records))


def test_a_journal_of_release_0_1_0_is_read_and_sent_under_its_identity(tmp_path: Path) -> None:
    old_journal(tmp_path)
    for _ in range(2):
        with Journal(tmp_path) as journal:
            journal.append(message(journal.next))
            records = undelivered(journal)
            assert numbers_in(records) == list(range(1, journal.next))
            assert {record.key for record in records[:20]} == {bytes(range(16))}
            assert records[20].key != records[0].key == journal.id
            assert journal.damaged == Lost()


def test_damage_in_an_old_journal_costs_one_message_too(tmp_path: Path) -> None:
    old_journal(tmp_path)
    path = tmp_path / f"{1:020}.seg"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with Journal(tmp_path) as journal:
        assert len(undelivered(journal)) == 19
        assert journal.damaged.messages == 1


def test_a_full_disk_refuses_the_new_message_and_keeps_the_old_ones(tmp_path: Path, monkeypatch: Any) -> None:
    write = os.write
    with Journal(tmp_path, segment_bytes=1000) as journal:
        for number in range(20):
            journal.append(message(number))
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:30]))  # a disk takes part of it
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                journal.append(message(20))
        monkeypatch.undo()
        journal.append(message(20))
        assert numbers_in(undelivered(journal)) == list(range(21))
        assert journal.damaged == journal.dropped == Lost()
    with Journal(tmp_path) as journal:
        assert numbers_in(undelivered(journal)) == list(range(21))


def test_sent_messages_are_not_dropped(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=10_000) as journal:
        for number in range(20):
            journal.append(message(number))
        journal.sent[journal.key_after(0)] = 5
        for number in range(20, 500):
            journal.append(message(number))
        numbers = numbers_in(undelivered(journal))
        assert numbers[:5] == [0, 1, 2, 3, 4]
        assert len(numbers) + journal.dropped.messages == 500
        assert journal.damaged == Lost()
        journal.sent[journal.key_after(0)] = journal.newest
        with pytest.raises(OSError, match="awaits its acknowledgement"):
            append_many(journal, 100)
    with Journal(tmp_path, max_bytes=10_000) as journal:
        assert numbers_in(undelivered(journal))[: len(numbers)] == numbers
        assert journal.damaged == Lost(), "what was dropped is not reported again"


def test_only_this_user_can_read_a_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.append(message(0))
        journal.deliver(1)
        if os.name == "posix":
            assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
            assert {path.stat().st_mode & 0o777 for path in (tmp_path / "journal").iterdir()} == {0o600}


def test_two_processes_cannot_write_the_same_journal(tmp_path: Path) -> None:
    code = "import sys, pathlib, kinestream.ingest.relay.journal as j; j.Journal(pathlib.Path(sys.argv[1]))"
    with Journal(tmp_path):
        process = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
        assert "in use by another process" in process.stderr
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)


def test_an_impossible_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot keep a journal"):
        Journal(tmp_path / "file" / "journal")


def test_a_killed_writer_loses_no_appended_message(tmp_path: Path) -> None:
    """The writer prints each number after ``append`` has returned, and is killed in the middle."""
    code = """
        import sys
        from pathlib import Path
        from kinestream.ingest.relay.journal import Journal
        with Journal(Path(sys.argv[1]), segment_bytes=10_000) as journal:
            for number in range(10**9):
                journal.append([b"imu/wrist", b"%d" % number, bytes(40)])
                sys.stdout.write(f"{number}\\n")
                sys.stdout.flush()
    """
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        lines = [writer.stdout.readline() for _ in range(500)]
        writer.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        lines += [line for line in writer.stdout if line.endswith("\n")]
        last = int(lines[-1])
        writer.wait()
        with Journal(tmp_path) as journal:
            numbers = numbers_in(undelivered(journal))
            assert numbers == list(range(len(numbers)))
            assert len(numbers) in (last + 1, last + 2)
            journal.deliver(journal.next - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(0, 3000)),
            st.tuples(st.just("deliver"), st.integers(1, 20)),
            st.tuples(st.just("open"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_every_message_is_either_dropped_delivered_or_kept(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder), max_bytes=20_000)
        appended = 0
        delivered: list[int] = []
        dropped = 0
        for step, value in steps:
            if step == "append":
                journal.append(message(appended, value), samples=3)
                appended += 1
            elif step == "deliver":
                waiting = undelivered(journal)[:value]
                if waiting:
                    delivered += numbers_in(waiting)
                    journal.deliver(waiting[-1].number)
            else:
                dropped += journal.dropped.messages
                journal.close()
                journal = Journal(Path(folder), max_bytes=20_000)
        kept = [*delivered, *numbers_in(undelivered(journal))]
        assert kept == sorted(set(kept))
        assert len(kept) + dropped + journal.dropped.messages == appended
        assert journal.damaged == Lost()
        journal.close()


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5), st.integers(0, 1200))
@settings(max_examples=100, deadline=None)
def test_a_mark_survives_a_torn_write_with_the_old_or_the_new_number(values: list[int], at: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mark"
        mark = Mark(path)
        assert mark.value == 0
        for value in values:
            mark.set(value)
        mark.close()
        data = bytearray(path.read_bytes())
        slot = len(values) % 2 * 512  # the slot of the last write
        data[min(slot + at % 20, len(data) - 1)] ^= 1
        path.write_bytes(data)
        mark = Mark(path)
        assert mark.value == (values[-2] if len(values) > 1 else 0)
        mark.close()


@pytest.mark.skipif(os.name != "posix", reason="no modes")
def test_other_users_cannot_read_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(message(0))
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "journal").iterdir()} == {0o600}
    journal.close()


def test_a_segment_that_filled_the_disk_goes_when_it_is_delivered(tmp_path: Path, monkeypatch: Any) -> None:
    with Journal(tmp_path) as journal:
        for number in range(20):
            journal.append(message(number))
        monkeypatch.setattr(os, "write", lambda file, data: 0)
        with pytest.raises(OSError, match="No space left"):
            journal.append(message(20))
        monkeypatch.undo()
        journal.deliver(20)
        assert journal.size_bytes == 0
        journal.append(message(20))
        assert numbers_in(undelivered(journal)) == [20]
    with Journal(tmp_path) as journal:
        assert numbers_in(undelivered(journal)) == [20]
