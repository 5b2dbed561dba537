"""Sending ZeroMQ socket, bound or connected as its address says, with the keys it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import zmq

from kinestream.core.errors import ConfigError

from .address import ZmqAddress
from .curve_keys import keys_for, secure_client, secure_server


class OutSocket:
    """Sending socket with a separate ZeroMQ context.

    Args:
        to: ``tcp://HOST:PORT``; the socket binds there, or connects with ``connect=1`` in the address.
        modes: the modes that ``mode=`` in the address selects, by default the first; each a socket type, e.g.
            ``zmq.XPUB``, and its options.
        insecure: same as ``insecure=1`` in the address.
    Raises:
        ConfigError: the address is malformed or in use, or reaches beyond this machine without keys.
    """

    def __init__(self, to: str, modes: Mapping[str, tuple[int, Mapping[int, int]]], *, insecure: bool = False) -> None:
        address = ZmqAddress.parse(to, schemes=("tcp", "zmq+tcp"), options=("connect", "mode"), insecure=insecure)
        connects = address.choice("connect", ("0", "1")) == "1"
        self.mode = address.choice("mode", tuple(modes))
        kind, options = modes[self.mode]
        keys = keys_for(address)
        self._context = zmq.Context()
        self._doorkeeper = None
        self.socket = self._context.socket(kind)
        self.socket.setsockopt(zmq.IPV6, address.is_ipv6)
        # Listeners send nothing but subscriptions.
        self.socket.setsockopt(zmq.MAXMSGSIZE, 4096)
        for option, value in options.items():
            self.socket.setsockopt(option, value)
        try:
            if not connects:
                self._doorkeeper = secure_server(self.socket, keys)
            for place, endpoint in enumerate(address.endpoints):
                if connects:
                    secure_client(self.socket, keys, address.server(place))
                (self.socket.connect if connects else self.socket.bind)(endpoint)
        except zmq.ZMQError as error:
            self.close(0)
            raise ConfigError(f"cannot publish at '{to}': {error.strerror}; choose another address or port") from None
        except ConfigError:
            self.close(0)
            raise
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """The bound address, with the real port."""

    def counts(self) -> Mapping[str, int]:
        """Return ``refused_keys``, if there were any."""
        return self._doorkeeper.counts() if self._doorkeeper else {}

    def close(self, linger_s: float) -> None:
        """Close as soon as everything is sent, at the latest after ``linger_s``; may be called twice."""
        self.socket.close(linger=int(linger_s * 1000))
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self._context.term()  # returns when everything is sent or the linger time is over

    async def aclose(self, linger_s: float) -> None:
        """Run ``close`` without blocking other tasks."""
        await asyncio.to_thread(self.close, linger_s)
