"""Where a ZeroMQ socket connects or binds: ``zmq+tcp://HOST:PORT[?stream=NAME][&insecure=1]``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlsplit

from kinestream.errors import ConfigError

_KEYS = ("stream", "insecure")


@dataclass(frozen=True, slots=True)
class ZmqAddress:
    """A checked address. The traffic is not encrypted, so beyond this machine it must be asked for."""

    host: str
    port: int
    """0: any free port, for a socket that binds."""
    streams: frozenset[str] = frozenset()
    """The streams to take; empty: all."""

    @property
    def endpoint(self) -> str:
        """As ZeroMQ wants it."""
        host = "127.0.0.1" if self.host == "localhost" else f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port or '*'}"

    @classmethod
    def parse(cls, uri: str) -> ZmqAddress:
        """The address written as ``zmq+tcp://...`` or ``tcp://...``.

        Raises:
            ConfigError: malformed, or beyond this machine without ``insecure=1``.
        """
        try:
            parts = urlsplit(uri)
            # ZeroMQ writes "every interface" and "any port" as a star, which is no port to a URL.
            host, port = parts.hostname, 0 if parts.netloc.endswith(":*") else parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("zmq+tcp", "tcp") or host is None or port is None or parts.path.strip("/"):
            raise ConfigError(
                f"'{uri}' is no ZeroMQ address; expected zmq+tcp://HOST:PORT, e.g. zmq+tcp://127.0.0.1:5556"
            )
        query = parse_qsl(parts.query, keep_blank_values=True)
        for key, _ in query:
            if key not in _KEYS:
                near = get_close_matches(key, _KEYS, n=1)
                hint = f" (did you mean '{near[0]}'?)" if near else ""
                raise ConfigError(f"'{uri}': unknown key '{key}'{hint}; known: {', '.join(_KEYS)}")
        if not _is_loopback(host) and ("insecure", "1") not in query:
            raise ConfigError(
                f"'{uri}' leaves this machine, and what is sent is not encrypted; "
                "use 127.0.0.1, through an SSH tunnel if need be, or add ?insecure=1 if anyone on the way may read it"
            )
        return cls(host, port, frozenset(value for key, value in query if key == "stream"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False
