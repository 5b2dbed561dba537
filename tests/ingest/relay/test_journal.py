"""The journal: appended messages survive any crash, in order and once; dropped messages are reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.ingest.relay.durable import Mark
from kinestream.ingest.relay.journal import LEAP, Journal
from kinestream.ingest.relay.records import Record


def message(number: int, size: int = 40) -> list[bytes]:
    return [b"imu/wrist", b"%d" % number, bytes([number % 256]) * size]


def undelivered(journal: Journal, after: int | None = None) -> list[Record]:
    number = journal.delivered if after is None else after
    return [record for record in takewhile(lambda record: record is not None, journal.after(number)) if record]


def numbers_in(records: list[Record]) -> list[int]:
    """Return the numbers in the content of the messages."""
    return [int(record.frames[1]) for record in records]


def test_messages_are_read_in_order_and_again_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=8 << 20, segment_bytes=1000) as journal:
        name = journal.id
        reader = journal.after(0)
        assert next(reader) is None
        for number in range(200):
            assert journal.append(message(number)) == []
            record = next(reader)
            assert record == Record(number + 1, tuple(message(number)))
        assert next(reader) is None
    with Journal(tmp_path) as journal:
        assert journal.id == name
        assert numbers_in(undelivered(journal)) == list(range(200))
        assert journal.next > 200 + LEAP - 1
        journal.append(message(200))
        assert numbers_in(undelivered(journal, after=150)) == list(range(150, 201))
        assert journal.damaged_bytes == 0


def test_delivered_messages_are_removed_for_good(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=1000) as journal:
        for number in range(100):
            journal.append(message(number))
        files = len(list(tmp_path.glob("*.seg")))
        journal.deliver(60)
        assert len(list(tmp_path.glob("*.seg"))) < files / 2
        journal.deliver(10)
        assert journal.delivered == 60
    with Journal(tmp_path) as journal:
        assert journal.delivered == 60
        assert numbers_in(undelivered(journal)) == list(range(60, 100))


def test_a_full_journal_drops_and_returns_its_oldest_messages(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=10_000) as journal:
        lost: list[Record] = []
        for number in range(1000):
            room = journal.has_room(message(number))
            dropped = journal.append(message(number))
            assert bool(dropped) is not room
            lost += dropped
        assert journal.size_bytes <= 10_000
        assert sum(path.stat().st_size for path in tmp_path.glob("*.seg")) == journal.size_bytes
        assert numbers_in(lost) + numbers_in(undelivered(journal)) == list(range(1000))
        assert len(lost) > 500


def test_a_reader_continues_after_dropped_messages(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=10_000) as journal:
        journal.append(message(0))
        reader = journal.after(0)
        assert next(reader) is not None
        lost = [record for number in range(1, 1000) for record in journal.append(message(number))]
        rest = [record for record in takewhile(lambda record: record is not None, reader) if record]
        assert numbers_in(rest) == numbers_in(undelivered(journal))
        assert numbers_in(lost) + numbers_in(rest) == list(range(1000))


def test_a_message_longer_than_a_segment_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=1000) as journal:
        for number in range(5):
            journal.append(message(number, size=600_000))
        assert [record.frames[2] for record in undelivered(journal)] == [
            message(number, 600_000)[2] for number in range(5)
        ]


@pytest.mark.parametrize("cut", [1, 9, 30, 60])
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
        assert journal.damaged_bytes > 0


def test_a_flipped_bit_loses_no_more_than_the_rest_of_its_segment(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=1000) as journal:
        for number in range(100):
            journal.append(message(number))
    path = sorted(tmp_path.glob("*.seg"))[2]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with Journal(tmp_path) as journal:
        numbers = numbers_in(undelivered(journal))
        assert 80 < len(numbers) < 100
        assert numbers == sorted(set(numbers))
        assert journal.damaged_bytes > 0


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
        dropped: list[int] = []
        for step, value in steps:
            if step == "append":
                dropped += numbers_in(journal.append(message(appended, value)))
                appended += 1
            elif step == "deliver":
                waiting = undelivered(journal)[:value]
                if waiting:
                    delivered += numbers_in(waiting)
                    journal.deliver(waiting[-1].number)
            else:
                journal.close()
                journal = Journal(Path(folder), max_bytes=20_000)
        assert sorted([*delivered, *dropped, *numbers_in(undelivered(journal))]) == list(range(appended))
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
