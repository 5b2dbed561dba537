"""An hour of a bad Bluetooth link at sixty times real time: a disconnect every nine seconds, packets lost on the air.

The sensor and the stand-in for BlueZ (tests/ble) run in a thread of the receiver's process, because the sensor's
packets bring their arrival times with them; so the figures are those of both together. Needs dbus-daemon.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TextIO, cast

from kinestream.cli.output import JsonLines
from kinestream.inference import Engine, find_model, load_model
from kinestream.ingest.ble import link as link_module
from kinestream.ingest.ble.source import BleSource
from kinestream.launch.build_pipeline import build_pipeline, explicit_policy
from kinestream.run.session import Session
from tests.ble.bluez import BlueZ
from tests.ble.daemon import private_bus
from tests.ble.timed_polar import TimedPolar

from .outcome import Outcome
from .receiver import Seen, Sink
from .run import CHECKPOINTS, MODEL
from .vitals import WARM_UP_SHARE, Vitals, object_types, take_vitals

SPEED = 60
LINK_S = 9.0
"""Simulated length of a link."""
LOSS = 0.01
IN_FLIGHT_S = 2.0
"""How long packets may need to arrive, by the clock on the wall."""


async def soak_bluetooth(hours: float, seed: int, progress: TextIO | None = None) -> Outcome:
    """Return what ``hours`` of disconnects did to a session."""
    with tempfile.TemporaryDirectory() as folder, private_bus(Path(folder)) as bus, BlueZ(bus) as bluez:
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus  # bleak reads it
        link_module.PAUSES_S = (0.0,)
        return await _soak(bluez, hours, seed, progress)


async def _arrived(polar: TimedPolar, seen: Seen, missed: int) -> int:
    """Wait for the packets in flight, because a broken link drops them and no number proves that.

    Args:
        missed: samples that were waited for in vain so far; returned with those of this link.
    """
    expected = sum(taken - lost for taken, lost in polar.links) + polar.arrived
    until_s = time.perf_counter() + IN_FLIGHT_S
    while seen.samples.total() < expected - missed and time.perf_counter() < until_s:
        await asyncio.sleep(0.005)
    return expected - seen.samples.total()


async def _soak(bluez: BlueZ, hours: float, seed: int, progress: TextIO | None) -> Outcome:
    polar = TimedPolar("C0:00:00:00:00:01", seed=seed, loss=LOSS, speed=SPEED)
    bluez.add(polar)
    source = BleSource("ble://polar?gyro=no", now_ns=polar.now_ns)
    model = load_model(find_model(MODEL))
    policy = explicit_policy("fixed", model)
    session = Session(source, build_pipeline(Engine(model), policy), model_name=model.name, policy_text=policy)
    sink, seen = Sink(), Seen("", model.input)
    writer = JsonLines(cast(TextIO, sink))
    session.subscribe(seen.chunk, writer.prediction, writer.episode)
    started_s, vitals, types = time.perf_counter(), list[Vitals](), list[Counter[str]]()
    running = asyncio.create_task(session.run())
    service = partial(running.get_loop().run_in_executor, ThreadPoolExecutor(1, "service"))
    missed, links = 0, round(hours * 3600 / LINK_S)
    while len(polar.links) < links and not running.done():
        await asyncio.sleep(LINK_S / SPEED)
        if not polar.streaming:
            continue  # not connected again yet
        await service(bluez.do, polar.finish)
        missed = await _arrived(polar, seen, missed)
        end = bluez.drop if len(polar.links) + 1 < links else bluez.remove
        await service(end, polar)
        if len(polar.links) % max(1, links // CHECKPOINTS) == 0:
            polar.writes.clear()  # the stand-in's own records
            bluez.connects.clear()
            at_h, wall_s = len(polar.links) * LINK_S / 3600, time.perf_counter() - started_s
            vitals.append(take_vitals(at_h, wall_s, (), session.queued[0], sink.lines["stream"]))
            if at_h >= WARM_UP_SHARE * hours:
                types[1:] = [object_types()]
            if progress:
                progress.write(f"\r{at_h:6.2f} of {hours:g} h  {wall_s:5.0f} s  {len(polar.links)} links ")
                progress.flush()
    await asyncio.sleep(0.5)  # the last packets pass through the source
    session.stop()
    summary = await running
    counts = Counter[str](summary["counts"])
    taken, lost = (sum(values) for values in zip(*polar.links, strict=True))
    return Outcome(
        "ble",
        hours,
        1,
        seed,
        time.perf_counter() - started_s,
        vitals,
        {
            "samples": (taken - lost, counts["samples"]),
            "lost": (lost, counts["lost"]),
            "epochs": (len(polar.links), seen.epochs),
            "dropped": (0, counts["dropped"]),
            "samples handed out": (taken - lost, seen.samples.total()),
            "predictions": (counts["windows"], summary["predictions"]),
            "predictions as JSON": (summary["predictions"], sink.lines["stream"]),
        },
        {"disconnect": len(polar.links)},
        dict((types[-1] - types[0]).most_common(8)) if types else {},
    )
