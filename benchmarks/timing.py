"""Accuracy of sample times after a Bluetooth link: our method and others', on the same simulated packets.

    python benchmarks/timing.py [--seeds 5] [--json]

Ten minutes of a sensor with a nominal rate of 52 Hz and a true rate of 52.62, its clock 40 ppm fast. A notification
leaves at the next connection event, one every 48.75 ms; one in twenty needs another event; about twice a minute nothing
gets through for 50 to 400 ms; one in a hundred is never sent. The error of a sample is its assigned time minus its true
time; the median over the run is the constant part of the latency, which cannot be observed, and is subtracted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinestream.ingest.profile import Clock
from kinestream.ingest.timing.host_clock import host_clock

STAMPED = Clock(tick_s=1e-6, time_modulus=2**32, stamps="last")
COUNTED = Clock(counter_modulus=2**16)
NEITHER = Clock()


@dataclass(frozen=True, slots=True)
class Link:
    """A sensor and the way from it to the host."""

    duration_s: float = 600.0
    nominal_hz: float = 52.0
    rate_hz: float = 52.62
    """The true rate."""
    clock_ppm: float = 40.0
    """By how much the device's clock is fast."""
    per_packet: int = 1
    """Samples in a notification."""
    interval_s: float = 0.04875
    """Between two connection events."""
    retries: float = 0.05
    """Share of the events at which the packet does not get through."""
    stalls_per_minute: float = 2.0
    stall_s: tuple[float, float] = (0.05, 0.4)
    loss: float = 0.01
    """Share of the notifications that are never sent."""
    host_latency_s: tuple[float, float] = (0.02, 0.0003)
    """On the host: what every packet needs, and the mean of what comes on top."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One packet as it reached the host."""

    first: int
    """The true number of its first sample."""
    n: int
    number: int
    """How many notifications the device made before."""
    device_s: float
    """The device's clock at its last sample, from 0 on."""
    received_s: float


