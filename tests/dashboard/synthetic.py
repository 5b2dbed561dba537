"""A synthetic session without a model: the same generated stream and predictions on every run."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.evidence import StreamFigures
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import ACC, GYRO, Decision, Prediction, SampleChunk, Subnet
from kinestream.core.source import LinkStatus
from kinestream.observe.findings import Notice
from kinestream.observe.stream_observer import StreamObservers
from kinestream.policy import BatteryReading, PolicyState, make_policy
from kinestream.run.pipeline import Circumstances

LABELS = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
FS_HZ = 50.0
CHUNK = 5
HOP = 64
SWINGS = (3.0, 4.0, 5.0, 0.1, 0.15, 0.05)


def table() -> OperatingTable:
    """Return a full grid of the paper's size whose costs grow as in the paper."""
    points = []
    for width in (round(0.1 + 0.05 * step, 2) for step in range(19)):
        for resolution in range(96, 129, 4):
            macs = int(4e6 * width**1.7 * resolution / 128)
            p50_ms = 0.02 + macs / 1e7
            accuracy = 0.97 - 0.05 * (1 - width) ** 2 - 0.04 * (1 - resolution / 128)
            points.append(OperatingPoint(Subnet(width, resolution), accuracy, macs, p50_ms, 1.4 * p50_ms, 2.0 * p50_ms))
    return OperatingTable("synthetic", "a test", "2 W while it computes", tuple(points))


class SyntheticPlayback:
    """A playback for the keys; the session plays at full speed unless paused."""

    def __init__(self) -> None:
        self.speed = 1.0
        self.paused = False
        self.position_s = 0.0
        self.duration_s = 600.0

    def seek(self, position_s: float) -> None:
        self.position_s = position_s


