"""The inbox of a relay receiver, without sockets: answers to each message, and acknowledgements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kinestream.core.live_streams import MAX_STREAMS
from kinestream.ingest import EndOfStream, encode, encode_end
from kinestream.ingest.relay.inbox import LIVE_S, MAX_RELAYS, WINDOW, RelayInbox
from kinestream.ingest.relay.origins import SILENT_S
from kinestream.ingest.relay.wire import Kind, RelayMessage, pack
from tests.ingest.zmq.test_zmq import chunk

JOURNAL = bytes(range(16))


class Receiver:
    """An inbox, and the messages that it sends."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[Kind, int]] = []
        self.now_s = 0.0
        self.routes: list[tuple[bytes, Kind, int]] = []
        self.inbox = RelayInbox("test", folder, self._answer, clock=lambda: self.now_s)

    def _answer(self, route: bytes, message: RelayMessage) -> None:
        self.sent.append((message.kind, message.number))
        self.routes.append((route, message.kind, message.extra))

    def hello(self, delivered: int = 0, journal: bytes = JOURNAL, dropped: int = 0, process: int = 0) -> None:
        hello = RelayMessage(Kind.HELLO, journal, delivered, dropped, turn=process << 32 | 1)
        self.inbox.handle(b"route%d" % process, pack(hello))

    def data(
        self,
        number: int,
        before: int,
        frames: list[bytes] | None = None,
        journal: bytes = JOURNAL,
        process: int = 0,
    ) -> None:
        frames = frames or encode(chunk(25 * (number - 1)))
        data = RelayMessage(Kind.DATA, journal, number, before, process << 32, tuple(frames))
        self.inbox.handle(b"route%d" % process, pack(data))

    def close(self) -> None:
        self.inbox.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    return Receiver(tmp_path)


def test_a_chunk_is_acknowledged_after_done(receiver: Receiver) -> None:
    receiver.hello()
    receiver.data(1, 0)
    assert [item.seq for item in receiver.inbox.ready] == [0]
    assert receiver.sent == [(Kind.ACK, 0), (Kind.WELCOME, 0)]
    receiver.inbox.done(1)
    assert receiver.sent[2:] == [(Kind.ACK, 1)]
    receiver.close()


def test_the_progress_survives_the_process(receiver: Receiver, tmp_path: Path) -> None:
    receiver.hello()
    receiver.data(1, 0)
    receiver.data(2, 1)
    receiver.inbox.done(1)
    receiver.close()
    successor = Receiver(tmp_path)
    successor.hello()
    assert successor.sent == [(Kind.ACK, 1), (Kind.WELCOME, 1)]
    successor.data(2, 1)
    assert [item.seq for item in successor.inbox.ready] == [25]
    successor.close()


def test_data_without_a_hello_is_answered_with_a_welcome(receiver: Receiver) -> None:
    receiver.data(1, 0)
    assert receiver.sent == [(Kind.WELCOME, 0)]
    assert not receiver.inbox.ready
    assert receiver.inbox.counts() == {"out_of_turn": 1}


def test_repeated_and_early_messages_are_counted_and_not_accepted(receiver: Receiver) -> None:
    receiver.hello()
    receiver.data(1, 0)
    receiver.data(1, 0)
    receiver.data(4, 3)
    assert len(receiver.inbox.ready) == 1
    assert receiver.inbox.counts() == {"repeated": 1, "out_of_turn": 1}
    receiver.close()


def test_messages_beyond_the_window_are_not_accepted_until_others_are_done(receiver: Receiver) -> None:
    receiver.hello()
    for number in range(1, WINDOW + 2):
        receiver.data(number, number - 1)
    assert len(receiver.inbox.ready) == WINDOW
    assert receiver.inbox.counts() == {"beyond_window": 1}
    receiver.inbox.done(1)
    receiver.data(WINDOW + 1, WINDOW)
    assert len(receiver.inbox.ready) == WINDOW + 1
    receiver.close()


def test_the_end_of_a_stream_is_acknowledged_without_done(receiver: Receiver) -> None:
    receiver.hello()
    receiver.data(1, 0)
    receiver.inbox.done(1)
    assert not receiver.inbox.all_ended
    receiver.data(2, 1, encode_end(EndOfStream("wrist", "a", 25)))
    assert receiver.sent[-1] == (Kind.ACK, 2)
    assert receiver.inbox.all_ended
    receiver.close()


def test_dropped_samples_of_a_restarted_relay_add_up(receiver: Receiver) -> None:
    receiver.hello(dropped=10)
    receiver.hello(dropped=15)
    receiver.hello(dropped=5)  # fewer than before: the relay has restarted
    assert receiver.inbox.counts() == {"thrown_away_by_relay": 20}
    receiver.close()


def test_more_relays_than_there_is_room_for_are_refused_while_the_others_send(receiver: Receiver) -> None:
    for number in range(MAX_RELAYS):
        receiver.hello(journal=bytes([number]) * 16)
        receiver.data(1, 0, encode(chunk(0, stream=f"sensor{number % 8}")), journal=bytes([number]) * 16)
        receiver.inbox.done(1)
    receiver.hello(journal=bytes([MAX_RELAYS]) * 16)
    assert receiver.sent[-1][0] == Kind.REFUSED
    assert receiver.inbox.counts() == {"too_many_relays": 1}
    receiver.now_s += LIVE_S + 1
    receiver.hello(journal=bytes([MAX_RELAYS]) * 16)
    assert receiver.sent[-1][0] == Kind.WELCOME, "a silent relay has lost its place"
    receiver.close()


