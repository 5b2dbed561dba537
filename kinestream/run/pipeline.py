"""One sample's way from chunk to prediction, read from top to bottom.

Plain, synchronous and deterministic: the same chunks give the same predictions however they were cut, in a live run,
in a test, or in a worker on another machine. Clocks, sockets and screens live around it (``session.py``).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from kinestream.core.chunk_form import signal_s
from kinestream.core.errors import InputMismatch
from kinestream.core.input_spec import MIN_RATE_SHARE
from kinestream.core.live_streams import MAX_STREAMS, LiveStreams
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Prediction, SampleChunk, Window
from kinestream.inference import Engine, Output
from kinestream.interpret.movement import Movement
from kinestream.policy import Battery, Policy, PolicyState
from kinestream.windowing import ChannelMap, StreamWindows

from .coverage_watch import MIN_COVERAGE, CoverageWatch
from .decision_loop import DecisionLoop, StreamTime
from .pace_watch import PaceWatch
from .refusals import Refusal, Refusals, Unfit, check_fit, check_form, check_rate, turned
from .wear_watch import NOTHING_KNOWN, Wear, WearWatch

_LOG = logging.getLogger(__name__)

SENSOR_CHANGE_DELAY_S = 1.0
"""Delay before a sensor-rate change takes effect: what a Bluetooth sensor needs at best."""

_TOO_MANY = f"{MAX_STREAMS} streams are served already, and all of them send; stop one, or run a second kinestream"
_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError)
"""The errors of numbers that no sensor sends: they end the stream that brings them, and no other."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The inputs of one prediction besides the samples, enough to repeat it."""

    policy: Policy
    state: PolicyState
    ready_s: float
    """When the prediction came out, on the clock of the samples' times."""


@dataclass(frozen=True, slots=True)
class DueWindow:
    """A window with its decision, ready to run on ``decision.subnet``."""

    window: Window
    decision: Decision
    policy: Policy
    state: PolicyState
    wear: Wear = NOTHING_KNOWN
    low_coverage: bool = False


