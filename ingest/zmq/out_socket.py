"""A ZeroMQ socket that sends, bound or connected as its address says, with the keys it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import zmq

from kinestream.core.errors import ConfigError

from .address import ZmqAddress
from .curve_keys import keys_for, secure_client, secure_server


class OutSocket:
    """A socket in a context of its own.

    Args:
        to: ``tcp://HOST:PORT``; it binds there unless the address says ``connect=1``.
        modes: what the address may choose by ``mode=``: the kind of socket, e.g. ``zmq.XPUB``, and its options. The
            first is chosen where it says nothing.
        insecure: as if the address said ``insecure=1``.
    Raises:
        ConfigError: the address is malformed, taken, or leads beyond this machine and there are no keys.
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
        # Whoever listens has only subscriptions to send.
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
        """Where it is bound, with the real port."""

    def counts(self) -> Mapping[str, int]:
        """``refused_keys``, if there were any."""
        return self._doorkeeper.counts() if self._doorkeeper else {}

    def close(self, linger_s: float) -> None:
        """Close when all is sent, or after ``linger_s``; may be called twice."""
        self.socket.close(linger=int(linger_s * 1000))
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self._context.term()  # returns when all is sent, or the linger is over

    async def aclose(self, linger_s: float) -> None:
        """``close`` while other tasks go on."""
        await asyncio.to_thread(self.close, linger_s)
