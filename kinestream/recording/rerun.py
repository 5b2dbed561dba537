"""Repeat a recorded run: the same chunks, model and policy, with every prediction compared.

The measurements that a live decision depended on (latencies, the battery's charge, a person's change of policy) come
from the recording; everything else is computed again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.inference import Engine, Model, Output
from kinestream.policy import BatteryReading, Policy, PolicyState, is_only_recorded, make_policy
from kinestream.replay_data.recordings import PredictionRecord, RecordingPlayer, RecordingReader
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session

from .manifest import RecordedRun


def can_rerun(folder: Path) -> bool:
    """Return whether the recording holds a run with predictions, not samples alone."""
    return RecordingReader(folder).manifest.get("model") is not None


class RerunSession(Session):
    """A recorded run, repeated and compared.

    The policy, deadline and battery are the recorded ones at every moment and cannot be set.

    Args:
        folder: the folder that ``--record`` wrote.
        speed: multiple of real time, infinity for as fast as possible.
        limit_s: seconds of signal after which the run ends.
        min_coverage: the least coverage of a window whose label is shown; None: as recorded.
    Raises:
        ModelError: the model is missing, or is not the one that ran.
        DataMissing, DataDamaged: the folder holds no readable recording.
    """

    repeats = True

    def __init__(
        self, folder: Path, *, speed: float = 1.0, limit_s: float | None = None, min_coverage: float | None = None
    ) -> None:
        source = RecordingPlayer(folder, speed=speed, as_computed=True)
        try:
            recorded = RecordedRun.from_json(source.reader.manifest)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError, ConfigError) as error:
            raise DataDamaged(
                f"{folder}: the manifest lacks part of the run ({error}); replay the samples with --model"
            ) from None
        self._script = _Script(source.reader)
        pipeline = _pipeline(recorded, self._script, recorded.min_coverage if min_coverage is None else min_coverage)
        super().__init__(
            source, pipeline, model_name=recorded.model.name, policy_text=recorded.policy_text, limit_s=limit_s
        )
        self.equal = 0
        """Predictions equal to the recorded ones to the last bit."""
        self.differing = 0
        self.beyond = 0
        """Predictions without a recorded counterpart: the recording was cut off before them."""
        self._first_difference = ""
        self.subscribe(on_prediction=self._compare)

    @property
    def playback(self) -> None:
        """None: a run that jumps in time is not the recorded run."""
        return

    @property
    def exit_status(self) -> int:
        return 1 if self.differing else super().exit_status

    def set_policy(self, text: str) -> NoReturn:
        """Raises ConfigError: a rerun repeats its recorded decisions."""
        raise self._refusal("policy")

    def set_deadline(self, deadline_ms: float | None) -> NoReturn:
        """Raises ConfigError: a rerun repeats its recorded decisions."""
        raise self._refusal("deadline")

    def set_battery(self, frac: float) -> NoReturn:
        """Raises ConfigError: a rerun repeats its recorded decisions."""
        raise self._refusal("battery")

    def _refusal(self, setting: str) -> ConfigError:
        return ConfigError(
            f"a rerun repeats its recorded decisions: its {setting} cannot change; "
            f"replay the recording with --{setting} for new decisions"
        )

    def verdict(self) -> str:
        """Return the result of the comparison in one line."""
        total = self.equal + self.differing
        line = f"{total} predictions, "
        if self.differing:
            line += f"{self.differing} NOT the recorded ones: {self._first_difference}"
        else:
            line += "all equal to the recorded ones" if total else "none recorded to compare with"
        if self.beyond:
            line += f"; {self.beyond} more after the recording was cut off"
        return line

    def facts(self) -> list[str]:
        return [*super().facts(), self.verdict()]

    def summary(self) -> dict[str, Any]:
        compared = {"equal": self.equal, "differing": self.differing, "beyond": self.beyond}
        return {**super().summary(), "compared": compared}

    def _compare(self, prediction: Prediction) -> None:
        recorded = self._script.uncompared.popleft() if self._script.uncompared else None
        if recorded is None:
            self.beyond += 1
            return
        differences = _differences(prediction, recorded.prediction)
        if not differences:
            self.equal += 1
            return
        self.differing += 1
        self._first_difference = self._first_difference or (
            f"first window {prediction.index} of {prediction.stream}, in {', '.join(differences)}"
        )


def _differences(repeated: Prediction, recorded: Prediction) -> list[str]:
    """The fields in which two predictions differ by a bit or more, conclusions left out."""
    names = (field.name for field in fields(Prediction) if field.compare)
    return [name for name in names if not _same(getattr(repeated, name), getattr(recorded, name))]


def _same(repeated: Any, recorded: Any) -> bool:
    if isinstance(repeated, np.ndarray):
        return repeated.tobytes() == recorded.tobytes()
    if isinstance(repeated, Decision):  # another version may word the reason for the same decision differently
        return replace(repeated, reason="") == replace(recorded, reason="")
    return repeated == recorded or (repeated != repeated and recorded != recorded)  # NaN equals NaN here


class _Script:
    """The recorded predictions in order, as the outside world of the repeated run."""

    def __init__(self, reader: RecordingReader) -> None:
        self._records: Iterator[PredictionRecord] = reader.predictions()
        self.now: PredictionRecord | None = None
        """The recorded prediction of the window being computed; None after the end of the recording."""
        self.uncompared: deque[PredictionRecord] = deque()
        """Recorded predictions whose windows were computed and are not compared yet."""

    def next(self) -> None:
        self.now = next(self._records, None)
        if self.now:
            self.uncompared.append(self.now)


class _RecordedPolicy:
    """The policy in force at each moment, asked with the recorded deadline and battery.

    A policy from a user's own file is not asked, because a recording must not run code that lies beside it: its
    decision is read from the recording.
    """

    kind: ClassVar[str] = "recorded"

    def __init__(self, script: _Script, table: OperatingTable, text: str, deadline_ms: float | None) -> None:
        self._script = script
        self._table = table
        self._text, self._deadline_ms, self._battery = text, deadline_ms, None
        self._policies: dict[str, Policy] = {}
        self._cheapest = Decision(table.front[0].subnet, "after the end of the recording")

    def decide(self, state: PolicyState) -> Decision:
        self._script.next()
        record = self._script.now
        if record is not None:
            self._text, self._deadline_ms = record.policy, record.deadline_ms
            self._battery = BatteryReading(**record.battery) if record.battery else None
        if is_only_recorded(self._text):
            return record.prediction.decision if record is not None else state.last or self._cheapest
        if self._text not in self._policies:
            self._policies[self._text] = make_policy(self._text, self._table)
        recorded_state = replace(state, deadline_ms=self._deadline_ms, battery=self._battery)
        return self._policies[self._text].decide(recorded_state)


class _RecordedEngine(Engine):
    """The model itself, with the latency of each window read from the recording."""

    def __init__(self, model: Model, script: _Script) -> None:
        super().__init__(model)
        self._script = script

    def predict(self, x: np.ndarray, subnet: Subnet) -> Output:
        output = super().predict(x, subnet)
        return replace(output, latency_ms=self._script.now.prediction.latency_ms) if self._script.now else output


class _RecordedBattery:
    """The battery as it was read after each window."""

    def __init__(self, script: _Script) -> None:
        self._script = script

    def read(self, now_s: float) -> BatteryReading | None:
        record = self._script.now
        frac = record.prediction.battery_frac if record else None
        return None if frac is None else BatteryReading(frac, None)

    def spend(self, now_s: float, energy_mj: float) -> None:
        """Do nothing: the charge is the recorded one."""

    def save(self, now_s: float, power_mw: float) -> None:
        """Do nothing: the charge is the recorded one."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: Any) -> None:
        """Do nothing: the charge is the recorded one."""


def _pipeline(recorded: RecordedRun, script: _Script, min_coverage: float) -> Pipeline:
    model = recorded.model
    return Pipeline(
        _RecordedEngine(model.load(), script),
        _RecordedPolicy(script, recorded.table, recorded.policy_text, recorded.deadline_ms),
        recorded.table,
        battery=_RecordedBattery(script) if model.battery else None,
        deadline_ms=recorded.deadline_ms,
        hop=model.hop,
        max_gap_s=model.max_gap_s,
        min_coverage=min_coverage,
        channel_map=model.channel_map,
        clock=lambda: script.now.ready_s if script.now else math.nan,
    )
