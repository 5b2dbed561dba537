"""``kinestream scan``: which Bluetooth sensors are near, and which of them are recognised."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from kinestream.ingest.ble.radio import Sighting


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "scan",
        help="which Bluetooth sensors are near",
        description="Show the Bluetooth devices that advertise, nearest first; recognised sensors are on top.",
        epilog="examples:\n  kinestream scan\n  kinestream scan --seconds 30 --battery\n  kinestream scan --json",
    )
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="how long to listen (default 10)")
    parser.add_argument("--battery", action="store_true", help="then connect to the recognised ones and ask the charge")
    parser.add_argument("--adapter", metavar="hciN", help="which Bluetooth adapter, on Linux")
    parser.add_argument("--json", action="store_true", help="one JSON object a device, at the end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Listen, show what is heard as it is heard, and say what to do with it."""
    if not args.seconds > 0:
        raise ConfigError(f"--seconds {args.seconds:g}; expected a positive time")
    return asyncio.run(_scan(args))


async def _scan(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.live import Live

    from kinestream.ingest.ble.failure import tell
    from kinestream.ingest.ble.radio import Radio

    radio = Radio(args.adapter)
    charge: dict[str, float | None] = {}
    watched = not args.json and sys.stdout.isatty()
    until_s = time.monotonic() + args.seconds
    with Live(console=Console(), auto_refresh=False) if watched else _NoLive() as live:
        try:
            async with radio.scanning() as heard:
                while (left_s := until_s - time.monotonic()) > 0:
                    try:
                        await asyncio.wait_for(heard.get(), min(left_s, 0.5))
                    except TimeoutError:
                        continue
                    live.update(_table(radio.seen, charge, left_s), refresh=True)
        except Exception as error:
            raise tell(error, "the scan").error() from error
        if args.battery:
            for one in _sorted(radio.seen):
                if one.profile is not None:
                    charge[one.address] = await radio.battery_frac(one)
                    live.update(_table(radio.seen, charge, 0), refresh=True)
        live.update(_table(radio.seen, charge, 0), refresh=True)
    if args.json:
        for one in _sorted(radio.seen):
            print(json.dumps(_record(one, charge.get(one.address))))
        return 0
    if not watched:
        Console(markup=False, highlight=False).print(_table(radio.seen, charge, 0))
    print(_advice(radio.seen), file=sys.stderr)
    return 0


class _NoLive:
    """Stands in for the live table where nobody watches."""

    def __enter__(self) -> _NoLive:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, *_: object, **__: object) -> None: ...


def _sorted(seen: dict[str, Sighting]) -> list[Sighting]:
    return sorted(seen.values(), key=lambda one: (one.profile is None, -one.rssi, one.address))


def _record(one: Sighting, charge: float | None) -> dict[str, Any]:
    profile = one.profile.name if one.profile else None
    return {"name": one.name, "address": one.address, "rssi": one.rssi, "profile": profile, "battery": charge}


def _table(seen: dict[str, Sighting], charge: dict[str, float | None], left_s: float) -> Table:
    from rich import box
    from rich.table import Table

    title = f"listening, {left_s:.0f} s to go" if left_s > 0 else None
    table = Table("name", "address", title=title, box=box.SIMPLE, pad_edge=False)
    table.add_column("dBm", justify="right")
    table.add_column("profile")
    table.add_column("battery", justify="right")
    for one in _sorted(seen):
        frac = charge.get(one.address)
        profile = one.profile.name if one.profile else "-"
        table.add_row(one.name or "-", one.address, str(one.rssi), profile, "-" if frac is None else f"{frac:.0%}")
    return table


def _advice(seen: dict[str, Sighting]) -> str:
    known = [one for one in _sorted(seen) if one.profile is not None]
    if known:
        profile = known[0].profile
        assert profile is not None
        what = [f"kinestream run ble://{profile.name}"]
        if known[0].name:
            what.append(f"kinestream run 'ble://{known[0].name}'")
        return f"next: {what[0]}" + (f", or by name: {what[1]}" if what[1:] else "")
    if seen:
        return (
            "none of these is recognised; kinestream run 'ble://NAME?profile=...' names the kind, "
            "docs/generic_profile.md describes one of your own"
        )
    return "nothing advertises here; switch the sensor on, bring it near, and disconnect it from phones"
