"""Publisher of predictions, episodes, notices and the summary as JSON on a ZeroMQ socket (docs/wire.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

import zmq

from kinestream.ingest.zmq.out_socket import OutSocket

VERSION = 1
TOPIC = "prediction/"
EPISODE_TOPIC = "episode/"
NOTICE_TOPIC = "notice/"
SUMMARY_TOPIC = "summary"
_LINGER_S = 0.5
"""How long closing waits for records that are not sent yet."""


class PredictionPublisher:
    """Socket that publishes records to any number of subscribers and never waits for them; a context manager.

    A slow subscriber misses records and sees how many by the jump in the field ``number``.

    Args:
        to: ``tcp://HOST:PORT``, as for ``ZmqPublisher``.
        hwm: maximum number of records queued for each subscriber.
        insecure: same as ``insecure=1`` in the address.
    Raises:
        ConfigError: the address is malformed or in use, or reaches beyond this machine without keys.

    >>> with PredictionPublisher("tcp://127.0.0.1:0") as publisher:
    ...     publisher.prediction({"stream": "wrist", "label": "WALKING", "confidence": 0.9})
    ...     publisher.address.rpartition(":")[0]
    'tcp://127.0.0.1'
    """

    def __init__(self, to: str, *, hwm: int = 1000, insecure: bool = False) -> None:
        self._out = OutSocket(to, {"publish": (zmq.PUB, {zmq.SNDHWM: hwm})}, insecure=insecure)
        self.address = self._out.address
        """The bound address, with the real port."""
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def prediction(self, record: Mapping[str, Any]) -> None:
        """Publish a prediction under ``prediction/STREAM``.

        Args:
            record: plain JSON values, including ``stream``.
        """
        self._send(f"{TOPIC}{record['stream']}", record)

    def episode(self, record: Mapping[str, Any]) -> None:
        """Publish a finished episode under ``episode/STREAM``.

        Args:
            record: plain JSON values, including ``stream``.
        """
        self._send(f"{EPISODE_TOPIC}{record['stream']}", record)

    def notice(self, record: Mapping[str, Any]) -> None:
        """Publish a notice about a stream, link or source under ``notice/NAME``.

        Args:
            record: plain JSON values, including ``stream``.
        """
        self._send(f"{NOTICE_TOPIC}{record['stream']}", record)

    def summary(self, record: Mapping[str, Any]) -> None:
        """Publish the summary of the run under ``summary``, as the last record."""
        self._send(SUMMARY_TOPIC, record)

    def close(self) -> None:
        """Close the socket after a short wait for unsent records."""
        self._out.close(_LINGER_S)

    def _send(self, topic: str, record: Mapping[str, Any]) -> None:
        message = {"version": VERSION, "number": self._number, **record}
        self._number += 1
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        self._out.socket.send_multipart([topic.encode(), text.encode()], zmq.NOBLOCK)  # PUB drops, never blocks
