"""Where samples come from, and when they were taken."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .journal import Journal
    from .relay import Relay
    from .relay_source import RelaySource
    from .wire import EndOfStream, decode, encode, encode_end
    from .zmq_publisher import ZmqPublisher, publish
    from .zmq_source import ZmqSource

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
    "Journal": "journal",
    "Relay": "relay",
    "RelaySource": "relay_source",
    "ZmqPublisher": "zmq_publisher",
    "ZmqSource": "zmq_source",
    "publish": "zmq_publisher",
}


def __getattr__(name: str) -> Any:
    # pyzmq takes 60 ms to import; a replay without a socket shall not pay for it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME.get(name, 'wire')}", __name__), name)
