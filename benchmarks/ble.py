"""CPU time of reading Bluetooth sensors, through bleak's BlueZ backend.

    python benchmarks/ble.py [--devices 4] [--rate 200] [--seconds 20]

A private D-Bus daemon and a small org.bluez (tests/ble) replace the radio in separate processes, so the figures cover
this process alone: bleak, decoding, clocks and chunks. The baseline is bleak alone, which reads the same notifications
from the same kind of socket, each as it arrives, and only counts them. The two take turns, because both cost twice as
much on a busy machine as on a quiet one. Needs Linux with dbus-daemon.
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
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
from bleak import BleakClient, BleakScanner

sys.path.insert(0, str(Path(__file__).parent.parent))

from kinestream.ingest.ble.source import BleSource
from tests.ble.bluez import BlueZ
from tests.ble.daemon import private_bus
from tests.ble.sensors import Thingy

SETTLE_S = 2.0
"""Not measured: scanning, connecting, starting."""
ROUND_S = 5.0
"""How long bleak alone and the source are measured, in turn."""


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


async def bleak_alone(devices: int, seconds: float) -> dict[str, float]:
    """Connect and count notifications only."""
    notifications = 0

    def count(_: object, data: bytearray) -> None:
        nonlocal notifications
        notifications += 1

    async with BleakScanner() as scanner, AsyncExitStack() as links:
        while len(discovered := scanner.discovered_devices) < devices:
            await asyncio.sleep(0.1)
        for device in discovered:
            client = await links.enter_async_context(BleakClient(device))
            await client.start_notify(Thingy.RAW, count, bluez={"use_start_notify": False})
        await scanner.stop()
        await asyncio.sleep(SETTLE_S)
        notifications, began_s, began_cpu_s = 0, time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        cpu_s, wall_s = time.process_time() - began_cpu_s, time.monotonic() - began_s
        return {"notifications": notifications, "cpu_s": cpu_s, "wall_s": wall_s}


async def measure(devices: int, rate_hz: float, seconds: float) -> dict[str, float]:
    """The source, from bleak to chunks."""
    source = BleSource(f"ble://{','.join(['thingy52'] * devices)}?rate={rate_hz:g}")
    chunks = samples = 0
    began_s = began_cpu_s = complete_s = 0.0
    streams: set[str] = set()
    waited_s: list[float] = []
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
        waited_s.append(now_s - chunk.received_s + float(chunk.t[-1] - chunk.t[0]))
        if now_s - began_s > seconds:
            break
    wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    counts = source.counts()
    await source.aclose()
    return {
        "notifications": samples,
        "chunks": chunks,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "waited_ms_p95": float(np.percentile(waited_s, 95)) * 1e3,
        "dropped": counts.get("dropped_notifications", 0),
    }


def whole(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Several rounds as one."""
    cpu_s, wall_s, n = (sum(figures[key] for figures in rounds) for key in ("cpu_s", "wall_s", "notifications"))
    return {"notifications_per_s": n / wall_s, "cores": cpu_s / wall_s, "us_per_notification": cpu_s / n * 1e6}


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
            ours: list[dict[str, float]] = []
            bare: list[dict[str, float]] = []
            for _ in range(max(1, round(args.seconds / ROUND_S))):
                bare.append(asyncio.run(bleak_alone(args.devices, ROUND_S)))
                ours.append(asyncio.run(measure(args.devices, args.rate, ROUND_S)))
            service.stdin.close()
    waited_ms, dropped = max(f["waited_ms_p95"] for f in ours), sum(f["dropped"] for f in ours)
    if args.json:
        circumstances = {"devices": args.devices, "waited_ms_p95": waited_ms, "dropped": dropped}
        print(json.dumps({**circumstances, "source": whole(ours), "bleak_alone": whole(bare)}))
        return
    for title, figures in (("bleak alone, counting", whole(bare)), ("bleak and the source", whole(ours))):
        print(
            f"{title:22} {args.devices} devices, {figures['notifications_per_s']:.0f} notifications/s: "
            f"{figures['cores']:.1%} of a core, {figures['us_per_notification']:.0f} us each"
        )
    points = (whole(ours)["cores"] - whole(bare)["cores"]) * 100
    print(f"the source costs {points:+.1f} points of a core more than bleak alone")
    print(f"the oldest sample of a chunk waited {waited_ms:.0f} ms (95 %) since its arrival; {dropped:.0f} dropped")


if __name__ == "__main__":
    main()
