"""The part of a recording's manifest that describes its run: written from a pipeline, read to repeat the run.

``replay_data.recordings.layout`` owns the file itself; this module owns its keys ``source``, ``wearer``, ``model``,
``policy`` and ``table``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ModelError
from kinestream.core.operating_table import OperatingPoint, OperatingTable, SensingRow
from kinestream.core.signals import Sensing, Subnet
from kinestream.inference import Model, find_model, load_model
from kinestream.policy import write_policy
from kinestream.run.coverage_watch import MIN_COVERAGE
from kinestream.windowing import ChannelMap

if TYPE_CHECKING:
    from kinestream.run.pipeline import Pipeline


def describe(
    *,
    source_name: str,
    live: bool,
    wearer: str | None = None,
    pipeline: Pipeline | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """Return what the manifest says about a run: enough to repeat its predictions.

    Args:
        pipeline: None where only samples are recorded.
        model: the model's name or path as given on the command line.

    >>> describe(source_name="zmq+tcp://127.0.0.1:5556", live=True, wearer="anna")["model"] is None
    True
    """
    about: dict[str, Any] = {
        "source": {"name": source_name, "live": live},
        "wearer": wearer,
        "model": None,
        "policy": None,
    }
    return about if pipeline is None else about | RecordedRun.of(pipeline, model).to_json()


@dataclass(frozen=True, slots=True)
class RecordedModel:
    """The model of a recorded run, and how its windows were cut."""

    name: str
    found_as: str
    """The name or path under which the model was found."""
    fingerprint: str
    labels: tuple[str, ...]
    rate_hz: float
    hop: int
    """Samples between the starts of two windows."""
    max_gap_s: float
    channel_map: ChannelMap | None
    """How the sensor was worn; None as the model expects it."""
    battery: bool
    """Whether the run knew a battery."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; the channel map is under ``axes``."""
        values = {name: getattr(self, name) for name in ("name", "found_as", "fingerprint")}
        return values | {
            "labels": list(self.labels),
            "rate_hz": self.rate_hz,
            "hop": self.hop,
            "max_gap_s": self.max_gap_s,
            "axes": self.channel_map and asdict(self.channel_map),
            "battery": self.battery,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RecordedModel:
        """Return the model that ``to_json`` described.

        Raises:
            KeyError, TypeError, AttributeError, ValueError, ConfigError: the values have another form.
        """
        axes = values["axes"]
        return cls(
            name=_typed(values["name"], str),
            found_as=_typed(values["found_as"], str),
            fingerprint=_typed(values["fingerprint"], str),
            labels=tuple(_typed(label, str) for label in _typed(values["labels"], list)),
            rate_hz=_real(values["rate_hz"]),
            hop=_typed(values["hop"], int),
            max_gap_s=_real(values["max_gap_s"]),
            channel_map=ChannelMap(**_tuples(axes)) if axes else None,
            battery=_typed(values["battery"], bool),
        )

    def load(self) -> Model:
        """Return the model that ran.

        Raises:
            ModelError: the model is missing, or another one is now under its name.
        """
        model = load_model(find_model(self.found_as))
        if model.fingerprint != self.fingerprint:
            raise ModelError(
                f"the run was recorded with another {self.name} (fingerprint {self.fingerprint[:12]}) than "
                f"{self.found_as} is now ({model.fingerprint[:12]}); bring that file back, or name a model with "
                "--model to run it without comparing"
            )
        return model


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The settings of a recorded run."""

    model: RecordedModel
    policy_text: str
    """The policy in force at the start, as ``make_policy`` reads it."""
    deadline_ms: float | None
    table: OperatingTable
    min_coverage: float = MIN_COVERAGE
    """The least coverage of a window whose label was shown; recordings before it have none."""

    @classmethod
    def of(cls, pipeline: Pipeline, found_as: str | None = None) -> RecordedRun:
        """Return the settings of a run that is about to start.

        Args:
            found_as: the model's name or path; None takes the model's own name.
        """
        model = pipeline.engine.model
        return cls(
            RecordedModel(
                name=model.name,
                found_as=found_as or model.name,
                fingerprint=model.fingerprint,
                labels=model.labels,
                rate_hz=model.input.fs_hz,
                hop=pipeline.spec.hop,
                max_gap_s=pipeline.spec.max_gap_s,
                channel_map=pipeline.channel_map,
                battery=pipeline.battery is not None,
            ),
            write_policy(pipeline.policy),
            pipeline.deadline_ms,
            pipeline.table,
            pipeline.coverage.least,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the manifest's ``model``, ``policy`` and ``table``."""
        return {
            "model": self.model.to_json(),
            "policy": {"text": self.policy_text, "deadline_ms": self.deadline_ms},
            "table": _table_to_json(self.table),
            "min_coverage": self.min_coverage,
        }

    @classmethod
    def from_json(cls, manifest: Mapping[str, Any]) -> RecordedRun:
        """Return the settings in a manifest.

        Raises:
            KeyError, TypeError, AttributeError, ValueError, ConfigError: the manifest lacks some, or has them in
                another form.
        """
        deadline_ms = manifest["policy"]["deadline_ms"]
        return cls(
            RecordedModel.from_json(manifest["model"]),
            _typed(manifest["policy"]["text"], str),
            None if deadline_ms is None else _real(deadline_ms),
            _table_from_json(manifest["table"]),
            _real(manifest.get("min_coverage", MIN_COVERAGE)),
        )


def _table_to_json(table: OperatingTable) -> dict[str, Any]:
    return {
        "model": table.model,
        "machine": table.machine,
        "energy_model": table.energy_model,
        "points": [{**asdict(point), "accuracy": _finite(point.accuracy)} for point in table.points],
        "sensing": [
            {
                "sensing": [row.sensing.fs_hz, row.sensing.gyro],
                "accuracy": {str(subnet): accuracy for subnet, accuracy in row.accuracy.items()},
                "base_mw": _finite(row.base_mw),
            }
            for row in table.sensing
        ],
    }


def _table_from_json(values: Mapping[str, Any]) -> OperatingTable:
    points = tuple(
        OperatingPoint(
            _subnet(point["subnet"]),
            _number(point["accuracy"]),
            _typed(point["macs"], int),
            _real(point["p50_ms"]),
            _real(point["p95_ms"]),
            _real(point["energy_mj"]),
        )
        for point in values["points"]
    )
    sensing = tuple(
        SensingRow(
            _sensing(*row["sensing"]),
            {Subnet.parse(subnet): _real(accuracy) for subnet, accuracy in row["accuracy"].items()},
            _number(row["base_mw"]),
        )
        for row in values.get("sensing", ())  # recordings of the first versions have no such rows
    )
    model, machine, energy_model = (_typed(values[key], str) for key in ("model", "machine", "energy_model"))
    return OperatingTable(model, machine, energy_model, points, sensing)


def _subnet(values: Mapping[str, Any]) -> Subnet:
    return Subnet(_real(values["width"]), _typed(values["resolution"], int))


def _sensing(fs_hz: Any, gyro: Any) -> Sensing:
    return Sensing(_real(fs_hz), _typed(gyro, bool))


def _finite(value: float) -> float | None:
    """The number, or None for NaN, which JSON does not have."""
    return value if math.isfinite(value) else None


def _number(value: Any) -> float:
    return math.nan if value is None else _real(value)


def _real(value: Any) -> float:
    return float(_typed(value, int, float))


def _typed(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{str(value)[:60]!r} is not {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
