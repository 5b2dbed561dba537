"""Addresses of phones: ``phone://...``."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError
from kinestream.core.uri import split_uri

from .axis_convention import CONVENTIONS, Convention

App = Literal["sensorlogger", "phyphox"]
PORT = 8000
PHYPHOX_PORT = 8080
"""The port on Android; an iPhone uses port 80."""
_OPTIONS: dict[App, tuple[str, ...]] = {
    "sensorlogger": ("app", "port", "host", "token", "os"),
    "phyphox": ("app", "start"),
}
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without look-alikes: users type a token by hand
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")


@dataclass(frozen=True, slots=True)
class PhoneAddress:
    """A parsed ``phone://`` or ``phone://IP:PORT?app=phyphox``.

    >>> address = PhoneAddress.parse("phone://192.168.1.5?app=phyphox")
    >>> address.app, address.host, address.port
    ('phyphox', '192.168.1.5', 8080)
    """

    uri: str
    app: App = "sensorlogger"
    host: str = "0.0.0.0"
    """The address to listen on; for phyphox, the address of the phone."""
    port: int = PORT
    token: str = ""
    """The secret that every push must contain."""
    convention: Convention | None = None
    start: bool = True
    """Whether to start a phyphox measurement that is not running."""

    @classmethod
    def parse(cls, uri: str) -> PhoneAddress:
        """Parse ``phone://[IP[:PORT]][?key=value&...]``; a missing token is generated.

        Raises:
            ConfigError: a key is unknown or a value is invalid.
        """
        parts = split_uri(uri)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ConfigError(f"{uri}: '{parts.netloc}' is not IP:PORT; expected e.g. 192.168.1.5:8080") from None
        app = query.get("app", "phyphox" if host else "sensorlogger")
        if app not in _OPTIONS:
            raise ConfigError(f"{uri}: app={app}; expected {' or '.join(_OPTIONS)}")
        known = _OPTIONS[app]
        for key in query:
            if key not in known:
                hint = did_you_mean(key, known)
                raise ConfigError(f"{uri}: unknown setting '{key}'{hint}; known for {app}: {', '.join(known)}")
        if parts.path.strip("/"):
            raise ConfigError(f"{uri}: unexpected path '{parts.path}'; put settings after '?'")
        if app == "phyphox":
            if not host:
                raise ConfigError(f"{uri} has no address; use the one phyphox shows: phone://IP:PORT?app=phyphox")
            return cls(uri, app, host, port or PHYPHOX_PORT, start=_yes(uri, query.get("start", "yes")))
        if host:
            raise ConfigError(f"{uri}: Sensor Logger pushes to this machine; listen there with phone://?host={host}")
        token = query.get("token") or "".join(secrets.choice(_ALPHABET) for _ in range(12))
        if not _TOKEN.fullmatch(token):
            raise ConfigError(f"{uri}: the token is invalid; expected 8 to 128 of A-Z a-z 0-9 _ -")
        convention = query.get("os")
        if convention is not None and convention not in CONVENTIONS:
            raise ConfigError(f"{uri}: os={convention}; expected {', '.join(CONVENTIONS)}")
        return cls(uri, app, query.get("host", "0.0.0.0"), _port(uri, query.get("port")), token, convention)


def _port(uri: str, text: str | None) -> int:
    if text is None:
        return PORT
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"{uri}: port={text}; expected 1 to 65535, or 0 for any free port")
    return int(text)


def _yes(uri: str, text: str) -> bool:
    if text.lower() in ("1", "yes", "on", "true"):
        return True
    if text.lower() in ("0", "no", "off", "false"):
        return False
    raise ConfigError(f"{uri}: start={text}; expected yes or no")