class SyntheticSession:
    """Plays ``seconds`` of stream with ``pace_s`` between chunks, then waits for ``stop()`` if ``hold``, else ends."""

    repeats = False

    def __init__(self, seconds: float = 60.0, *, live: bool = False, hold: bool = True, pace_s: float = 0.0) -> None:
        self.source_name = "synthetic"
        self.model_name = "uci_cnn"
        self.table = table()
        self.labels = LABELS
        self.deadline_ms: float | None = 0.5
        self.policy_text = "battery:hours=6"
        self.playback = None if live else SyntheticPlayback()
        self.battery_frac = 0.8
        self.failure: Exception | None = None
        self.is_live = live
        self.hop_s = HOP / FS_HZ
        self.queued: tuple[int, int] = (0, 256)
        self.circumstances: Circumstances | None = None
        self.failure_lines: list[str] = []
        """Returned by ``failures``."""
        self.notice_lines: list[str] = []
        """Returned by ``notices``."""
        self.finding_list: list[Notice] = []
        """Returned by ``findings``, and by ``notices`` as lines."""
        self.link_list: list[LinkStatus] = []
        self._seconds, self._live, self._hold, self._pace_s = seconds, live, hold, pace_s
        self._listeners: list[tuple[Callable[[SampleChunk], None], Callable[[Prediction], None]]] = []
        self._observers = StreamObservers(live=False)
        self.silence_s = 0.0
        """Returned with the figures."""
        self._counts: Counter[str] = Counter()
        self._stop = asyncio.Event()
        self.played = asyncio.Event()
        """Set when the whole stream has been played."""

    def subscribe(
        self,
        on_chunk: Callable[[SampleChunk], None] | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
    ) -> None:
        self._listeners.append((on_chunk or (lambda _: None), on_prediction or (lambda _: None)))

    def set_policy(self, text: str) -> None:
        make_policy(text, self.table)
        self.policy_text = text

    def set_deadline(self, deadline_ms: float | None) -> None:
        self.deadline_ms = deadline_ms

    def set_battery(self, frac: float) -> None:
        if self._live:
            raise ConfigError("the battery is the laptop's own and cannot be set; start with --battery simulated")
        self.battery_frac = frac

    def links(self) -> Sequence[LinkStatus]:
        return self.link_list

    def figures(self) -> Sequence[StreamFigures]:
        return [replace(stream, silence_s=self.silence_s) for stream in self._observers.figures(0.0)]

    def failures(self) -> list[str]:
        return list(self.failure_lines)

    def findings(self) -> Sequence[Notice]:
        return self.finding_list

    def notices(self) -> list[str]:
        return [*self.notice_lines, *map(str, self.finding_list)]

    def counts(self) -> Mapping[str, int]:
        return self._counts

    def summary(self) -> Mapping[str, object]:
        return {"summary": True, **self._counts}

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Lose 60 samples of every 700, change the activity every 20 s, and get every ninth prediction wrong."""
        chunks = int(self._seconds * FS_HZ) // CHUNK
        for number in range(chunks):
            while self.playback and self.playback.paused and not self._stop.is_set():
                await asyncio.sleep(0.01)
            if self._stop.is_set():
                return
            if number % 140 >= 128:
                self._counts["lost"] += CHUNK
                self._counts["gaps"] += number % 140 == 128
                continue
            self.play(number)
            if (number + 1) * CHUNK // HOP > number * CHUNK // HOP:
                self.predict(number)
            await asyncio.sleep(self._pace_s)
        self.played.set()
        if self.failure:
            raise self.failure
        if self._hold:
            await self._stop.wait()

    def activity(self, number: int) -> int:
        return int(number * CHUNK / FS_HZ // 20) % len(LABELS)

    def play(self, number: int, stream: str = "left wrist") -> None:
        first = number * CHUNK
        t = np.arange(first, first + CHUNK) / FS_HZ
        swing = SWINGS[self.activity(number)]
        phase = 2 * math.pi * 1.8 * t
        signal = [
            9.8 + swing * np.sin(phase) + 0.4 * swing * np.sin(2 * phase),
            0.6 * swing * np.cos(phase),
            1.5 + 0.4 * swing * np.sin(phase / 2 + 1),
            0.2 * swing * np.sin(phase),
            0.1 * swing * np.cos(phase),
            0.1 * swing * np.sin(2 * phase),
        ]
        noise = 0.08 * np.random.default_rng(number).standard_normal((CHUNK, 6))
        x = (np.stack(signal, axis=1) + noise).astype(np.float32)
        chunk = SampleChunk(stream, "one", t, x, ACC + GYRO, FS_HZ, first, float(t[-1]))
        self._counts["samples"] += CHUNK
        if self.playback:
            self.playback.position_s = float(t[-1])
        self._observers.push(chunk, 0.0)
        for on_chunk, _ in self._listeners:
            on_chunk(chunk)

    def predict(self, number: int, stream: str = "left wrist") -> None:
        index = self._counts["windows"]
        truth = self.activity(number)
        guess = (truth + 1) % len(LABELS) if index % 9 == 8 else truth
        probs = np.full(len(LABELS), 0.02, np.float32)
        probs[guess], probs[(guess + 2) % len(LABELS)] = 0.78, 0.14
        front = self.table.front
        point = front[(index // 4 * 3) % len(front)]
        self.battery_frac -= 0.001
        end_s = (number + 1) * CHUNK / FS_HZ
        prediction = Prediction(
            stream,
            "one",
            index,
            end_s - 2.56,
            end_s,
            LABELS[guess],
            float(probs[guess]),
            probs,
            LABELS,
            Decision(point.subnet, f"battery {self.battery_frac:.0%}: allows {point.energy_mj:.2f} mJ a window"),
            point.p50_ms * (1 + 0.3 * math.sin(index)),
            point.energy_mj,
            math.nan,
            1.0,
            LABELS[truth],
            1.0,
            None if self._live else self.battery_frac,
        )
        reading = None if self._live else BatteryReading(self.battery_frac, 35.0, base_mw=2.0)
        state = PolicyState(end_s, 0.0, self.deadline_ms, reading, None, (), self.hop_s)
        self.circumstances = Circumstances(make_policy(self.policy_text, self.table), state, end_s)
        self._counts["windows"] += 1
        self._observers.see(prediction)
        for _, on_prediction in self._listeners:
            on_prediction(prediction)
