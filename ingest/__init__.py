"""Where samples come from, and when they were taken."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .relay.journal import Journal
    from .relay.sender import Relay
    from .relay.source import RelaySource
    from .zmq.publisher import ZmqPublisher, publish
    from .zmq.source import ZmqSource
    from .zmq.wire import EndOfStream, decode, encode, encode_end

__all__ = [
    "EndOfStream",
    "Journal",
    "Relay",
    "RelaySource",
    "ZmqPublisher",
    "ZmqSource",
    "decode",
    "encode",
    "encode_end",
    "publish",
]
_HOME = {
    "Journal": "relay.journal",
    "Relay": "relay.sender",
    "RelaySource": "relay.source",
    "ZmqPublisher": "zmq.publisher",
    "ZmqSource": "zmq.source",
    "publish": "zmq.publisher",
}


def __getattr__(name: str) -> Any:
    # pyzmq takes 60 ms to import; a replay without a socket shall not pay for it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME.get(name, 'zmq.wire')}", __name__), name)