class Pipeline:
    """Turns chunks of any number of streams into predictions of one model.

    ``push`` runs a chunk to the end. To batch the network over many pipelines, step through ``due`` instead, run each
    window, and hand its output to ``conclude`` before the next step.

    A stream that does not fit, such as one without a channel that the model reads, is refused: ``refusals`` has the
    reason, ``counts`` its samples, and all others go on. It is tried again with its next epoch, or in another form.
    ``MAX_STREAMS`` streams are served at a time; a silent one gives its place to another (``LiveStreams``).

    Args:
        engine: runs the model's subnetworks.
        policy: chooses the subnetwork of each window.
        table: what each subnetwork costs; the policy's own.
        battery: drained by every window, read by the policy; None: no battery.
        deadline_ms: how long one window may take, for the policies that heed it.
        hop: samples between windows on the model's grid; the model's own by default.
        max_gap_s: the longest hole that is interpolated; the model's own by default.
        min_coverage: the measured share of a window that must be exceeded for its label to be shown; else the
            prediction is marked ``low_coverage``.
        channel_map: how the sensor is turned against the model's axes.
        clock: reads the clock of the samples' times, so that a prediction's age includes how long its chunk waited;
            None: the age is that of the chunk on arrival, plus the latency.

    >>> from kinestream.inference import Engine, find_model, load_model
    >>> from kinestream.launch.build_pipeline import build_pipeline
    >>> from kinestream.replay_data import Wearer
    >>> pipeline = build_pipeline(Engine(load_model(find_model("uci_kinet"))), "fixed:1x-128")
    >>> predictions = [p for _, chunk in Wearer(seed=1, duration_s=10).packets() for p in pipeline.push(chunk)]
    >>> len(predictions), predictions[0].labels[:2]
    (6, ('walking', 'walking_upstairs'))
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
        min_coverage: float = MIN_COVERAGE,
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
        reliability = engine.model.calibration.reliability
        self._movement = Movement(spec.channels, spec.fs_hz) if reliability else None
        self._observers: list[Callable[[Prediction, Circumstances], None]] = []
        self._on_refused: Callable[[Refusal], None] = _log_refusal
        self._clock = clock
        self._streams: dict[str, StreamWindows] = {}
        self._leaving: list[str] = []  # streams that lost their place, until their last windows are cut
        self._live = LiveStreams(MAX_STREAMS, self._leaving.append)
        self._refusals = Refusals()
        self._gone: dict[str, int] = {}  # counts of the streams that left
        self._skipped: dict[str, tuple[str, int]] = {}  # by stream: its epoch, and samples of it that were refused
        self._time = StreamTime()
        self._loop = DecisionLoop(self.spec.hop_s)
        self.wear = WearWatch(engine.model)
        self.coverage = CoverageWatch(min_coverage)
        self._pace = PaceWatch(self.spec)

    def __repr__(self) -> str:
        return f"<Pipeline of {self.engine.model.name}: {type(self.policy).__name__}, {len(self._streams)} streams>"

    def observe(self, observer: Callable[[Prediction, Circumstances], None]) -> None:
        """Call back with every prediction and its circumstances, in the thread that pushes."""
        self._observers.append(observer)

    def on_refused(self, call: Callable[[Refusal], None]) -> None:
        """Call back with every stream that is refused, once, in the thread that pushes; default: the log."""
        self._on_refused = call

    def push(self, chunk: SampleChunk) -> list[Prediction]:
        """The predictions this chunk completes, in order; none of a stream that is refused."""
        return [self._run(due) for due in self.due(chunk)]

    def flush(self) -> list[Prediction]:
        """The predictions still to come when no chunk follows."""
        windows = (window for stream in self._streams.values() for window in stream.flush())
        return [self._run(due) for due in self._decide(windows)]

    def due(self, chunk: SampleChunk) -> Iterator[DueWindow]:
        """Yield each window this chunk completes and the policy does not skip, with its decision.

        A decision depends on the predictions before it: ``conclude`` each window before asking for the next.
        """
        refusal = self._refusals.of(chunk)
        if refusal is not None:
            self._skip(chunk)
            self._refusals.count(refusal, chunk)
            return
        served = self._streams.get(chunk.stream)
        try:
            check_form(chunk)
            mapped = turned(chunk, self.channel_map)
            if served is None:
                check_fit(mapped, self.spec)
            elif not chunk.fs_hz >= MIN_RATE_SHARE * served.sensor.slowest_hz:
                check_rate(chunk, self.spec)
            if not self._live.touch(chunk.stream, signal_s(chunk)):
                raise Unfit("too_many", _TOO_MANY)
        except Unfit as unfit:
            self._refuse(chunk, unfit)
            return
        while self._leaving:
            yield from self._dismiss(self._leaving.pop())
        yield from self._feed(chunk, mapped)

    def _feed(self, chunk: SampleChunk, mapped: SampleChunk) -> Iterator[DueWindow]:
        """Pass a chunk that fits to its stream's windows; ``mapped`` is the same with the model's axes."""
        stream = self._streams.get(chunk.stream)
        if stream is None:
            stream = self._streams[chunk.stream] = StreamWindows(self.spec)
        self._refusals.lift(chunk.stream)
        epoch, skipped = self._skipped.get(chunk.stream, ("", 0))
        if skipped and epoch == chunk.session:
            mapped = replace(mapped, seq=max(0, chunk.seq - skipped))
        done = 0
        failures: list[Unfit] = []
        # Pieces are short enough that a sensor change always takes effect after the piece that asked for it.
        for piece in _pieces(mapped, max(1, int(SENSOR_CHANGE_DELAY_S * chunk.fs_hz))):
            self._pace.push(piece)
            yield from self._decide(self._cut(stream, piece, failures))
            done += len(piece)
            if failures:
                # The windows have counted a piece that they could not read, and not one that they did not take.
                done -= len(piece) if chunk.stream in self._streams else 0
                self._refuse(chunk.part(done, len(chunk)) if done else chunk, failures[0])
                return

    def _cut(self, stream: StreamWindows, piece: SampleChunk, failures: list[Unfit]) -> Iterator[Window]:
        """Yield the windows that a piece completes; add to ``failures`` if it does not fit after all."""
        try:
            yield from stream.push(piece)
        except InputMismatch as error:  # nothing was taken of it
            failures.append(Unfit("channels", str(error)))
        except _UNREADABLE as error:
            _LOG.debug("stream %s cannot be read", piece.stream, exc_info=True)
            reason = f"numbers that no sensor sends ({type(error).__name__}: {error}); correct its times and values"
            failures.append(Unfit("numbers", reason))
            self._bury(piece.stream)

    def conclude(self, due: DueWindow, output: Output) -> Prediction:
        """The prediction of a window, from the network's output on ``due.decision.subnet``."""
        window, decision, now_s = due.window, due.decision, due.state.now_s
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
            movement=self._movement.of(window.x) if self._movement else None,
            up_known=due.wear.up_known,
            worn_otherwise=due.wear.worn_otherwise,
            low_coverage=due.low_coverage,
        )
        self._loop.conclude(prediction)
        circumstances = Circumstances(due.policy, due.state, ready_s)
        for observer in self._observers:
            observer(prediction, circumstances)
        return prediction

    def counts(self) -> dict[str, int]:
        """Samples and windows of all streams by what became of them; may be asked from another thread."""
        counts = added([self._gone, *(stream.counts() for stream in list(self._streams.values()))])
        counts |= {"passed_over": self._loop.skipped} if self._loop.skipped else {}
        return counts | self.wear.counts() | self.coverage.counts() | self._refusals.counts()

    def refusals(self) -> list[Refusal]:
        """The streams that are refused now, with the reasons; may be asked from another thread."""
        return self._refusals.present()

    @property
    def has_served(self) -> bool:
        """Whether any stream was served so far."""
        return bool(self._streams or self._gone)

    def windows(self) -> dict[str, int]:
        """The windows of each stream so far, predicted or passed over; may be asked from another thread."""
        return {name: stream.counts().get("windows", 0) for name, stream in list(self._streams.items())}

    def asked_hz(self) -> dict[str, float]:
        """The lowest rate that the policy has asked of each stream's sensor; none where it has asked for nothing."""
        asked = {name: stream.sensor.slowest_hz for name, stream in list(self._streams.items())}
        return {name: rate_hz for name, rate_hz in asked.items() if math.isfinite(rate_hz)}

    def state(self) -> dict[str, Any]:
        """Everything needed to continue elsewhere with the same model and policy: plain values and arrays."""
        return {
            "streams": {name: stream.state() for name, stream in self._streams.items()},
            "elapsed": self._time.snapshot(),
            "loop": self._loop.snapshot(),
            "battery": self.battery.state() if self.battery else None,
            "wear": self.wear.state(),
            "coverage": self.coverage.state(),
            "pace": self._pace.state(),
            "live": self._live.state(),
            "refused": self._refusals.state(),
            "gone": dict(self._gone),
            "skipped": dict(self._skipped),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken; the predictions that follow are the same, to the last bit."""
        self._streams = {}
        for name, stream_state in state["streams"].items():
            stream = self._streams[name] = StreamWindows(self.spec)
            stream.restore(stream_state)
        self._time.restore(state["elapsed"])
        self._loop.restore(state["loop"])
        if self.battery and state["battery"] is not None:
            self.battery.restore(state["battery"])
        self.wear.restore(state["wear"])
        self.coverage.restore(state.get("coverage", {}))
        self._pace.restore(state.get("pace", {}))
        self._refusals.restore(state.get("refused", {}))
        self._gone = dict(state.get("gone", {}))
        self._skipped = {name: (row[0], row[1]) for name, row in state.get("skipped", {}).items()}
        if "live" in state:
            self._live.restore(state["live"])
        else:
            for name in self._streams:
                self._live.touch(name, 0.0)

    def _run(self, due: DueWindow) -> Prediction:
        return self.conclude(due, self.engine.predict(due.window.x, due.decision.subnet))

    def _refuse(self, chunk: SampleChunk, unfit: Unfit) -> None:
        self._skip(chunk)
        refusal = self._refusals.refuse(chunk, unfit)
        if refusal is not None:
            self._on_refused(refusal)

    def _skip(self, chunk: SampleChunk) -> None:
        """Number the samples that follow in this epoch as if these had never existed: they are refused, not lost."""
        if chunk.stream in self._streams:
            epoch, skipped = self._skipped.get(chunk.stream, ("", 0))
            self._skipped[chunk.stream] = chunk.session, len(chunk) + (skipped if epoch == chunk.session else 0)

    def _dismiss(self, name: str) -> Iterator[DueWindow]:
        """Cut the last windows of a stream that lost its place, and forget it."""
        if name in self._streams:
            yield from self._decide(self._streams[name].flush())
            self._bury(name)

    def _bury(self, name: str) -> None:
        """Forget a stream; only its counts stay."""
        self._gone = added([self._gone, self._streams.pop(name).counts()])
        self._skipped.pop(name, None)
        self._live.forget(name)
        for part in (self._time, self._loop, self.wear, self.coverage, self._pace):
            part.forget(name)

    def _decide(self, windows: Iterable[Window]) -> Iterator[DueWindow]:
        for window in windows:
            now_s = self._time.after(window)
            stream = self._streams[window.stream]
            wear = self.wear.see(window, stream.segmenter.resets)
            is_slow = self._pace.is_slow(window, stream.sensor.slowest_hz)
            low_coverage = self.coverage.see(window, is_slow=is_slow)
            if self._loop.skips(window.stream):
                continue
            policy = self.policy  # a person may change it meanwhile
            state = self._loop.state(
                window.stream,
                now_s=now_s,
                deadline_ms=self.deadline_ms,
                battery=self.battery.read(now_s) if self.battery else None,
                coverage=window.coverage,
                streams=len(self._streams),
            )
            decision = self._bearable(policy.decide(state))
            self._sense(window, decision, now_s)
            yield DueWindow(window, decision, policy, state, wear, low_coverage)

    def _bearable(self, decision: Decision) -> Decision:
        """The decision, with a sensor rate at which windows can still be cut: without windows, nothing is decided."""
        sensing = decision.sensing and self.spec.bearable(decision.sensing)
        if not sensing or sensing == decision.sensing:
            return decision
        reason = f"{decision.reason}; rate raised: windows cannot be cut below {sensing.fs_hz:g} Hz"
        return replace(decision, sensing=sensing, reason=reason)

    def _sense(self, window: Window, decision: Decision, now_s: float) -> None:
        """Thin the stream as the policy asks; the session has already asked a device that can do so itself."""
        sensor = self._streams[window.stream].sensor
        if decision.sensing == sensor.asked:
            return
        # The sample that completed the window may be as late as the longest hole that is interpolated.
        sensor.ask(decision.sensing, window.t_end_s + SENSOR_CHANGE_DELAY_S + self.spec.max_gap_s)
        if self.battery:
            saved_mw = sum(self.table.saved_mw(stream.sensor.asked) for stream in self._streams.values())
            self.battery.save(now_s, saved_mw)


def _log_refusal(refusal: Refusal) -> None:
    _LOG.warning("stream %s is refused, the others go on: %s", refusal.stream, refusal.reason)


def _pieces(chunk: SampleChunk, most: int) -> Iterable[SampleChunk]:
    n = len(chunk)
    return (chunk,) if n <= most else (chunk.part(at, min(at + most, n)) for at in range(0, n, most))


def added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts by kind, summed."""
    total: dict[str, int] = {}
    for stream_counts in counts:
        for kind, count in stream_counts.items():
            total[kind] = total.get(kind, 0) + count
    return total