def test_made_up_journals_shut_out_nobody_and_leave_no_files(receiver: Receiver, tmp_path: Path) -> None:
    for number in range(3 * MAX_RELAYS):
        receiver.hello(journal=number.to_bytes(16, "big"))
    receiver.hello()
    receiver.data(1, 0)
    receiver.inbox.done(1)
    assert receiver.sent[-1] == (Kind.ACK, 1)
    assert receiver.inbox.counts() == {}
    assert [path.name for path in tmp_path.iterdir()] == [f"{JOURNAL.hex()}.mark"]
    receiver.close()


def test_a_forged_number_in_a_hello_changes_nothing(receiver: Receiver) -> None:
    receiver.hello()
    receiver.data(1, 0)
    receiver.hello(delivered=2**64 - 1)
    assert receiver.sent[-1] == (Kind.WELCOME, 1)
    receiver.data(2, 1)
    assert [item.seq for item in receiver.inbox.ready] == [0, 25]
    receiver.close()


def test_places_of_streams_that_ended_or_fell_silent_come_back(receiver: Receiver) -> None:
    receiver.hello()
    number = 0

    def send(frames: list[bytes]) -> int:
        nonlocal number
        receiver.data(number + 1, number, frames)
        number += 1
        receiver.inbox.done(1)
        return len(receiver.inbox.ready)

    for i in range(2 * MAX_STREAMS):
        assert send(encode(chunk(0, stream=f"watch{i}"))) == 2 * i + 1 - i
        send(encode_end(EndOfStream(f"watch{i}", "a", 25)))
    before = len(receiver.inbox.ready)
    for i in range(MAX_STREAMS + 1):
        send(encode(chunk(0, stream=f"phone{i}")))
    assert len(receiver.inbox.ready) == before + MAX_STREAMS
    assert receiver.inbox.counts() == {"too_many_streams": 1}
    receiver.now_s += SILENT_S + 1
    assert send(encode(chunk(0, stream="late"))) == before + MAX_STREAMS + 1
    receiver.close()


def test_an_exact_copy_of_a_message_is_counted_and_gives_no_samples(receiver: Receiver) -> None:
    receiver.hello()
    for number, sent in enumerate((0, 1, 1, 2, 1, 3), start=1):
        receiver.data(number, number - 1, encode(chunk(25 * sent)))
    assert [item.seq for item in receiver.inbox.ready] == [0, 25, 50, 75]
    assert receiver.inbox.counts()["repeated"] == 2
    receiver.close()


def test_a_restarted_relay_continues_its_streams(receiver: Receiver) -> None:
    receiver.hello(process=1)
    receiver.data(1, 0, process=1)
    successor = JOURNAL[:8] + bytes(8)
    receiver.hello(journal=successor, process=2)
    receiver.data(2, 0, journal=successor, process=2)
    receiver.hello(process=1)  # it waited in the broken connection
    receiver.hello(journal=successor, process=2)
    assert [(item.stream, item.session, item.seq) for item in receiver.inbox.ready] == [
        ("wrist", "a", 0),
        ("wrist", "a", 25),
    ]
    assert receiver.inbox.notices() == []
    receiver.close()


def test_two_processes_with_copies_of_a_journal_are_noticed_and_kept_apart(receiver: Receiver) -> None:
    copy = JOURNAL[:8] + bytes(8)
    for second in range(3):
        receiver.hello(process=1)
        receiver.data(second + 1, second, process=1)
        receiver.hello(journal=copy, process=2)
        other = replace(chunk(25 * second), received_s=100.0 + second)  # another sensor of the same name
        receiver.data(second + 1, second, encode(other), journal=copy, process=2)
    assert len(receiver.inbox.ready) == 6
    assert {item.stream for item in receiver.inbox.ready} == {"wrist", "wrist@00000002"}
    assert [answer for answer in receiver.routes if answer[1] == Kind.COPIED] == [
        (b"route1", Kind.COPIED, 0),
        (b"route2", Kind.COPIED, 1),
    ]
    [notice] = receiver.inbox.notices()
    assert "two relays send under the identity of one journal" in notice
    assert receiver.inbox.counts()["copied_journals"] == 1
    receiver.close()


def test_what_is_not_understood_is_reported_by_stream_and_in_words(receiver: Receiver) -> None:
    receiver.hello()
    receiver.data(1, 0)
    receiver.data(2, 1, [b"imu/hip", b'{"acc": [0, 0, 9.8]}', b""])
    receiver.inbox.handle(b"other", [b'{"acc": [0, 0, 9.8]}'])
    receiver.inbox.handle(b"other", encode(chunk(0)))
    wrist, hip, rest = receiver.inbox.receptions()
    assert (wrist.name, wrist.packets, wrist.samples, wrist.malformed) == ("wrist", 1, 25, 0)
    assert (hip.name, hip.malformed) == ("hip", 1)
    assert hip.malformed_reason == "JSON; expected three binary frames (docs/wire.md)"
    assert (rest.name, rest.malformed, rest.malformed_example) == ("test", 2, b'{"acc": [0, 0, 9.8]}')
    assert rest.malformed_reason == "JSON; expected messages of 'kinestream relay' (docs/wire.md)"
    receiver.close()


def test_samples_sent_without_a_relay_are_called_that(receiver: Receiver) -> None:
    receiver.inbox.handle(b"other", encode(chunk(0)))
    [rest] = receiver.inbox.receptions()
    assert rest.malformed_reason.startswith("samples that no relay sent: send them with 'kinestream relay'")
