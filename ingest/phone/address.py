"""What a person means by ``phone://...``."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError

from .axis_convention import CONVENTIONS, Convention

App = Literal["sensorlogger", "phyphox"]
PORT = 8000
PHYPHOX_PORT = 8080
"""On Android; an iPhone offers port 80."""
_OPTIONS: dict[App, tuple[str, ...]] = {
    "sensorlogger": ("app", "port", "host", "token", "os"),
    "phyphox": ("app", "start"),
}
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no two that look alike: a token is typed by hand
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")


@dataclass(frozen=True, slots=True)
class PhoneAddress:
    """A parsed ``phone://`` or ``phone://IP:PORT?app=phyphox``."""

    uri: str
    app: App = "sensorlogger"
    host: str = "0.0.0.0"
    """Where to listen, or for phyphox the phone."""
    port: int = PORT
    token: str = ""
    """What a push must bring."""
    convention: Convention | None = None
    start: bool = True
    """Whether to start a phyphox measurement that is not running."""

    @classmethod
    def parse(cls, uri: str) -> PhoneAddress:
        """Read ``phone://[IP[:PORT]][?key=value&...]``; a token is made up where none is given.

        Raises:
            ConfigError: a key or value makes no sense.
        """
        parts = urlsplit(uri)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        try:
            named, named_port = parts.hostname, parts.port
        except ValueError:
            raise ConfigError(f"{uri}: '{parts.netloc}' is no IP:PORT") from None
        app = query.get("app", "phyphox" if named else "sensorlogger")
        if app not in _OPTIONS:
            raise ConfigError(f"{uri}: app={app}; expected {' or '.join(_OPTIONS)}")
        known = _OPTIONS[app]
        for key in query:
            if key not in known:
                hint = did_you_mean(key, known)
                raise ConfigError(f"{uri}: unknown setting '{key}'{hint}; known for {app}: {', '.join(known)}")
        if parts.path.strip("/"):
            raise ConfigError(f"{uri}: '{parts.path}' means nothing; settings follow after '?'")
        if app == "phyphox":
            if not named:
                raise ConfigError(f"{uri} names no phone; write the address phyphox shows: phone://IP:PORT?app=phyphox")
            return cls(uri, app, named, named_port or PHYPHOX_PORT, start=_yes(uri, query.get("start", "yes")))
        if named:
            raise ConfigError(f"{uri}: Sensor Logger pushes to this machine; say phone://?host={named} to listen there")
        token = query.get("token") or "".join(secrets.choice(_ALPHABET) for _ in range(12))
        if not _TOKEN.fullmatch(token):
            raise ConfigError(f"{uri}: a token has 8 to 128 of A-Z a-z 0-9 _ -")
        convention = query.get("os")
        if convention is not None and convention not in CONVENTIONS:
            raise ConfigError(f"{uri}: os={convention}; expected {', '.join(CONVENTIONS)}")
        return cls(uri, app, query.get("host", "0.0.0.0"), _port(uri, query.get("port")), token, convention)


def _port(uri: str, text: str | None) -> int:
    if text is None:
        return PORT
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"{uri}: port={text}; expected 1 to 65535, or 0 for any that is free")
    return int(text)


def _yes(uri: str, text: str) -> bool:
    if text.lower() in ("1", "yes", "on", "true"):
        return True
    if text.lower() in ("0", "no", "off", "false"):
        return False
    raise ConfigError(f"{uri}: start={text}; expected yes or no")
