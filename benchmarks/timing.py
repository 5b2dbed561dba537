"""Accuracy of sample times after a Bluetooth link: our method and others', on the same simulated packets.

    python benchmarks/timing.py [--seeds 5] [--json]
    python benchmarks/timing.py --rates    # sensors without clock or counter, far from their nominal rate

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
    later: tuple[float, float] | None = None
    """When the sensor changes to another rate, and to which, in Hz."""
    long_stalls: tuple[tuple[float, float], ...] = ()
    """More stalls: their starts and durations in seconds."""
    held: int | None = None
    """Number of notifications that the sensor keeps in one of these; None: all."""


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
    steps_s = np.full(int(link.duration_s * link.rate_hz), 1 / link.rate_hz)
    if link.later:
        at_s, later_hz = link.later
        steps_s = np.concatenate(
            [
                np.full(int(at_s * link.rate_hz), 1 / link.rate_hz),
                np.full(int((link.duration_s - at_s) * later_hz), 1 / later_hz),
            ]
        )
    samples = len(steps_s) // link.per_packet * link.per_packet
    taken = 100.0 + rng.uniform(0, 0.1) + (np.cumsum(steps_s) - steps_s[0])[:samples]
    stalls = []
    at = 0.0
    while link.stalls_per_minute and at < link.duration_s:
        at += rng.exponential(60 / link.stalls_per_minute)
        stalls.append((100.0 + at, 100.0 + at + rng.uniform(*link.stall_s)))
    stalls = sorted([*stalls, *((100.0 + at, 100.0 + at + long_s) for at, long_s in link.long_stalls)])
    dropped = _dropped(link, taken)
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
        if rng.random() < link.loss or number in dropped:
            continue
        fixed, varying = link.host_latency_s
        received = phase + event * link.interval_s + fixed + rng.exponential(varying)
        if notifications:
            received = max(received, notifications[-1].received_s)
        device_s = (ready - taken[0]) * (1 + link.clock_ppm * 1e-6)
        notifications.append(Notification(first, link.per_packet, number, device_s, received))
    return taken, notifications


def _dropped(link: Link, taken: NDArray[np.float64]) -> set[int]:
    """The notifications that the sensor cannot keep in its long stalls."""
    if link.held is None:
        return set()
    ready = taken[link.per_packet - 1 :: link.per_packet] - 100.0
    dropped: set[int] = set()
    for at_s, long_s in link.long_stalls:
        during = np.flatnonzero((ready >= at_s) & (ready < at_s + long_s))
        dropped.update(during[: max(len(during) - link.held, 0)].tolist())
    return dropped


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


@dataclass(frozen=True, slots=True)
class Followed:
    """How well ``ArrivalTime`` followed a sensor whose rate it did not know."""

    early_ms: float
    """95 % of the samples from 1 s to 10 s after the start are closer than this to the median error of those later."""
    later_ms: float
    """95 % of the samples after 10 s."""
    rate_off: float
    """Share by which the measured rate after 10 s lies off the sensor's rate and that at which samples arrive."""
    final_rate_off: float
    """The same at the end."""
    restarts: int
    lost: int
    """Samples reported as lost."""
    gaps: int


def follow(link: Link, seed: int = 0, clock: Clock = NEITHER) -> Followed:
    """One simulated run."""
    taken, notifications = simulate(link, seed)
    host = host_clock(link.nominal_hz, clock)
    errors, at_s, came, restarts, lost = [], [], 0, 0, 0
    early_off, off = None, 0.0
    for packet in notifications:
        timed = host.push(packet.n, packet.received_s)
        part = taken[packet.first : packet.first + packet.n]
        errors.append(timed.t - part)
        at_s.append(part - taken[0])
        came += packet.n
        restarts += timed.restarted
        lost += timed.lost
        rate_hz, passed_s = link.rate_hz, packet.received_s - taken[0]
        if link.later and passed_s > link.later[0]:
            rate_hz = link.later[1]
        off = _off(host.status().rate_hz, rate_hz, came / (packet.first + packet.n))
        if early_off is None and passed_s > 10.0 + link.interval_s:
            early_off = off
    error, since_s = np.concatenate(errors), np.concatenate(at_s)
    error -= np.median(error[since_s > 10.0])
    early = np.abs(error[(since_s > 1.0) & (since_s <= 10.0)])
    later = np.abs(error[since_s > 10.0])
    return Followed(
        float(np.percentile(early, 95)) * 1e3,
        float(np.percentile(later, 95)) * 1e3,
        early_off or 0.0,
        off,
        restarts,
        lost,
        host.status().gaps,
    )


def _off(measured_hz: float, rate_hz: float, came: float) -> float:
    """Share by which a rate lies outside the sensor's own and the one at which its samples arrive."""
    return max(measured_hz / rate_hz - 1, 1 - measured_hz / (rate_hz * came), 0.0)


RATES_HZ = ((50.0, 50.0), (50.0, 48.2), (50.0, 12.5), (50.0, 80.0), (100.0, 97.0), (200.0, 61.0), (104.0, 166.0))


def rate_rows(seeds: int, duration_s: float) -> Iterator[dict[str, object]]:
    """Sensors without clock or counter at many rates, over many links."""
    for nominal_hz, rate_hz in RATES_HZ:
        for per_packet in (1, 6, 20):
            for interval_s in (0.0075, 0.03, 0.05, 0.1):
                for loss in (0.0, 0.01, 0.05):
                    link = Link(
                        duration_s=duration_s,
                        nominal_hz=nominal_hz,
                        rate_hz=rate_hz,
                        per_packet=per_packet,
                        interval_s=interval_s,
                        retries=0.02,
                        stalls_per_minute=0.0,
                        loss=loss,
                    )
                    results = [follow(link, seed) for seed in range(seeds)]
                    yield {
                        "nominal_hz": nominal_hz,
                        "rate_hz": rate_hz,
                        "per_packet": per_packet,
                        "interval_ms": interval_s * 1e3,
                        "loss": loss,
                        "early_ms": round(max(result.early_ms for result in results), 1),
                        "later_ms": round(max(result.later_ms for result in results), 1),
                        "rate_off": round(max(result.rate_off for result in results), 5),
                        "final_rate_off": round(max(result.final_rate_off for result in results), 5),
                        "restarts": max(result.restarts for result in results),
                        "lost": max(result.lost for result in results),
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
    parser.add_argument("--rates", action="store_true", help="sensors without clock or counter at other rates")
    args = parser.parse_args()
    if args.rates:
        _print_rates(args.seeds, args.duration, as_json=args.json)
        return
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


def _print_rates(seeds: int, duration_s: float, *, as_json: bool) -> None:
    if not as_json:
        print("worst of the seeds          a     every          p95 of the error, ms    rate off, %")
        print("nominal    true Hz     packet        ms   lost   1-10 s  after 10 s    10 s   end   restarts")
    for row in rate_rows(seeds, duration_s):
        if as_json:
            print(json.dumps(row), flush=True)
            continue
        print(
            "{nominal_hz:7g} {rate_hz:10g} {per_packet:10} {interval_ms:9g} {loss:6.0%} {early_ms:8.0f}"
            " {later_ms:11.1f} {rate_off:7.2%} {final_rate_off:6.2%} {restarts:9}".format(**row),
            flush=True,
        )


if __name__ == "__main__":
    main()
