"""What a source reports it received, without a socket."""

from __future__ import annotations

import json

import pytest

from kinestream.core.errors import DecodeError
from kinestream.ingest.zmq.reception_log import (
    MAX_NAMES,
    OTHER_TOPICS,
    UNPRINTABLE,
    ReceptionLog,
    is_json,
    topic_name,
    topic_stream,
)
from kinestream.ingest.zmq.wire import encode
from tests.ingest.zmq.test_zmq import chunk

JSON_LINE = json.dumps({"t": 1.5, "acc": [0, 0, 9.8]}).encode()
ERROR = DecodeError("a message of 2 frames; expected topic, header and payload")


def test_a_source_that_received_nothing_says_what_it_reads() -> None:
    [reception] = ReceptionLog("zmq+tcp://here").receptions()
    assert (reception.name, reception.packets, reception.expected) == (
        "zmq+tcp://here",
        0,
        "topics that begin with imu/",
    )
    receptions = ReceptionLog("zmq+tcp://here", ("wrist", "hip")).receptions()
    assert [(item.name, item.expected) for item in receptions] == [
        ("hip", "the topic imu/hip"),
        ("wrist", "the topic imu/wrist"),
    ]


def test_unwanted_topics_are_listed_while_a_stream_is_missing() -> None:
    log = ReceptionLog("here", ("wrist", "hip"))
    log.took("wrist", 25)
    for _ in range(3):
        log.unwanted([b"imu/hip2", b"KIMU...", b""])
    hip, wrist = log.receptions()
    assert (hip.samples, dict(hip.unwanted)) == (0, {"imu/hip2": 3})
    assert (wrist.packets, wrist.samples, dict(wrist.unwanted)) == (1, 25, {})
    assert hip.expected.endswith(", so imu/hip for the messages under imu/hip2, whose format is right")
    assert hip.remarks == ()


def test_the_list_of_topics_is_bounded_and_printable() -> None:
    log = ReceptionLog("here")
    for k in range(10_000):
        log.unwanted([f"room/{k}/{'x' * 500}".encode(), b"1"])
    log.unwanted([b"\x00\xff\x1b[2J", b"1"])
    [reception] = log.receptions()
    assert len(reception.unwanted) == MAX_NAMES + 1
    assert sum(reception.unwanted.values()) == 10_001
    assert max(map(len, reception.unwanted)) <= 40
    assert reception.unwanted[OTHER_TOPICS] > 9000


@pytest.mark.parametrize(
    ("frames", "name"),
    [
        ([b"wrist", b"...", b"..."], "wrist"),
        ([b"wrist 1.5 0 0 9.8"], "wrist"),
        ([JSON_LINE], "JSON without a topic"),
        ([b""], UNPRINTABLE),
        ([b"   "], UNPRINTABLE),
        ([b"\x81\xa1t\xcb", b""], UNPRINTABLE),
        ([b"caf\xc3\xa9", b""], "caf\u00e9"),
    ],
)
def test_a_topic_has_a_short_printable_name(frames: list[bytes], name: str) -> None:
    assert topic_name(frames) == name


def test_json_is_named_and_one_message_is_the_example() -> None:
    log = ReceptionLog("here")
    for _ in range(5):
        log.malformed([b"imu/wrist", JSON_LINE], ERROR)
    [wrist] = log.receptions()
    assert (wrist.name, wrist.packets, wrist.malformed, wrist.samples) == ("wrist", 5, 5, 0)
    assert wrist.malformed_example == JSON_LINE
    assert wrist.malformed_reason.startswith("JSON; expected three binary frames (docs/wire.md)")
    log.malformed([b"imu/hip " + JSON_LINE], ERROR)
    hip = log.receptions()[1]
    assert (hip.name, hip.malformed_reason) == ("hip", wrist.malformed_reason)
    assert is_json(b"[1, 2]")
    assert not is_json(b"[\x00\x01")


def test_a_message_without_a_valid_topic_is_reported_under_the_source() -> None:
    log = ReceptionLog("here")
    log.took("wrist", 25)
    log.malformed([JSON_LINE], ERROR)
    log.malformed([b"imu/\xff", b"", b""], ERROR)
    wrist, rest = log.receptions(lambda stream: (f"a remark on {stream}",))
    assert (wrist.name, wrist.malformed, wrist.remarks) == ("wrist", 0, ("a remark on wrist",))
    assert (rest.name, rest.malformed, rest.packets) == ("here", 2, 2)
    assert topic_stream(encode(chunk(0))) == "wrist"


def test_the_number_of_streams_is_bounded() -> None:
    log = ReceptionLog("here")
    for k in range(1000):
        log.malformed([f"imu/{k}".encode(), b""], ERROR)
    receptions = log.receptions()
    assert len(receptions) == 65
    assert sum(item.malformed for item in receptions) == 1000
