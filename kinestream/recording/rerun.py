"""A recorded run made again: the same chunks, the same model and policy, and every prediction compared.

What a live decision took from the clock (latencies, the battery's charge, a change of policy by a person) is read from
the recording; everything else is computed anew.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kinestream.core.errors import DataDamaged, ModelError
from kinestream.core.operating_table import OperatingPoint, OperatingTable, SensingRow
from kinestream.core.signals import Decision, Prediction, Sensing, Subnet
from kinestream.inference import Engine, Model, Output, find_model, load_model
from kinestream.policy import BatteryReading, Policy, PolicyState, has_file, make_policy
from kinestream.replay_data.recordings import PredictionRecord, RecordingPlayer, RecordingReader
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session
from kinestream.windowing import ChannelMap


def can_rerun(folder: Path) -> bool:
    """Whether the recording is of a run that predicted, not of samples only."""
    return RecordingReader(folder).manifest.get("model") is not None


class RerunSession(Session):
    """The run of a recording, again.

    Args:
        folder: what ``--record`` wrote.
        speed: multiple of real time, infinity for as fast as possible.
        limit_s: end after this much signal.
    Raises:
        ModelError: the model is not there, or is another than the one that ran.
        DataMissing, DataDamaged: there is no recording that can be read.
    """

    def __init__(self, folder: Path, *, speed: float = 1.0, limit_s: float | None = None) -> None:
        source = RecordingPlayer(folder, speed=speed, as_computed=True)
        manifest = source.reader.manifest
        try:
            self._script = _Script(source.reader)
            pipeline = _pipeline(manifest, self._script)
            policy_text = manifest["policy"]["text"]
        except (KeyError, TypeError, AttributeError) as error:
            raise DataDamaged(
                f"{folder}: the manifest does not say all of the run ({error}); replay it with --model"
            ) from None
        name = manifest["model"]["name"]
        super().__init__(source, pipeline, model_name=name, policy_text=policy_text, limit_s=limit_s)
        self.equal = 0
        """Predictions that are the recorded ones, in all they say, to the last bit."""
        self.differing = 0
        self.beyond = 0
        """Predictions for which there is none in the recording: the run was cut off before them."""
        self._first_difference = ""
        self.subscribe(on_prediction=self._compare)

    @property
    def playback(self) -> None:
        """None: who jumps about does not see the run again."""
        return

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        return 1 if self.differing else 0

    def set_policy(self, text: str) -> None:
        """Ignored: the policy is the recorded one at every moment."""

    def set_deadline(self, deadline_ms: float | None) -> None:
        """Ignored, as the policy is."""

    def set_battery(self, frac: float) -> None:
        """Ignored, as the policy is."""

    def verdict(self) -> str:
        """What the comparison came to, in a line."""
        total = self.equal + self.differing
        told = f"{total} predictions, "
        if self.differing:
            told += f"{self.differing} NOT the recorded ones: {self._first_difference}"
        else:
            told += "all equal to the recorded ones" if total else "none recorded to compare with"
        if self.beyond:
            told += f"; {self.beyond} more that the run was cut off before"
        return told

    def notices(self) -> list[str]:
        return [*super().notices(), self.verdict()]

    def summary(self) -> dict[str, Any]:
        compared = {"equal": self.equal, "differing": self.differing, "beyond": self.beyond}
        return {**super().summary(), "compared": compared}

    def _compare(self, prediction: Prediction) -> None:
        recorded = self._script.told.popleft() if self._script.told else None
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


def _differences(one: Prediction, other: Prediction) -> list[str]:
    """The fields in which two predictions differ, by a bit or more; what was concluded afterwards is none of them."""
    return [f.name for f in fields(Prediction) if f.compare and not _same(getattr(one, f.name), getattr(other, f.name))]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.tobytes() == other.tobytes()
    return one == other or (one != one and other != other)  # NaN is NaN


class _Script:
    """The recorded predictions, one after another, as what the run was told from outside."""

    def __init__(self, reader: RecordingReader) -> None:
        self._records: Iterator[PredictionRecord] = reader.predictions()
        self.now: PredictionRecord | None = None
        """The recorded prediction of the window that is being computed; None beyond the recording."""
        self.told: deque[PredictionRecord] = deque()
        """Those whose windows were computed and not compared yet."""

    def next(self) -> None:
        self.now = next(self._records, None)
        if self.now:
            self.told.append(self.now)


class _ToldPolicy:
    """The policy that was in force, asked with the deadline and the battery that it was told then.

    A policy that somebody wrote into a file of their own is not asked: a recording must not run code that lies
    beside it. What it decided is read from the recording.
    """

    kind: ClassVar[str] = "recorded"

    def __init__(self, script: _Script, table: OperatingTable, text: str, deadline_ms: float | None) -> None:
        self._script = script
        self._table = table
        self._text, self._deadline_ms, self._battery = text, deadline_ms, None
        self._policies: dict[str, Policy] = {}
        self._cheapest = Decision(table.front[0].subnet, "the recording says no more")

    def decide(self, state: PolicyState) -> Decision:
        self._script.next()
        record = self._script.now
        if record is not None:
            self._text, self._deadline_ms = record.policy, record.deadline_ms
            self._battery = BatteryReading(**record.battery) if record.battery else None
        if has_file(self._text):
            return record.prediction.decision if record is not None else state.last or self._cheapest
        if self._text not in self._policies:
            self._policies[self._text] = make_policy(self._text, self._table)
        told = replace(state, deadline_ms=self._deadline_ms, battery=self._battery)
        return self._policies[self._text].decide(told)


class _ToldEngine(Engine):
    """The model itself; what a window took is read from the recording."""

    def __init__(self, model: Model, script: _Script) -> None:
        super().__init__(model)
        self._script = script

    def predict(self, x: np.ndarray, subnet: Subnet) -> Output:
        output = super().predict(x, subnet)
        return replace(output, latency_ms=self._script.now.prediction.latency_ms) if self._script.now else output


class _ToldBattery:
    """The battery as it was read after each window."""

    def __init__(self, script: _Script) -> None:
        self._script = script

    def read(self, now_s: float) -> BatteryReading | None:
        record = self._script.now
        frac = record.prediction.battery_frac if record else None
        return None if frac is None else BatteryReading(frac, None)

    def spend(self, now_s: float, energy_mj: float) -> None:
        """The charge is the recorded one."""

    def save(self, now_s: float, power_mw: float) -> None:
        """The charge is the recorded one."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: Any) -> None:
        """The charge is the recorded one."""


