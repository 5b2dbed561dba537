"""Predictions for other programs: JSON on a ZeroMQ socket; docs/wire.md describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

import zmq

from kinestream.ingest.zmq.out_socket import OutSocket

VERSION = 1
TOPIC = "prediction/"
EPISODE_TOPIC = "episode/"
SUMMARY_TOPIC = "summary"
_FAREWELL_S = 0.5


class PredictionPublisher:
    """A socket that offers records to any number of subscribers, and waits for none of them; ``with`` closes it.

    A subscriber that is too slow misses records; the field ``number`` tells it how many.

    Args:
        to: ``tcp://HOST:PORT``, as for ``ZmqPublisher``.
        hwm: records kept for each subscriber.
        insecure: as if the address said ``insecure=1``.
    Raises:
        ConfigError: the address is malformed, taken, or leads beyond this machine and there are no keys.
    """

    def __init__(self, to: str, *, hwm: int = 1000, insecure: bool = False) -> None:
        self._out = OutSocket(to, {"publish": (zmq.PUB, {zmq.SNDHWM: hwm})}, insecure=insecure)
        self.address = self._out.address
        """Where it is bound, with the real port."""
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def prediction(self, record: Mapping[str, Any]) -> None:
        """Offer a prediction under ``prediction/STREAM``.

        Args:
            record: plain JSON values; ``stream`` among them.
        """
        self._send(f"{TOPIC}{record['stream']}", record)

    def episode(self, record: Mapping[str, Any]) -> None:
        """Offer an episode that is over under ``episode/STREAM``; the same of ``record``."""
        self._send(f"{EPISODE_TOPIC}{record['stream']}", record)

    def summary(self, record: Mapping[str, Any]) -> None:
        """Offer the figures of the run under ``summary``: nothing comes after it."""
        self._send(SUMMARY_TOPIC, record)

    def close(self) -> None:
        self._out.close(_FAREWELL_S)

    def _send(self, topic: str, record: Mapping[str, Any]) -> None:
        told = {"version": VERSION, "number": self._number, **record}
        self._number += 1
        text = json.dumps(told, separators=(",", ":"), allow_nan=False)
        self._out.socket.send_multipart([topic.encode(), text.encode()], zmq.NOBLOCK)  # PUB drops and never blocks
