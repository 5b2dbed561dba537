"""CURVE keys, which encrypt a connection and authenticate both ends.

Each machine has one key pair. The side that binds is the server: it accepts only the public keys it knows. The
side that connects must know the server's public key. Files have the layout of ZeroMQ's certificates, so other
tools can read them. libzmq implements the method: CurveZMQ (rfc.zeromq.org/spec/26) with ZAP (spec/27).
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.auth import load_certificate
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.user_folders import user_folder

from .address import ZmqAddress

SECRET_FILE = "kinestream.key_secret"
PUBLIC_FILE = "kinestream.key"
KNOWN_FOLDER = "known"
MAX_KNOWN = 1000

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DOMAIN = "kinestream"
_HOW = "make keys with 'kinestream keys new', and admit another machine with 'kinestream keys trust NAME KEY'"


def keys_folder() -> Path:
    """Return ``$KINESTREAM_KEYS``, else ``kinestream/keys`` in the user's configuration folder."""
    unix = ("XDG_CONFIG_HOME", ".config")
    return user_folder("KINESTREAM_KEYS", unix=unix, windows="APPDATA", name="kinestream/keys")


@dataclass(frozen=True, slots=True)
class Keys:
    """This machine's key pair and the public keys it knows, each as 40 characters of Z85.

    >>> Keys(Path("keys"), b"P" * 40, b"S" * 40, {"wrist": b"W" * 40})
    Keys(PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP, knows wrist)
    """

    folder: Path
    public: bytes
    secret: bytes
    known: Mapping[str, bytes]

    def __repr__(self) -> str:  # without the secret key, which must not reach a log
        return f"Keys({self.public.decode()}, knows {', '.join(self.known) or 'no other key'})"

    @classmethod
    def load(cls, folder: Path) -> Keys:
        """Load the keys in a folder.

        Raises:
            ConfigError: the folder has no keys, or other users of this machine can read the secret key or write the
                folder or its public keys.
            DataDamaged: a file does not hold a key.
        """
        path = folder / SECRET_FILE
        if not path.is_file():
            raise ConfigError(f"no keys in {folder}: {_HOW}")
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"other users can read {path}; only you may: chmod 600 '{path}'")
        for place in (folder, folder / KNOWN_FOLDER, *(folder / KNOWN_FOLDER).glob("*.key")):
            _refuse_written_by_others(place)
        public, secret = _read(path)
        if secret is None:
            raise DataDamaged(f"{path} has no secret key; remove it and make new keys with 'kinestream keys new'")
        return cls(folder, public, secret, known_keys(folder))

    def server_key(self, name: str | None) -> bytes:
        """Return the public key of the server with this name; without a name, the only known key.

        Raises:
            ConfigError: the name is unknown, or there is no name and not exactly one known key.
        """
        if name is None and len(self.known) == 1:
            return next(iter(self.known.values()))
        if name is not None and name in self.known:
            return self.known[name]
        if name is None:
            problem = f"{len(self.known)} known keys in {self.folder / KNOWN_FOLDER}; expected one, or ?server=NAME"
        else:
            problem = f"no key named '{name}' in {self.folder / KNOWN_FOLDER}"
        raise ConfigError(f"{problem}: add the server's public key with 'kinestream keys trust NAME KEY'")


def new_keys(folder: Path) -> Keys:
    """Write a new key pair into a folder, readable only by this user, and return it.

    Raises:
        ConfigError: the folder already holds keys, or cannot be written.
    """
    public, secret = zmq.curve_keypair()
    while public.startswith(b"-"):  # a command line would read such a key as an option
        public, secret = zmq.curve_keypair()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / KNOWN_FOLDER).mkdir(mode=0o700, exist_ok=True)
        _write(folder / SECRET_FILE, public, secret)
        _write(folder / PUBLIC_FILE, public)
    except FileExistsError as error:
        raise ConfigError(
            f"{error.filename} already exists, and machines that trust its key would not trust a new one; "
            "choose another folder with --out, or remove the file first"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot write keys in {folder}: {error.strerror}; choose another folder with --out"
        ) from None
    return Keys(folder, public, secret, known_keys(folder))


