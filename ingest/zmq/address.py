"""Where a ZeroMQ socket connects or binds: ``zmq+tcp://HOST:PORT[,HOST:PORT...][?KEY=VALUE&...]``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

SECURITY_OPTIONS = ("insecure", "keys", "server")
"""What every address may say: go without keys, use those of a folder, expect the server known by a name."""

MAX_PLACES = 64
"""More places than this in one address are a mistake."""


@dataclass(frozen=True, slots=True)
class ZmqAddress:
    """A checked address. Who may read along is decided by ``curve.keys_for``."""

    uri: str
    places: tuple[tuple[str, int], ...]
    """Host and port of each; port 0: any free one, for a socket that binds."""
    insecure: bool = False
    """Plain text beyond this machine was asked for."""
    keys: Path | None = None
    servers: tuple[str, ...] = ()
    """By which names the servers' keys are known: one for all places, or one for each."""
    options: tuple[tuple[str, str], ...] = field(default=())
    """The other options, as they were written."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """As ZeroMQ wants them."""
        return tuple(_endpoint(host, port) for host, port in self.places)

    @property
    def is_ipv6(self) -> bool:
        return any(":" in host for host, _ in self.places)

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine."""
        return all(_is_loopback(host) for host, _ in self.places)

    def server(self, place: int) -> str | None:
        """The name of the key of the server at one of the places, if one was given."""
        return self.servers[min(place, len(self.servers) - 1)] if self.servers else None

    def values(self, key: str) -> tuple[str, ...]:
        """All that an option was given, in order."""
        return tuple(value for name, value in self.options if name == key)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """The last value of an option, the first of ``choices`` where it was not given.

        Raises:
            ConfigError: another value.
        """
        given = self.values(key)
        if not given:
            return choices[0]
        if given[-1] not in choices:
            raise ConfigError(f"'{self.uri}': {key}={given[-1]}; expected {' or '.join(choices)}")
        return given[-1]

    def number(self, key: str, least: int, most: int, default: int) -> int:
        """The last value of an option that is a whole number.

        Raises:
            ConfigError: it is none, or out of range.
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
        """The address as a person writes it.

        Args:
            schemes: how it may begin; the first is named in messages.
            options: known beside ``SECURITY_OPTIONS``.
            insecure: as if the address said ``insecure=1``.
        Raises:
            ConfigError: malformed, or with an option that is not known.
        """
        try:
            parts = urlsplit(uri)
            places = tuple(_place(text) for text in parts.netloc.split(","))
        except ValueError:
            places, parts = (), urlsplit("")
        if parts.scheme not in schemes or not 1 <= len(places) <= MAX_PLACES or parts.path.strip("/"):
            scheme = schemes[0]
            raise ConfigError(
                f"'{uri}' is no {scheme}:// address; expected {scheme}://HOST:PORT, e.g. {scheme}://127.0.0.1:5556"
            )
        known = (*options, *SECURITY_OPTIONS)
        query = parse_qsl(parts.query, keep_blank_values=True)
        for key, _ in query:
            if key not in known:
                raise ConfigError(f"'{uri}': {unknown('key', key, known, 0.6)}")
        last = dict(query)
        servers = tuple(value for key, value in query if key == "server")
        if len(servers) not in (0, 1, len(places)):
            raise ConfigError(f"'{uri}': {len(servers)} x server for {len(places)} places; expected one, or one each")
        return cls(
            uri,
            places,
            insecure or ("insecure", "1") in query,
            Path(last["keys"]).expanduser() if last.get("keys") else None,
            servers,
            tuple((key, value) for key, value in query if key in options),
        )


def _place(text: str) -> tuple[str, int]:
    """Host and port; ``ValueError`` for anything else."""
    # ZeroMQ writes "every interface" and "any port" as a star, which is no port to a URL.
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
    except ValueError:  # a name, which may lead anywhere
        return False
