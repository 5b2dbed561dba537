"""The inbox of a relay receiver, without sockets: answers to each message, and acknowledgements."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.ingest import EndOfStream, encode, encode_end
from kinestream.ingest.relay.inbox import MAX_RELAYS, WINDOW, RelayInbox
from kinestream.ingest.relay.wire import Kind, RelayMessage, pack
from tests.ingest.zmq.test_zmq import chunk

JOURNAL = bytes(range(16))


class Receiver:
    """An inbox, and the messages that it sends."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[Kind, int]] = []
        self.inbox = RelayInbox("test", folder, lambda _, message: self.sent.append((message.kind, message.number)))

    def hello(self, delivered: int = 0, journal: bytes = JOURNAL, dropped: int = 0) -> None:
        self.inbox.handle(b"route", pack(RelayMessage(Kind.HELLO, journal, delivered, dropped, turn=1)))

    def data(self, number: int, before: int, frames: list[bytes] | None = None) -> None:
        frames = frames or encode(chunk(25 * (number - 1)))
        self.inbox.handle(b"route", pack(RelayMessage(Kind.DATA, JOURNAL, number, before, frames=tuple(frames))))

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


def test_too_many_relays_are_refused(receiver: Receiver) -> None:
    for number in range(MAX_RELAYS + 1):
        receiver.hello(journal=bytes([number]) * 16)
    assert receiver.sent[-1][0] == Kind.REFUSED
    assert receiver.inbox.counts() == {"too_many_relays": 1}
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
