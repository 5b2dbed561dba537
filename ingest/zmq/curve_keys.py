"""CURVE keys: who may listen, who may send, and that nobody on the way reads or forges.

Each machine has one key pair. The side that binds is the server: it lets in only the public keys it knows. The
side that connects must know the server's public key. Files have the layout of ZeroMQ's own certificates, so
other tools read them. The method is CurveZMQ (rfc.zeromq.org/spec/26) with ZAP (spec/27), done by libzmq.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.auth import load_certificate
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from kinestream.core.errors import ConfigError, DataDamaged

from .address import ZmqAddress

SECRET_FILE = "kinestream.key_secret"
PUBLIC_FILE = "kinestream.key"
KNOWN_FOLDER = "known"
MAX_KNOWN = 1000

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DOMAIN = "kinestream"
_HOW = "'kinestream keys new' makes keys, 'kinestream keys trust NAME KEY' lets another machine in"


def keys_folder() -> Path:
    """``$KINESTREAM_KEYS``, else ``kinestream/keys`` in the user's configuration folder."""
    own = os.environ.get("KINESTREAM_KEYS")
    if own:
        return Path(own)
    base = os.environ.get("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "kinestream" / "keys"


@dataclass(frozen=True, slots=True)
class Keys:
    """This machine's key pair and the public keys it knows, all as 40 characters of Z85."""

    folder: Path
    public: bytes
    secret: bytes
    known: Mapping[str, bytes]

    def __repr__(self) -> str:  # the secret shall not end in a log
        return f"Keys({self.public.decode()}, knows {', '.join(self.known) or 'nobody'})"

    @classmethod
    def load(cls, folder: Path) -> Keys:
        """The keys in a folder.

        Raises:
            ConfigError: there are none, or others on this machine can read the secret one.
            DataDamaged: a file holds no key.
        """
        path = folder / SECRET_FILE
        if not path.is_file():
            raise ConfigError(f"no keys in {folder}: {_HOW}")
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"others can read {path}; expected rights for you alone: chmod 600 '{path}'")
        public, secret = _read(path)
        if secret is None:
            raise DataDamaged(f"{path} holds no secret key; remove it and make keys anew with 'kinestream keys new'")
        return cls(folder, public, secret, known_keys(folder))

    def server_key(self, name: str | None) -> bytes:
        """The public key of the server to connect to: the one of that name, or the only one known.

        Raises:
            ConfigError: no such key, or none, or several and no name.
        """
        if name is None and len(self.known) == 1:
            return next(iter(self.known.values()))
        if name is not None and name in self.known:
            return self.known[name]
        if name is None:
            found = f"{len(self.known)} known keys in {self.folder / KNOWN_FOLDER}; expected one, or ?server=NAME"
        else:
            found = f"no key named '{name}' in {self.folder / KNOWN_FOLDER}"
        raise ConfigError(f"{found}: 'kinestream keys trust NAME KEY' adds the server's public key")


