"""Parsing of addresses, and the messages about bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError
from kinestream.ingest.zmq.address import ZmqAddress

OPTIONS = ("stream", "mode")


@pytest.mark.parametrize(
    ("uri", "endpoints", "streams"),
    [
        ("zmq+tcp://127.0.0.1:5556", ["tcp://127.0.0.1:5556"], []),
        ("tcp://127.0.0.1:5556/", ["tcp://127.0.0.1:5556"], []),
        ("zmq+tcp://localhost:5556?stream=wrist", ["tcp://127.0.0.1:5556"], ["wrist"]),
        ("zmq+tcp://127.0.0.1:5556?stream=left%20wrist&stream=hip", ["tcp://127.0.0.1:5556"], ["left wrist", "hip"]),
        ("zmq+tcp://127.0.0.1:5556,[::1]:5557", ["tcp://127.0.0.1:5556", "tcp://[::1]:5557"], []),
        ("tcp://127.0.0.1:0", ["tcp://127.0.0.1:*"], []),
        ("tcp://127.0.0.1:*", ["tcp://127.0.0.1:*"], []),
        ("tcp://[::1]:5556", ["tcp://[::1]:5556"], []),
        ("zmq+tcp://192.168.1.20:5556", ["tcp://192.168.1.20:5556"], []),
        ("tcp://*:5556", ["tcp://*:5556"], []),
    ],
)
def test_an_address_is_parsed_into_endpoints_and_streams(uri: str, endpoints: list[str], streams: list[str]) -> None:
    address = ZmqAddress.parse(uri, options=OPTIONS)
    assert (list(address.endpoints), list(address.values("stream"))) == (endpoints, streams)


@pytest.mark.parametrize(
    ("uri", "is_local"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.8.8.8:1", True),
        ("tcp://localhost:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://127.0.0.1:1,192.168.1.20:1", False),
        ("tcp://sensor.example:1", False),
        ("tcp://localhost.example:1", False),
        ("tcp://0.0.0.0:1", False),
        ("tcp://*:1", False),
        ("tcp://[::]:1", False),
    ],
)
def test_an_address_is_local_only_if_every_place_is_on_this_machine(uri: str, is_local: bool) -> None:
    assert ZmqAddress.parse(uri).is_local is is_local


def test_the_options_about_keys_are_parsed() -> None:
    address = ZmqAddress.parse("tcp://a:1,b:2,c:3?keys=/k&server=left")
    assert (address.keys, address.insecure) == (Path("/k"), False)
    assert [address.server(place) for place in range(3)] == ["left", "left", "left"]
    address = ZmqAddress.parse("tcp://a:1,b:2?server=left&server=right&insecure=1")
    assert [address.server(place) for place in range(2)] == ["left", "right"]
    assert address.insecure
    assert not ZmqAddress.parse("tcp://a:1?insecure=0").insecure
    assert ZmqAddress.parse("tcp://a:1", insecure=True).insecure


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("zmq+tcp://127.0.0.1:5556?steam=wrist", "did you mean 'stream'"),
        ("tcp://a:1,b:2,c:3?server=x&server=y", "2 x server for 3 places"),
        ("zmq+tcp://127.0.0.1", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:5556,", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:port", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:99999", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://:5556", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://me@127.0.0.1:5556", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://127.0.0.1:5556/path", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://[::1:5556", "expected zmq\\+tcp://HOST:PORT"),
        ("ipc:///tmp/x", "expected zmq\\+tcp://HOST:PORT"),
        ("127.0.0.1:5556", "expected zmq\\+tcp://HOST:PORT"),
        ("zmq+tcp://" + ",".join(["127.0.0.1:1"] * 65), "expected zmq\\+tcp://HOST:PORT"),
    ],
)
def test_a_bad_address_is_rejected_with_the_expected_form(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ZmqAddress.parse(uri, options=OPTIONS)


def test_a_value_outside_the_choices_is_rejected_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="mode=push; expected subscribe or pull"):
        ZmqAddress.parse("tcp://a:1?mode=push", options=OPTIONS).choice("mode", ("subscribe", "pull"))