def trust(folder: Path, name: str, key: str) -> bytes:
    """Store and return another machine's public key, given as 40 characters or as the path of its ``.key`` file.

    Raises:
        ConfigError: ``key`` is neither a key nor a file, or the name cannot be a file name.
        DataDamaged: the file does not hold a key.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"'{name}' cannot name a key; expected 1 to 64 letters, digits, '.', '_', '-'")
    public = key.encode() if _is_key(key) else _read(Path(key))[0]
    known = folder / KNOWN_FOLDER
    path = known / f"{name}.key"
    try:
        known.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        _write(path, public)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; choose another folder with --keys") from None
    return public


def known_keys(folder: Path) -> dict[str, bytes]:
    """Return the public keys of other machines, by name.

    Raises:
        DataDamaged: a file does not hold a key.
    """
    files = sorted((folder / KNOWN_FOLDER).glob("*.key"))[:MAX_KNOWN]
    return {path.stem: _read(path)[0] for path in files}


def keys_for(address: ZmqAddress) -> Keys | None:
    """Return the keys for a socket at this address; None where plain text is allowed.

    A socket uses the keys that its address names. Without such keys, plain text is allowed within this machine, and
    beyond it if the address is ``insecure``.

    Raises:
        ConfigError: the address reaches beyond this machine and there are no keys.
    """
    names_keys = address.keys is not None or bool(address.servers)
    if not names_keys and (address.is_local or address.insecure):
        return None
    try:
        return Keys.load(address.keys or keys_folder())
    except ConfigError as error:
        if names_keys:
            raise
        raise ConfigError(
            f"'{address.uri}' reaches beyond this machine, which needs keys: {error}; "
            "or use --insecure (?insecure=1) if others in the network may read and forge the data"
        ) from None


class Doorkeeper:
    """Gate that admits only known keys to the bound sockets of a context; close it before the context."""

    def __init__(self, context: zmq.Context, keys: Keys) -> None:
        if not keys.known:
            raise ConfigError(f"{keys.folder / KNOWN_FOLDER} holds no key, so no machine could connect: {_HOW}")
        self._allowed = frozenset(keys.known.values())
        self._counts = Counter[str]()
        self._zap = ThreadAuthenticator(context)
        self._zap.start()
        self._zap.configure_curve_callback(_DOMAIN, self)

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether the client with this key may connect; called by the authenticator's thread."""
        known = key in self._allowed
        self._counts["refused_keys"] += not known
        return known

    def counts(self) -> Mapping[str, int]:
        """Return ``refused_keys``, the attempts to connect with an unknown key, if there were any."""
        return +self._counts

    def close(self) -> None:
        """Stop the authenticator's thread."""
        self._zap.stop()


def secure_server(socket: zmq.Socket, keys: Keys | None) -> Doorkeeper | None:
    """Set up a socket, before it binds, to admit only known keys; close the returned gate after the socket."""
    if keys is None:
        return None
    doorkeeper = Doorkeeper(zmq.Context.shadow(socket.context), keys)
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.curve_server = True
    socket.zap_domain = _DOMAIN.encode()
    return doorkeeper


def secure_client(socket: zmq.Socket, keys: Keys | None, server: str | None) -> None:
    """Set up a socket, before it connects, to present its key and accept only the server of this name."""
    if keys is not None:
        socket.curve_serverkey = keys.server_key(server)
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret


def _refuse_written_by_others(path: Path) -> None:
    """Anyone who can write to the folder can admit machines and replace keys."""
    if os.name != "posix" or not path.exists():
        return
    status = path.stat()
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"other users can write {path}; only you may: chmod go-w '{path}'")
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{path} belongs to another user; make keys of your own with 'kinestream keys new'")


def _is_key(text: str) -> bool:
    try:
        return len(text) == 40 and len(z85.decode(text.encode())) == 32
    except Exception:  # z85 does not document which errors its arithmetic raises
        return False


def _read(path: Path) -> tuple[bytes, bytes | None]:
    if not path.is_file():
        raise ConfigError(f"'{path}' is neither a key of 40 characters nor a file with a key")
    try:
        public, secret = load_certificate(path)
        if all(_is_key(key.decode()) for key in (public, secret) if key is not None):
            return public, secret
    except (OSError, ValueError):
        pass
    raise DataDamaged(f"{path} does not hold a CURVE key; expected a file written by 'kinestream keys new'")


def _write(path: Path, public: bytes, secret: bytes | None = None) -> None:
    advice = "Keep it to yourself" if secret else "For other machines: 'kinestream keys trust NAME FILE'"
    lines = [f"#   kinestream {'secret' if secret else 'public'} key. {advice}.", "metadata", "curve"]
    lines.append(f'    public-key = "{public.decode()}"')
    if secret:
        lines.append(f'    secret-key = "{secret.decode()}"')
    # The file gets its permissions at creation: a later chmod would leave it readable for a moment.
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
