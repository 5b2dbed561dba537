"""Published predictions: the records a subscriber reads, and the count of those it missed."""

from __future__ import annotations

import json

import pytest
import zmq

from kinestream.core.errors import ConfigError
from kinestream.outputs.prediction_publisher import PredictionPublisher


def subscriber(context: zmq.Context, publisher: PredictionPublisher, topic: bytes = b"") -> zmq.Socket:
    """Return a connected socket whose subscription has reached the publisher."""
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)
    socket.connect(publisher.address)
    socket.subscribe(topic)
    socket.subscribe(b"prediction/hello")
    while not socket.poll(20):
        publisher.prediction({"stream": "hello"})
    while socket.poll(50):
        socket.recv_multipart()
    return socket


def test_a_record_arrives_as_json_under_the_topic_of_its_stream() -> None:
    with (
        PredictionPublisher("tcp://127.0.0.1:0") as publisher,
        zmq.Context() as context,
        subscriber(context, publisher) as everything,
        subscriber(context, publisher, b"prediction/hip") as hip,
    ):
        while everything.poll(50):
            everything.recv_multipart()
        publisher.prediction({"stream": "wrist", "label": "walking", "energy_mj": None})
        publisher.prediction({"stream": "hip", "label": "gehen – ü"})
        publisher.summary({"summary": True, "predictions": 2})
        topics, records = zip(*(everything.recv_multipart() for _ in range(3)), strict=True)
        assert topics == (b"prediction/wrist", b"prediction/hip", b"summary")
        first, second, last = map(json.loads, records)
        assert (first["version"], first["label"], first["energy_mj"]) == (1, "walking", None)
        assert [second["number"], last["number"]] == [first["number"] + 1, first["number"] + 2]
        assert json.loads(hip.recv_multipart()[1]) == second


def test_an_episode_has_a_separate_topic() -> None:
    with (
        PredictionPublisher("tcp://127.0.0.1:0") as publisher,
        zmq.Context() as context,
        subscriber(context, publisher, b"episode/") as episodes,
    ):
        publisher.prediction({"stream": "wrist", "label": "walking"})
        publisher.episode({"episode": "walking", "stream": "wrist", "t_start": 0.0, "t_end": 30.0})
        topic, record = episodes.recv_multipart()
        assert topic == b"episode/wrist"
        assert json.loads(record)["episode"] == "walking"


def test_a_stalled_subscriber_blocks_no_other_and_can_count_missed_records() -> None:
    with (
        PredictionPublisher("tcp://127.0.0.1:0", hwm=10) as publisher,
        zmq.Context() as context,
        subscriber(context, publisher) as stalled,
    ):
        for _ in range(20_000):
            publisher.prediction({"stream": "wrist", "padding": "x" * 1000})
        numbers = []
        while stalled.poll(200):
            numbers.append(json.loads(stalled.recv_multipart()[1])["number"])
        publisher.summary({})
        last = json.loads(stalled.recv_multipart()[1])["number"]
        assert numbers == sorted(set(numbers))
        assert last - numbers[0] > len(numbers)


def test_an_address_beyond_this_machine_requires_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINESTREAM_KEYS", "/nonexistent")
    with pytest.raises(ConfigError, match="kinestream keys new"):
        PredictionPublisher("tcp://0.0.0.0:0")
    PredictionPublisher("tcp://0.0.0.0:0", insecure=True).close()