def simulate(link: Link, seed: int = 0) -> tuple[NDArray[np.float64], list[Notification]]:
    """When each sample was taken, on the host's clock, and the notifications in the order of their arrival."""
    rng = np.random.default_rng(seed)
    samples = int(link.duration_s * link.rate_hz) // link.per_packet * link.per_packet
    taken = 100.0 + rng.uniform(0, 0.1) + np.arange(samples) / link.rate_hz
    stalls = []
    at = 0.0
    while link.stalls_per_minute and at < link.duration_s:
        at += rng.exponential(60 / link.stalls_per_minute)
        stalls.append((100.0 + at, 100.0 + at + rng.uniform(*link.stall_s)))
    phase = rng.uniform(0, link.interval_s)
    event = 0
    at_stall = 0
    notifications = []
    for number in range(samples // link.per_packet):
        first = number * link.per_packet
        ready = taken[first + link.per_packet - 1]
        event = max(event, int(np.ceil((ready - phase) / link.interval_s)))
        while rng.random() < link.retries:
            event += 1
        while at_stall < len(stalls) and phase + event * link.interval_s > stalls[at_stall][1]:
            at_stall += 1
        if at_stall < len(stalls) and phase + event * link.interval_s > stalls[at_stall][0]:
            event = int(np.ceil((stalls[at_stall][1] - phase) / link.interval_s))
        if rng.random() < link.loss:
            continue
        fixed, varying = link.host_latency_s
        received = phase + event * link.interval_s + fixed + rng.exponential(varying)
        if notifications:
            received = max(received, notifications[-1].received_s)
        device_s = (ready - taken[0]) * (1 + link.clock_ppm * 1e-6)
        notifications.append(Notification(first, link.per_packet, number, device_s, received))
    return taken, notifications


Timer = Callable[[Link, list[Notification]], tuple[NDArray[np.float64], int | None]]
"""Times of all samples that came, and how many it believes lost; None: it does not look for losses."""


def ours(clock: Clock) -> Timer:
    def run(link: Link, notifications: list[Notification]) -> tuple[NDArray[np.float64], int | None]:
        host = host_clock(link.nominal_hz, clock)
        times = [
            host.push(
                packet.n,
                packet.received_s,
                int((packet.device_s + 4290.0) * 1e6) % 2**32,  # wraps within the run
                (packet.number + 60_000) % 2**16,
            ).t
            for packet in notifications
        ]
        return np.concatenate(times), None if clock == NEITHER else host.status().lost

    return run


def arrival(link: Link, notifications: list[Notification]) -> tuple[NDArray[np.float64], int | None]:
    """Each packet's last sample was taken when it arrived, the others one nominal period apart."""
    back = np.arange(link.per_packet)[::-1] / link.nominal_hz
    return np.concatenate([packet.received_s - back for packet in notifications]), None


def nominal(link: Link, notifications: list[Notification]) -> tuple[NDArray[np.float64], int | None]:
    """The first arrival, then one nominal period a sample."""
    n = sum(packet.n for packet in notifications)
    return notifications[0].received_s + np.arange(n) / link.nominal_hz, None


def recursive(by_number: bool) -> Timer:
    """Recursive least squares of arrival on the sample's index, forgetting half in 90 s: what liblsl's
    post-processing does (dejitter), with the index as received, or from a counter."""

    def run(link: Link, notifications: list[Notification]) -> tuple[NDArray[np.float64], int | None]:
        forget = 2.0 ** (-1 / (link.nominal_hz * 90.0))
        w = np.array((notifications[0].received_s, 1 / link.nominal_hz))
        p = np.diag((1e10, 1e10))
        index, t0 = -1, notifications[0].received_s
        w[0] = 0.0
        times = []
        for packet in notifications:
            for k in range(packet.n):
                index = packet.first + k if by_number else index + 1
                x = np.array((1.0, index))
                arrived = packet.received_s - t0 - (packet.n - 1 - k) / link.nominal_hz
                px = p @ x
                gain = px / (forget + x @ px)
                w = w + gain * (arrived - w @ x)
                p = (p - np.outer(gain, px)) / forget
                times.append(t0 + w @ x)
        return np.array(times), None

    return run


METHODS: dict[str, Timer] = {
    "device clock": ours(STAMPED),
    "packet counter": ours(COUNTED),
    "arrivals alone": ours(NEITHER),
    "arrival time": arrival,
    "nominal rate": nominal,
    "least squares, index as received": recursive(False),
    "least squares, true index": recursive(True),
}


@dataclass(frozen=True, slots=True)
class Score:
    """How one method did on one run."""

    p95_ms: float
    """95 % of the samples are closer than this to the median error."""
    worst_ms: float
    back: int
    """Samples that were given a time not after the one before."""
    missing: int
    """Samples that never came, between the first and the last that did."""
    miscounted: int | None
    """Samples reported as lost minus samples missing; None: the method does not detect losses."""


def score(link: Link, timer: Timer, seed: int) -> Score:
    """One method on one simulated run."""
    taken, notifications = simulate(link, seed)
    t, lost = timer(link, notifications)
    true = np.concatenate([taken[packet.first : packet.first + packet.n] for packet in notifications])
    off = np.abs(t - true - np.median(t - true)) * 1e3
    newest = notifications[-1]
    missing = newest.first + newest.n - notifications[0].first - len(true)
    return Score(
        float(np.percentile(off, 95)),
        float(off.max()),
        int((np.diff(t) <= 0).sum()),
        missing,
        None if lost is None else lost - missing,
    )


def rows(seeds: int, duration_s: float) -> Iterator[dict[str, object]]:
    """Every method on every kind of link, ``seeds`` runs each."""
    for per_packet in (1, 36):
        for loss in (0.0, 0.01):
            link = Link(duration_s=duration_s, per_packet=per_packet, loss=loss)
            for name, timer in METHODS.items():
                scores = [score(link, timer, seed) for seed in range(seeds)]
                miscounted = [result.miscounted for result in scores if result.miscounted is not None]
                yield {
                    "samples_per_notification": per_packet,
                    "loss": loss,
                    "method": name,
                    "p95_ms": [round(result.p95_ms, 2) for result in scores],
                    "worst_ms": [round(result.worst_ms, 1) for result in scores],
                    "steps_back": sum(result.back for result in scores),
                    "missing": [result.missing for result in scores],
                    "miscounted": miscounted or None,
                    "target_ms": TARGETS_MS.get((name, per_packet)),
                }


TARGETS_MS = {
    ("device clock", 1): 2.0,
    ("device clock", 36): 10.0,
    ("packet counter", 1): 2.0,
    ("packet counter", 36): 10.0,
    ("arrivals alone", 1): 30.0,
    ("arrivals alone", 36): 30.0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    args = parser.parse_args()
    if not args.json:
        print(f"{'':34} {'p95 of the error, ms':>28} {'wanted':>7} {'miscounted losses':>20}")
    heading = None
    for row in rows(args.seeds, args.duration):
        if args.json:
            print(json.dumps(row), flush=True)
            continue
        kind = f"{row['samples_per_notification']} a notification, {row['loss']:.0%} lost"
        if kind != heading:
            print(heading := kind)
        p95, counts, target = row["p95_ms"], row["miscounted"], row["target_ms"]
        assert isinstance(p95, list)
        assert counts is None or isinstance(counts, list)
        spread = f"{np.median(p95):.2f} ({min(p95):.2f} to {max(p95):.2f})"
        miscounts = "" if counts is None else ", ".join(f"{count:+d}" if count else "0" for count in counts)
        print(f"  {row['method']!s:32} {spread:>28} {target or '':>7} {miscounts:>20}", flush=True)


if __name__ == "__main__":
    main()
