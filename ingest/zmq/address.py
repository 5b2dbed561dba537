"""Addresses of ZeroMQ sockets: ``zmq+tcp://HOST:PORT[,HOST:PORT...][?KEY=VALUE&...]``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

SECURITY_OPTIONS = ("insecure", "keys", "server")
"""Options of every address: allow plain text, the folder of the keys, the name of the server's key."""

MAX_PLACES = 64
"""Maximum number of places in an address; more are a mistake."""


@dataclass(frozen=True, slots=True)
class ZmqAddress:
    """A validated address; ``curve_keys.keys_for`` decides which keys its socket uses.

    >>> address = ZmqAddress.parse("zmq+tcp://127.0.0.1:5556,10.0.0.5:5556?server=wrist", options=("stream",))
    >>> address.endpoints
    ('tcp://127.0.0.1:5556', 'tcp://10.0.0.5:5556')
    >>> address.is_local, address.server(1)
    (False, 'wrist')
    """

    uri: str
    places: tuple[tuple[str, int], ...]
    """Host and port of each place; a socket that binds takes any free port for port 0."""
    insecure: bool = False
    """Plain text is allowed beyond this machine."""
    keys: Path | None = None
    servers: tuple[str, ...] = ()
    """Names of the servers' keys: one name for all places, or one per place."""
    options: tuple[tuple[str, str], ...] = field(default=())
    """The other options, as written in the address."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The places as ZeroMQ endpoints."""
        return tuple(_endpoint(host, port) for host, port in self.places)

    @property
    def is_ipv6(self) -> bool:
        return any(":" in host for host, _ in self.places)

    @property
    def is_local(self) -> bool:
        """Whether every place is on this machine."""
        return all(_is_loopback(host) for host, _ in self.places)

    def server(self, place: int) -> str | None:
        """Return the name of the server's key at a place; None if the address names no key."""
        return self.servers[min(place, len(self.servers) - 1)] if self.servers else None

    def values(self, key: str) -> tuple[str, ...]:
        """Return all values of an option, in order."""
        return tuple(value for name, value in self.options if name == key)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Return the last value of an option, by default the first of ``choices``.

        Raises:
            ConfigError: the value is not in ``choices``.
        """
        given = self.values(key)
        if not given:
            return choices[0]
        if given[-1] not in choices:
            raise ConfigError(f"'{self.uri}': {key}={given[-1]}; expected {' or '.join(choices)}")
        return given[-1]

    def number(self, key: str, least: int, most: int, default: int) -> int:
        """Return the last value of a numeric option.

        Raises:
            ConfigError: the value is not a whole number, or is out of range.
        """
        given = self.values(key)
        if not given:
            return default
        if not given[-1].isdecimal() or not least <= int(given[-1]) <= most:
            raise ConfigError(f"'{self.uri}': {key}={given[-1]}; expected a whole number from {least} to {most}")
        return int(given[-1])

    @classmethod
    def parse(
        cls,
        uri: str,
        *,
        schemes: tuple[str, ...] = ("zmq+tcp", "tcp"),
        options: tuple[str, ...] = (),
        insecure: bool = False,
    ) -> ZmqAddress:
        """Parse an address from the command line.

        Args:
            schemes: accepted schemes; error messages name the first.
            options: accepted options besides ``SECURITY_OPTIONS``.
            insecure: same as ``insecure=1`` in the address.
        Raises:
            ConfigError: the address is malformed or has an unknown option.
        """
        try:
            parts = urlsplit(uri)
            places = tuple(_place(text) for text in parts.netloc.split(","))
        except ValueError:
            places, parts = (), urlsplit("")
        if parts.scheme not in schemes or not 1 <= len(places) <= MAX_PLACES or parts.path.strip("/"):
            scheme = schemes[0]
            raise ConfigError(
                f"'{uri}' is not a valid {scheme}:// address; expected {scheme}://HOST:PORT, e.g. {scheme}://127.0.0.1:5556"
            )
        known = (*options, *SECURITY_OPTIONS)
        query = parse_qsl(parts.query, keep_blank_values=True)
        for key, _ in query:
            if key not in known:
                raise ConfigError(f"'{uri}': {unknown('key', key, known, 0.6)}")
        last = dict(query)
        servers = tuple(value for key, value in query if key == "server")
        if len(servers) not in (0, 1, len(places)):
            raise ConfigError(
                f"'{uri}': {len(servers)} x server for {len(places)} places; expected one for all or one per place"
            )
        return cls(
            uri,
            places,
            insecure or ("insecure", "1") in query,
            Path(last["keys"]).expanduser() if last.get("keys") else None,
            servers,
            tuple((key, value) for key, value in query if key in options),
        )


def _place(text: str) -> tuple[str, int]:
    """Return host and port.

    Raises:
        ValueError: the text is not HOST:PORT.
    """
    # ZeroMQ writes any port as a star, which is not a valid port in a URL.
    parts = urlsplit(f"//{text.removesuffix(':*')}")
    port = 0 if text.endswith(":*") else parts.port
    if not parts.hostname or port is None or parts.username is not None:
        raise ValueError(text)
    return parts.hostname, port


def _endpoint(host: str, port: int) -> str:
    host = "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host
    return f"tcp://{host}:{port or '*'}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name may resolve to any machine
        return False
