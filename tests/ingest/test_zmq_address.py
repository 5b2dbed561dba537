"""Addresses: what is accepted, and that nobody leaves this machine unasked."""

from __future__ import annotations

import pytest

from kinestream.errors import ConfigError
from kinestream.ingest.zmq_address import ZmqAddress


@pytest.mark.parametrize(
    ("uri", "endpoint", "streams"),
    [
        ("zmq+tcp://127.0.0.1:5556", "tcp://127.0.0.1:5556", set()),
        ("tcp://127.0.0.1:5556/", "tcp://127.0.0.1:5556", set()),
        ("zmq+tcp://localhost:5556?stream=wrist", "tcp://127.0.0.1:5556", {"wrist"}),
        ("zmq+tcp://127.0.0.1:5556?stream=left%20wrist&stream=hip", "tcp://127.0.0.1:5556", {"left wrist", "hip"}),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:*", set()),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", set()),
        ("tcp://[::1]:5556", "tcp://[::1]:5556", set()),
        ("zmq+tcp://192.168.1.20:5556?insecure=1", "tcp://192.168.1.20:5556", set()),
        ("tcp://*:5556?insecure=1", "tcp://*:5556", set()),
    ],
)
def test_an_address_is_read(uri: str, endpoint: str, streams: set[str]) -> None:
    address = ZmqAddress.parse(uri)
    assert (address.endpoint, set(address.streams)) == (endpoint, streams)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("zmq+tcp://192.168.1.20:5556", "insecure=1"),
        ("zmq+tcp://sensor.example:5556", "insecure=1"),
        ("zmq+tcp://localhost.example:5556", "insecure=1"),
        ("tcp://0.0.0.0:5556", "insecure=1"),
        ("tcp://*:5556", "insecure=1"),
        ("tcp://192.168.1.20:5556?insecure=0", "insecure=1"),
        ("zmq+tcp://127.0.0.1:5556?steam=wrist", "did you mean 'stream'"),
        ("zmq+tcp://127.0.0.1", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:port", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:99999", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://:5556", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:5556/path", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://[::1:5556", "expected zmq\\+tcp://HOST:PORT"),
        ("ipc:///tmp/x", "expected zmq\\+tcp://HOST:PORT"),
        ("127.0.0.1:5556", "expected zmq\\+tcp://HOST:PORT"),
    ],
)
def test_a_wrong_address_is_named(uri: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ZmqAddress.parse(uri)
