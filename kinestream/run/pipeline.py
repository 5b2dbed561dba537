"""One sample's way from chunk to prediction, read from top to bottom.

Plain, synchronous and deterministic: the same chunks give the same predictions however they were cut, in a
live run, in a test, or in a worker somewhere else. Clocks, sockets and screens live around it (``session.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from kinestream.core.errors import InputMismatch
from kinestream.core.input_spec import MIN_RATE_SHARE
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Prediction, SampleChunk, Sensing, Subnet, Window
from kinestream.inference import Engine
from kinestream.policy import Battery, Policy, PolicyState
from kinestream.windowing import ChannelMap, Segmenter, Sensed

REMEMBERED = 8
"""How many predictions a policy sees of the past."""

TOLD_S = 1.0
"""A sensor is told to run otherwise, and does so this much later: what a Bluetooth sensor takes to be told, at best."""

MAX_STREAMS = 64
"""More streams than this in one pipeline are a mistake or an attack, not wearers."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What one prediction depended on besides the samples: with it, it can be made again."""

    policy: Policy
    state: PolicyState
    ready_s: float
    """When the prediction came out, on the clock of the samples' times."""


class Pipeline:
    """Turns chunks of any number of streams into predictions of one model.

    Args:
        engine: runs the model's subnetworks.
        policy: chooses the subnetwork of each window.
        table: what each subnetwork costs; the policy's own.
        battery: drained by every window, read by the policy; None: no battery.
        deadline_ms: how long one window may take, for the policies that heed it.
        hop: samples between windows on the model's grid; the model's own by default.
        max_gap_s: the longest hole that is interpolated; the model's own by default.
        channel_map: how the sensor is turned against the model's axes.
        clock: reads the clock of the samples' times, so that the age of a prediction tells also how long its
            chunk waited; None: the age is what the chunk brought with it, and the latency.
    """

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        table: OperatingTable,
        *,
        battery: Battery | None = None,
        deadline_ms: float | None = None,
        hop: int | None = None,
        max_gap_s: float | None = None,
        channel_map: ChannelMap | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.table = table
        self.battery = battery
        self.deadline_ms = deadline_ms
        spec = engine.model.input
        self.spec = replace(
            spec,
            hop=spec.hop if hop is None else hop,
            max_gap_s=spec.max_gap_s if max_gap_s is None else max_gap_s,
        )
        self.channel_map = channel_map
        self.on_prediction: Callable[[Prediction, Circumstances], None] | None = None
        """Told of every prediction and its circumstances at once, in the thread that pushes."""
        self._clock = clock
        self._segmenters: dict[str, Segmenter] = {}
        self._sensed: dict[str, Sensed] = {}
        self._elapsed = _Elapsed()
        self._recent: deque[Prediction] = deque(maxlen=REMEMBERED)
        self._own: dict[str, deque[Prediction]] = {}  # the same of each stream
        self._resting: dict[str, int] = {}  # windows of each stream that the hop of its last decision passes over
        self._passed = 0

    def push(self, chunk: SampleChunk) -> list[Prediction]:
        """The predictions this chunk completed, in order.

        Raises:
            InputMismatch: the stream cannot feed this model.
        """
        if self.channel_map:
            chunk = self.channel_map.apply(chunk)
        segmenter = self._segmenters.get(chunk.stream)
        if segmenter is None:
            segmenter = self._admit(chunk.stream)
        sensed = self._sensed[chunk.stream]
        if not chunk.fs_hz >= MIN_RATE_SHARE * sensed.slowest_hz:
            self.spec.check_rate(chunk.fs_hz)
        predictions: list[Prediction] = []
        # In pieces so short that what a decision asks of the sensor always begins after the piece that brought it.
        for piece in _pieces(chunk, max(1, int(TOLD_S * chunk.fs_hz))):
            for part in sensed.push(piece):
                predictions += self._predict_due(segmenter.push(part))
        return predictions

    def flush(self) -> list[Prediction]:
        """What is still to come when no chunk will follow."""
        return self._predict_due(window for segmenter in self._segmenters.values() for window in segmenter.flush())

    def counts(self) -> dict[str, int]:
        """What happened to the samples of all streams so far, by kind; may be asked from another thread."""
        counts = added(segmenter.counts() for segmenter in list(self._segmenters.values()))
        wished = {"passed_over": self._passed, "thinned": sum(sensed.thinned for sensed in list(self._sensed.values()))}
        return counts | {kind: count for kind, count in wished.items() if count}

    def _admit(self, stream: str) -> Segmenter:
        if len(self._segmenters) == MAX_STREAMS:
            raise InputMismatch(f"stream '{stream}' is one too many: a pipeline takes {MAX_STREAMS}")
        self._sensed[stream] = Sensed()
        segmenter = self._segmenters[stream] = Segmenter(self.spec, any_rate=True)
        return segmenter

    def _predict_due(self, windows: Iterable[Window]) -> list[Prediction]:
        """The predictions of the windows that the policy's hop does not pass over."""
        predictions: list[Prediction] = []
        for window in windows:
            resting = self._resting.get(window.stream, 0)
            if resting:
                self._elapsed.after(window)
                self._resting[window.stream] = resting - 1
                self._passed += 1
                continue
            prediction = self._predict(window)
            self._resting[window.stream] = prediction.decision.hop - 1
            predictions.append(prediction)
        return predictions

    def _predict(self, window: Window) -> Prediction:
        now_s = self._elapsed.after(window)
        policy = self.policy  # a person may change it meanwhile
        own = self._own.setdefault(window.stream, deque(maxlen=REMEMBERED))
        last = self._recent[-1].decision if self._recent else None
        state = PolicyState(
            now_s=now_s,
            started_s=0.0,
            deadline_ms=self.deadline_ms,
            battery=self.battery.read(now_s) if self.battery else None,
            last=last,
            recent=tuple(self._recent),
            hop_s=self.spec.hop_s * (last.hop if last else 1) / max(1, len(self._segmenters)),
            own=tuple(own),
            coverage=window.coverage,
        )
        decision = self._bearable(policy.decide(state))
        self._sense(window, decision, now_s)
        output = self.engine.predict(window.x, decision.subnet)
        energy_mj = self.table[decision.subnet].energy_mj
        battery_frac = None
        if self.battery:
            self.battery.spend(now_s, energy_mj)
            reading = self.battery.read(now_s)
            battery_frac = reading.frac if reading else None
        ready_s = self._clock() if self._clock else window.received_s + output.latency_ms / 1000
        best = int(output.probs.argmax())
        labels = self.engine.model.labels
        prediction = Prediction(
            stream=window.stream,
            session=window.session,
            index=window.index,
            t_start_s=window.t_start_s,
            t_end_s=window.t_end_s,
            label=labels[best],
            confidence=float(output.probs[best]),
            probs=output.probs,
            labels=labels,
            decision=decision,
            latency_ms=output.latency_ms,
            energy_mj=energy_mj,
            age_ms=(ready_s - window.t_end_s) * 1000,
            coverage=window.coverage,
            truth=window.truth,
            truth_share=window.truth_share,
            battery_frac=battery_frac,
        )
        self._recent.append(prediction)
        own.append(prediction)
        if self.on_prediction:
            self.on_prediction(prediction, Circumstances(policy, state, ready_s))
        return prediction

    def _bearable(self, decision: Decision) -> Decision:
        """The decision, with a sensor that still brings windows: without one nobody would decide any more."""
        sensing = decision.sensing and self.spec.bearable(decision.sensing)
        if sensing == decision.sensing:
            return decision
        why = f"{decision.reason}; so slow there would be no window: {sensing}"
        return replace(decision, sensing=sensing, reason=why)

    def _sense(self, window: Window, decision: Decision, now_s: float) -> None:
        """Have the sensor run as the policy wants it; a device that can was asked by the session already."""
        sensed = self._sensed[window.stream]
        if decision.sensing == sensed.asked:
            return
        # The sample that completed the window may be as late as the longest hole that is bridged.
        sensed.ask(decision.sensing, window.t_end_s + TOLD_S + self.spec.max_gap_s)
        if self.battery:
            self.battery.save(now_s, sum(self.table.saved_mw(one.asked) for one in self._sensed.values()))

    def state(self) -> dict[str, Any]:
        """Everything needed to go on elsewhere with the same model and policy: plain values and arrays."""
        return {
            "segmenters": {stream: segmenter.state() for stream, segmenter in self._segmenters.items()},
            "sensed": {stream: sensed.state() for stream, sensed in self._sensed.items()},
            "elapsed": self._elapsed.state(),
            "recent": [asdict(prediction) for prediction in self._recent],
            "own": {stream: [asdict(prediction) for prediction in own] for stream, own in self._own.items()},
            "resting": dict(self._resting),
            "passed_over": self._passed,
            "battery": self.battery.state() if self.battery else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken; the predictions that follow are the same, to the last bit."""
        self._segmenters, self._sensed = {}, {}
        for stream, kept in state["segmenters"].items():
            self._admit(stream).restore(kept)
            self._sensed[stream].restore(state["sensed"][stream])
        self._elapsed.restore(state["elapsed"])
        self._recent = deque(map(_prediction, state["recent"]), maxlen=REMEMBERED)
        self._own = {stream: deque(map(_prediction, own), maxlen=REMEMBERED) for stream, own in state["own"].items()}
        self._resting = dict(state["resting"])
        self._passed = state["passed_over"]
        if self.battery and state["battery"] is not None:
            self.battery.restore(state["battery"])


def _prediction(kept: dict[str, Any]) -> Prediction:
    """The prediction that ``dataclasses.asdict`` took apart."""
    decision = kept["decision"]
    sensing = decision["sensing"] and Sensing(**decision["sensing"])
    return Prediction(
        **kept
        | {
            "decision": Decision(**decision | {"subnet": Subnet(**decision["subnet"]), "sensing": sensing}),
            "labels": tuple(kept["labels"]),
        }
    )


class _Elapsed:
    """Stream time that goes on evenly, whatever the recordings' own clocks do between sessions."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[str | None, float, float]] = {}  # session, its last window's end, time so far

    def after(self, window: Window) -> float:
        """Seconds of signal up to the end of this window; the longest stream counts."""
        session, end_s, total_s = self._streams.get(window.stream, (None, 0.0, 0.0))
        step_s = window.t_end_s - end_s if session == window.session else window.t_end_s - window.t_start_s
        # A clock set back within a session (a new stretch) adds what the window itself shows.
        total_s += step_s if step_s > 0 else window.t_end_s - window.t_start_s
        self._streams[window.stream] = (window.session, window.t_end_s, total_s)
        return max(total for _, _, total in self._streams.values())

    def state(self) -> dict[str, Any]:
        return dict(self._streams)

    def restore(self, state: dict[str, Any]) -> None:
        self._streams = {stream: (kept[0], kept[1], kept[2]) for stream, kept in state.items()}


def _pieces(chunk: SampleChunk, most: int) -> Iterable[SampleChunk]:
    n = len(chunk)
    return (chunk,) if n <= most else (chunk.part(at, min(at + most, n)) for at in range(0, n, most))


def added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts by kind, summed."""
    total: dict[str, int] = {}
    for one in counts:
        for kind, count in one.items():
            total[kind] = total.get(kind, 0) + count
    return total