def new_keys(folder: Path) -> Keys:
    """A fresh pair in a folder, readable by this user alone.

    Raises:
        ConfigError: there is one already, or the folder cannot be written.
    """
    public, secret = zmq.curve_keypair()
    while public.startswith(b"-"):  # a command line would take it for an option
        public, secret = zmq.curve_keypair()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / KNOWN_FOLDER).mkdir(mode=0o700, exist_ok=True)
        _write(folder / SECRET_FILE, public, secret)
        _write(folder / PUBLIC_FILE, public)
    except FileExistsError as error:
        raise ConfigError(
            f"{error.filename} is there already, and whoever trusts it would trust no new one; "
            "name another folder with --out, or remove it first"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot write keys in {folder}: {error.strerror}; name another folder with --out") from None
    return Keys(folder, public, secret, known_keys(folder))


def trust(folder: Path, name: str, key: str) -> bytes:
    """Note another machine's public key, given as 40 characters or as its ``.key`` file.

    Raises:
        ConfigError: no such key, or the name is not fit for a file.
        DataDamaged: the file holds no key.
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
        raise ConfigError(f"cannot write {path}: {error.strerror}; name another folder with --keys") from None
    return public


def known_keys(folder: Path) -> dict[str, bytes]:
    """The public keys of other machines, by name.

    Raises:
        DataDamaged: a file holds no key.
    """
    files = sorted((folder / KNOWN_FOLDER).glob("*.key"))[:MAX_KNOWN]
    return {path.stem: _read(path)[0] for path in files}


def keys_for(address: ZmqAddress) -> Keys | None:
    """The keys a socket at this address uses; None where it may go without.

    Keys that the address names are always used. Without, it may be plain text within this machine, and beyond
    it where that was asked for as ``insecure``.

    Raises:
        ConfigError: the address leaves this machine and there are no keys.
    """
    asked = address.keys is not None or bool(address.servers)
    if not asked and (address.is_local or address.insecure):
        return None
    try:
        return Keys.load(address.keys or keys_folder())
    except ConfigError as error:
        if asked:
            raise
        raise ConfigError(
            f"'{address.uri}' leaves this machine, and {error}; "
            "or say --insecure (?insecure=1) if anyone on the way may read and forge what is sent"
        ) from None


class Doorkeeper:
    """Lets only known keys through to the sockets of one context that bind; ``close`` before the context ends."""

    def __init__(self, context: zmq.Context, keys: Keys) -> None:
        if not keys.known:
            raise ConfigError(f"{keys.folder / KNOWN_FOLDER} holds no key, so nobody could connect: {_HOW}")
        self._allowed = frozenset(keys.known.values())
        self._counts = Counter[str]()
        self._zap = ThreadAuthenticator(context)
        self._zap.start()
        self._zap.configure_curve_callback(_DOMAIN, self)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether the client with this key may come in; called by the authenticator's thread."""
        known = key in self._allowed
        self._counts["refused_keys"] += not known
        return known

    def counts(self) -> Mapping[str, int]:
        """``refused_keys``: attempts to connect with a key that is not known; only if there were any."""
        return +self._counts

    def close(self) -> None:
        self._zap.stop()


def secure_server(socket: zmq.Socket, keys: Keys | None) -> Doorkeeper | None:
    """Make a socket that will bind let in only known keys; to be closed after the socket."""
    if keys is None:
        return None
    doorkeeper = Doorkeeper(zmq.Context.shadow(socket.context), keys)
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.curve_server = True
    socket.zap_domain = _DOMAIN.encode()
    return doorkeeper


def secure_client(socket: zmq.Socket, keys: Keys | None, server: str | None) -> None:
    """Make a socket that will connect show its key, and talk only to the server known by that name."""
    if keys is not None:
        socket.curve_serverkey = keys.server_key(server)
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret


def _is_key(text: str) -> bool:
    try:
        return len(text) == 40 and len(z85.decode(text.encode())) == 32
    except Exception:  # the library raises what its arithmetic raises
        return False


def _read(path: Path) -> tuple[bytes, bytes | None]:
    if not path.is_file():
        raise ConfigError(f"'{path}' is neither a key of 40 characters nor a file that holds one")
    try:
        public, secret = load_certificate(path)
        if all(_is_key(key.decode()) for key in (public, secret) if key is not None):
            return public, secret
    except (OSError, ValueError):
        pass
    raise DataDamaged(f"{path} holds no CURVE key; expected the layout that 'kinestream keys new' writes")


def _write(path: Path, public: bytes, secret: bytes | None = None) -> None:
    told = "Keep it to yourself" if secret else "For other machines: 'kinestream keys trust NAME FILE'"
    lines = [f"#   kinestream {'secret' if secret else 'public'} key. {told}.", "metadata", "curve"]
    lines.append(f'    public-key = "{public.decode()}"')
    if secret:
        lines.append(f'    secret-key = "{secret.decode()}"')
    # Created with its rights: a file that is narrowed afterwards could be read in between.
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
