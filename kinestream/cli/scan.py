"""``kinestream scan``: list the Bluetooth sensors in range and recognise their kinds."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .terminal import safe_console, show

if TYPE_CHECKING:
    from rich.table import Table

    from kinestream.ingest.ble.radio import Sighting


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "scan",
        help="list the Bluetooth sensors in range",
        description="List advertising Bluetooth devices: recognised sensors first, then by signal strength.",
        epilog="examples:\n  kinestream scan\n  kinestream scan --seconds 30 --battery\n  kinestream scan --json",
    )
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="scan duration (default 10)")
    parser.add_argument("--battery", action="store_true", help="then connect to each recognised sensor for its charge")
    parser.add_argument("--adapter", metavar="hciN", help="Bluetooth adapter to use, on Linux")
    parser.add_argument("--json", action="store_true", help="print one JSON object per device, at the end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Scan, show devices as they appear, and print the next step."""
    if not args.seconds > 0:
        raise ConfigError(f"--seconds {args.seconds:g}; expected a positive time")
    return asyncio.run(_scan(args))


async def _scan(args: argparse.Namespace) -> int:
    from rich.live import Live

    from kinestream.ingest.ble.failure import explain
    from kinestream.ingest.ble.radio import Radio

    radio = Radio(args.adapter)
    charge: dict[str, float | None] = {}
    watched = not args.json and sys.stdout.isatty()
    until_s = time.monotonic() + args.seconds
    with Live(console=safe_console(), auto_refresh=False) if watched else _NoDisplay() as live:
        try:
            async with radio.scanning() as sightings:
                while (remaining_s := until_s - time.monotonic()) > 0:
                    try:
                        await asyncio.wait_for(sightings.get(), min(remaining_s, 0.5))
                    except TimeoutError:
                        continue
                    live.update(_table(radio.seen, charge, remaining_s), refresh=True)
        except Exception as error:
            raise explain(error, "the scan").error() from error
        if args.battery:
            for sighting in _sorted(radio.seen):
                if sighting.profile is not None:
                    charge[sighting.address] = await radio.battery_frac(sighting)
                    live.update(_table(radio.seen, charge, 0), refresh=True)
        live.update(_table(radio.seen, charge, 0), refresh=True)
    if args.json:
        for sighting in _sorted(radio.seen):
            show(json.dumps(_record(sighting, charge.get(sighting.address))))
        return 0
    if not watched:
        safe_console().print(_table(radio.seen, charge, 0))
    show(_next_step(radio.seen), out=sys.stderr)
    return 0


class _NoDisplay:
    """Replaces the live table where there is no terminal."""

    def __enter__(self) -> _NoDisplay:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, *_: object, **__: object) -> None: ...


def _sorted(seen: dict[str, Sighting]) -> list[Sighting]:
    return sorted(seen.values(), key=lambda sighting: (sighting.profile is None, -sighting.rssi, sighting.address))


def _record(sighting: Sighting, charge: float | None) -> dict[str, Any]:
    profile = sighting.profile.name if sighting.profile else None
    return {
        "name": sighting.name,
        "address": sighting.address,
        "rssi": sighting.rssi,
        "profile": profile,
        "battery": charge,
    }


def _table(seen: dict[str, Sighting], charge: dict[str, float | None], remaining_s: float) -> Table:
    from rich import box
    from rich.table import Table

    title = f"scanning, {remaining_s:.0f} s left" if remaining_s > 0 else None
    table = Table("name", "address", title=title, box=box.SIMPLE, pad_edge=False)
    table.add_column("dBm", justify="right")
    table.add_column("profile")
    table.add_column("battery", justify="right")
    for sighting in _sorted(seen):
        frac = charge.get(sighting.address)
        profile = sighting.profile.name if sighting.profile else "-"
        table.add_row(
            sighting.name or "-", sighting.address, str(sighting.rssi), profile, "-" if frac is None else f"{frac:.0%}"
        )
    return table


def _next_step(seen: dict[str, Sighting]) -> str:
    known = [sighting for sighting in _sorted(seen) if sighting.profile is not None]
    if known:
        profile = known[0].profile
        assert profile is not None
        by_name = f", or by name: kinestream run 'ble://{known[0].name}'" if known[0].name else ""
        return f"next: kinestream run ble://{profile.name}{by_name}"
    if seen:
        return (
            "no device was recognised; name its profile: kinestream run 'ble://NAME?profile=...', "
            "or describe your own sensor: docs/generic_profile.md"
        )
    return "no device advertises here; switch the sensor on, bring it closer, and disconnect it from phones"
