"""The commands ``relay``, for samples over an unreliable network, and ``keys``, for encrypted connections."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from kinestream.core.errors import ConfigError

from .run_options import add_source_options, source_of
from .terminal import say, show, stop_on_signals

JOURNAL_SIZE = "1GB"
MIN_JOURNAL_BYTES = 4_000_000


def add_parser(commands: Any) -> None:
    relay = commands.add_parser(
        "relay",
        help="send a source to another machine without losses",
        description="Run this near the wearer: on a phone, a Raspberry Pi or a second laptop. Samples stay on disk\n"
        "until 'kinestream run relay://HOST:PORT' on the other machine has processed them.",
        epilog="examples:\n"
        "  kinestream relay ble://polar --to tcp://10.0.0.5:5557\n"
        "  kinestream relay wearer:// --to tcp://127.0.0.1:5557 --journal /data/journal --journal-size 200MB\n"
        "  kinestream relay --to tcp://10.0.0.5:5557            send only the samples in the journal",
    )
    relay.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help="a dataset, a file, or an address as for run; without one, empty the journal",
    )
    relay.add_argument("--to", required=True, metavar="tcp://HOST:PORT", help="where 'kinestream run relay://' waits")
    relay.add_argument(
        "--journal", type=Path, metavar="DIR", help="folder of the samples on disk (default: one per target)"
    )
    relay.add_argument(
        "--journal-size",
        default=JOURNAL_SIZE,
        metavar="SIZE",
        help=f"maximum size; when full, a live source drops and reports its oldest samples (default {JOURNAL_SIZE})",
    )
    add_source_options(relay)
    relay.set_defaults(run=_relay)

    keys = commands.add_parser(
        "keys",
        help="manage the CURVE keys for connections beyond this machine",
        description="Connections beyond this machine are encrypted, and admit only known keys.\n"
        "Make keys on both machines, then let each trust the other's public key.",
        epilog="examples:\n  kinestream keys new\n"
        "  kinestream keys trust laptop 'THE 40 CHARACTERS THAT keys new PRINTED THERE'\n"
        "  kinestream keys trust laptop laptop.key",
    )
    actions = keys.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make this machine's keys")
    new.add_argument("--out", type=Path, metavar="DIR", help="folder (default $KINESTREAM_KEYS or the user's settings)")
    new.set_defaults(run=_new)
    trust = actions.add_parser("trust", help="store the public key of another machine")
    trust.add_argument("name", metavar="NAME", help="a name for the key")
    trust.add_argument("key", metavar="KEY", help="the public key, or its file")
    trust.add_argument("--keys", type=Path, metavar="DIR", help="folder of this machine's keys")
    trust.set_defaults(run=_trust)
    show = actions.add_parser("list", help="print this machine's public key and the keys it knows")
    show.add_argument("--keys", type=Path, metavar="DIR", help="folder of this machine's keys")
    show.set_defaults(run=_list)


def _relay(args: argparse.Namespace) -> int:
    from kinestream.core.source import Noticing
    from kinestream.ingest import Journal, Relay
    from kinestream.ingest.relay.durable import state_folder

    size = parse_size(args.journal_size)
    folder = args.journal or state_folder() / "journal" / re.sub(r"[^A-Za-z0-9.]+", "-", args.to.partition("?")[0])

    async def run() -> int:
        with Journal(folder, max_bytes=size) as journal:
            relay = Relay(args.to, journal, insecure=args.insecure, report=say)
            source = source_of(args) if args.source else None
            if journal.newest > journal.delivered:
                say(f"{folder} still has {max(1, journal.size_bytes // 1000)} kB of samples; sending those first")
            task = asyncio.ensure_future(relay.run(source))
            stop_on_signals(task.cancel)
            try:
                await task
            except asyncio.CancelledError:
                if journal.newest > journal.delivered:
                    say(f"stopped; undelivered samples stay in {folder} for the next start")
            for notice in source.notices() if isinstance(source, Noticing) else ():
                say(notice)
            counts = {**(source.counts() if source else {}), **relay.counts()}
            totals = ", ".join(f"{kind} {count}" for kind, count in counts.items())
            say(totals or ("nothing delivered" if journal.newest > journal.delivered else "nothing to deliver"))
            return 0

    return asyncio.run(run())


def parse_size(text: str) -> int:
    """Return the number of bytes in a text such as ``500MB``, ``2GB`` or ``5000000``.

    Raises:
        ConfigError: the text is not a size, or is less than the minimum of a journal.

    >>> parse_size("500MB")
    500000000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", text.strip())
    size = int(float(match[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[match[2]]) if match else 0
    if size < MIN_JOURNAL_BYTES:
        raise ConfigError(f"--journal-size {text}: expected {MIN_JOURNAL_BYTES / 1e6:.0f}MB or more, e.g. 500MB or 2GB")
    return size


def _new(args: argparse.Namespace) -> int:
    from kinestream.ingest.zmq.curve_keys import keys_folder, new_keys

    folder = args.out or keys_folder()
    keys = new_keys(folder)
    show(keys.public.decode())
    show(
        f"kinestream: the keys are in {folder}; the line above is the public key. On the other machine:",
        f"  kinestream keys trust NAME '{keys.public.decode()}'",
        out=sys.stderr,
    )
    return 0


def _trust(args: argparse.Namespace) -> int:
    from kinestream.ingest.zmq.curve_keys import KNOWN_FOLDER, keys_folder, trust

    folder = args.keys or keys_folder()
    trust(folder, args.name, args.key)
    show(f"kinestream: stored {args.name} in {folder / KNOWN_FOLDER}; restart running commands to use it")
    return 0


def _list(args: argparse.Namespace) -> int:
    from kinestream.ingest.zmq.curve_keys import Keys, keys_folder

    keys = Keys.load(args.keys or keys_folder())
    show(f"{keys.public.decode()}  this machine, {keys.folder}")
    for name, key in keys.known.items():
        show(f"{key.decode()}  {name}")
    return 0