def _pipeline(manifest: dict[str, Any], script: _Script) -> Pipeline:
    told = manifest["model"]
    model = _same_model(told)
    table = _table(manifest["table"])
    axes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in (told["axes"] or {}).items()
    }
    policy = _ToldPolicy(script, table, manifest["policy"]["text"], manifest["policy"]["deadline_ms"])
    return Pipeline(
        _ToldEngine(model, script),
        policy,
        table,
        battery=_ToldBattery(script) if told["battery"] else None,
        deadline_ms=manifest["policy"]["deadline_ms"],
        hop=told["hop"],
        max_gap_s=told["max_gap_s"],
        channel_map=ChannelMap(**axes) if axes else None,
        clock=lambda: script.now.ready_s if script.now else math.nan,
    )


def _same_model(told: dict[str, Any]) -> Model:
    model = load_model(find_model(told["found_as"]))
    if model.fingerprint != told["fingerprint"]:
        raise ModelError(
            f"the run was recorded with another {told['name']} (fingerprint {told['fingerprint'][:12]}) than "
            f"{told['found_as']} is now ({model.fingerprint[:12]}); bring that file back, or name a model with --model "
            "to run it without comparing"
        )
    return model


def _table(told: dict[str, Any]) -> OperatingTable:
    points = tuple(
        OperatingPoint(
            Subnet(**point["subnet"]),
            math.nan if point["accuracy"] is None else point["accuracy"],
            point["macs"],
            point["p50_ms"],
            point["p95_ms"],
            point["energy_mj"],
        )
        for point in told["points"]
    )
    sensing = tuple(
        SensingRow(
            Sensing(*row["sensing"]),
            {Subnet.parse(subnet): share for subnet, share in row["accuracy"].items()},
            math.nan if row["base_mw"] is None else row["base_mw"],
        )
        for row in told.get("sensing", ())  # recordings from before there were such rows have none
    )
    return OperatingTable(told["model"], told["machine"], told["energy_model"], points, sensing)
