"""``kinestream decode``: show the contents of a sensor's packets, for debugging."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, DecodeError

from .terminal import show

if TYPE_CHECKING:
    from kinestream.ingest.profile import Decoder, Group, Packet, Plan

EXAMPLES = """\
examples:
  kinestream decode microbit "ce ff ce ff 00 fc"
  kinestream decode microbit 57 --char 2a19                           the standard battery level
  kinestream decode metamotion 03:04:16:c4:94:a2:2a:d0 --acc-range 4  at the configured range
  kinestream decode polar --json \\
    fb005c81=f0020500000501d6ff793d 05ffffffffffffff7f80eaff08000d000301df00
                                     the answer with the factor, then a frame
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command; its dependencies are imported when it runs."""
    parser = subparsers.add_parser(
        "decode",
        help="decode Bluetooth packets of a known sensor",
        description="Decode packets of a sensor with its profile and print their samples in SI units.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "device", metavar="DEVICE", help="polar, movesense, muse, ..., generic:FILE.toml; an unknown name lists all"
    )
    parser.add_argument(
        "packets",
        metavar="[CHAR=]HEX",
        nargs="+",
        help="notifications in order of arrival; bytes may be separated by spaces, colons or 0x",
    )
    parser.add_argument("--char", metavar="UUID", help="their characteristic, or the beginning of its UUID")
    parser.add_argument("--acc-range", type=float, metavar="G", help="configured range of the accelerometer")
    parser.add_argument("--gyro-range", type=float, metavar="DPS", help="configured range of the gyroscope")
    parser.add_argument("--no-gyro", action="store_true", help="the gyroscope was off")
    parser.add_argument("--mag", action="store_true", help="the magnetometer was on")
    parser.add_argument("--json", action="store_true", help="print one JSON document per group of samples")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decode the packets and print their contents."""
    from kinestream.ingest.devices import find_profile
    from kinestream.ingest.profile import Settings

    settings = Settings(
        acc_range_g=args.acc_range,
        gyro_range_dps=args.gyro_range,
        gyro=False if args.no_gyro else None,
        mag=args.mag,
    )
    plan = find_profile(args.device).plan(settings)
    decoder = plan.decoder()
    notifications = [_notification(text, args.char, plan, decoder) for text in _joined(args.packets)]
    printed = 0
    for k, (characteristic, data) in enumerate(notifications, 1):
        try:
            packets = decoder.decode(characteristic, data)
        except DecodeError as error:
            raise error if len(notifications) == 1 else DecodeError(f"packet {k}: {error}") from None
        groups = {group.name: group for group in (*decoder.groups, *decoder.other_groups)}  # a packet may change them
        for packet in packets:
            record = _record(packet, groups.get(packet.group))
            show(*([json.dumps(record)] if args.json else _lines(record, groups.get(packet.group))))
        printed += len(packets)
    if not printed:
        show(json.dumps(_record(None, None)) if args.json else "no samples and no battery level in these bytes")
    if decoder.counts.total():
        show("; ".join(f"{kind}: {n}" for kind, n in sorted(decoder.counts.items()) if n), out=sys.stderr)
    return 0


def _joined(texts: list[str]) -> list[str]:
    """Join bytes given as separate arguments (without quotes) into one packet."""
    separate = len(texts) > 1 and all(re.fullmatch(r"(0x)?[0-9a-fA-F]{2}", text) for text in texts)
    return [" ".join(texts)] if separate else texts


def _notification(text: str, char: str | None, plan: Plan, decoder: Decoder) -> tuple[str, bytes]:
    """The characteristic and bytes of one argument."""
    prefix, separator, digits = text.rpartition("=")
    digits = re.sub(r"0[xX]|[\s:,-]", "", digits)
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise ConfigError(
            f"'{text}' is not a packet; write its bytes in hexadecimal, two digits each, e.g. 'ce ff 00 fc'"
        ) from None
    wanted = prefix if separator else char
    if wanted is None:
        if len(plan.notify) != 1:
            raise ConfigError(
                f"this device sends on {len(plan.notify)} characteristics; add --char with one of "
                f"{', '.join(plan.notify)}"
            )
        return plan.notify[0], data
    known = decoder.characteristics
    short = wanted.strip().lower().removeprefix("0x")
    matches = [
        uuid for uuid in known if uuid.startswith(short) or (len(short) == 4 and uuid.startswith(f"0000{short}"))
    ]
    if len(matches) != 1:
        raise ConfigError(
            f"'{wanted}' matches {len(matches)} characteristics of this device; name one of {', '.join(known)}"
        )
    return matches[0], data


def _record(packet: Packet | None, group: Group | None) -> dict[str, Any]:
    """One packet as plain JSON values; unknown values are null."""
    from kinestream.core.signals import CHANNEL_UNITS

    channels = list(group.channels) if group else []
    return {
        "group": packet.group if packet else None,
        "channels": channels,
        "units": [CHANNEL_UNITS.get(name, "1") for name in channels],
        "samples": [[float(f"{value:.7g}") for value in row] for row in packet.samples.tolist()] if packet else [],
        "device_time": packet.device_time if packet else None,
        "tick_s": group.clock.tick_s if group and packet and packet.device_time is not None else None,
        "counter": packet.counter if packet else None,
        "battery": packet.battery_frac if packet else None,
    }


def _lines(record: dict[str, Any], group: Group | None) -> list[str]:
    """One packet as readable text."""
    n = len(record["samples"])
    facts = [f"{record['group']}: {n} sample{'s' * (n != 1)}"] if n else []
    if record["tick_s"] is not None and group is not None:
        time_s = record["device_time"] * record["tick_s"]
        facts.append(f"the {group.clock.stamps} at {time_s:.6f} s of the device's clock")
    elif record["device_time"] is not None:
        facts.append(f"device time {record['device_time']}")
    if record["counter"] is not None:
        facts.append(f"number {record['counter']}")
    if record["battery"] is not None:
        facts.append(f"battery {100 * record['battery']:.0f} %")
    lines = [", ".join(facts)]
    if record["samples"]:
        heads = [f"{name} {unit}" for name, unit in zip(record["channels"], record["units"], strict=True)]
        lines.append("".join(f"{head:>14}" for head in heads))
        lines += ["".join(f"{value:14.5f}" for value in row) for row in record["samples"]]
    return lines
