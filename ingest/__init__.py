"""Live sources of samples, and the times when samples were taken."""

from typing import TYPE_CHECKING

from kinestream.core.lazy import lazy_names

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

# Loaded on first use: pyzmq takes 60 ms to import, which a replay without a socket need not wait for.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Journal": ".relay.journal",
        "Relay": ".relay.sender",
        "RelaySource": ".relay.source",
        **dict.fromkeys(("ZmqPublisher", "publish"), ".zmq.publisher"),
        "ZmqSource": ".zmq.source",
        **dict.fromkeys(("EndOfStream", "decode", "encode", "encode_end"), ".zmq.wire"),
    },
)
