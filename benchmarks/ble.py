"""What it costs to read Bluetooth sensors: the processor's time of the source, through bleak's BlueZ backend.

    python benchmarks/ble.py [--devices 4] [--rate 200] [--seconds 20]

A private D-Bus daemon and a small org.bluez (tests/ble) stand in for the radio, in processes of their own, so that what
is measured is this process alone: bleak, decoding, clocks and chunks. Linux, with dbus-daemon installed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from kinestream.ingest.ble.source import BleSource
from tests.ble.bluez import BlueZ
from tests.ble.daemon import private_bus
from tests.ble.sensors import Thingy

SETTLE_S = 2.0
"""Not measured: scanning, connecting, starting."""


class FastThingy(Thingy):
    """Sends numbers made beforehand, so that the stand-in keeps up."""

    def __init__(self, address: str, seed: int, rate_hz: float) -> None:
        super().__init__(address, seed)
        self.true_rate_hz = rate_hz
        self._motion = itertools.cycle(np.random.default_rng(seed).normal(0, 2, (500, 6)))


def stand_in(bus: str, devices: int, rate_hz: float) -> None:
    """Serve until standard input closes."""
    with BlueZ(bus) as bluez:
        for i in range(devices):
            bluez.add(FastThingy(f"C0:00:00:00:00:{i:02X}", i, rate_hz))
        print("ready", flush=True)
        sys.stdin.read()


async def measure(devices: int, rate_hz: float, seconds: float) -> dict[str, float]:
    source = BleSource(f"ble://{','.join(['thingy52'] * devices)}?rate={rate_hz:g}")
    chunks = samples = 0
    began_s = began_cpu_s = complete_s = 0.0
    streams: set[str] = set()
    age_s: list[float] = []
    async for chunk in source.chunks():
        now_s = time.monotonic()
        streams.add(chunk.stream)
        if not began_s:
            if len(streams) == devices:
                complete_s = complete_s or now_s
                if now_s - complete_s > SETTLE_S:
                    began_s, began_cpu_s = now_s, time.process_time()
            continue
        chunks += 1
        samples += len(chunk)
        age_s.append(now_s - chunk.received_s)
        if now_s - began_s > seconds:
            break
    wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    counts = source.counts()
    await source.aclose()
    return {
        "devices": devices,
        "notifications_per_s": samples / wall_s,
        "cores": cpu_s / wall_s,
        "us_per_notification": cpu_s / samples * 1e6,
        "chunks_per_s": chunks / wall_s,
        "handed_on_ms_p50": float(np.median(np.array(age_s))) * 1e3,
        "dropped": counts.get("dropped_notifications", 0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--rate", type=float, default=200.0, metavar="HZ", help="notifications a second of each device")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stand-in", metavar="BUS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stand_in:
        stand_in(args.stand_in, args.devices, args.rate)
        return
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, private_bus(Path(folder)) as bus:
        command = [sys.executable, __file__, "--stand-in", bus, f"--devices={args.devices}", f"--rate={args.rate}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
            assert service.stdout is not None
            assert service.stdin is not None
            service.stdout.readline()
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus
            found = asyncio.run(measure(args.devices, args.rate, args.seconds))
            service.stdin.close()
    if args.json:
        print(json.dumps(found))
        return
    print(
        f"{found['devices']} devices, {found['notifications_per_s']:.0f} notifications/s: "
        f"{found['cores']:.1%} of a core, {found['us_per_notification']:.0f} us each, "
        f"handed on {found['handed_on_ms_p50']:.0f} ms after arrival, {found['dropped']} dropped"
    )


if __name__ == "__main__":
    main()
