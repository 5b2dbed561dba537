"""A model ready to read recordings that a program holds in memory."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, InputMismatch, ModelError
from kinestream.core.signals import ACC, Subnet
from kinestream.inference import Engine, candidates, choose_model, find_model, load_model, operating_table
from kinestream.inference.zoo_table import ANYWHERE
from kinestream.interpret.withhold import withhold

from .build_pipeline import build_concluder, build_pipeline, explicit_policy
from .predictions import Predictions
from .sample_columns import channels_of
from .samples import Samples, read_samples

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.operating_table import OperatingPoint
    from kinestream.inference import Model

STREAM = "data"
"""The stream's name in the predictions."""


def load(
    model: str | Path | None = None,
    *,
    channels: Sequence[str] = ACC,
    fs_hz: float | None = None,
    worn: str = ANYWHERE,
) -> Recogniser:
    """Load a bundled model by name, a ``.safetensors`` file by path, or the bundled model that fits a sensor.

    Args:
        model: None: chosen by the arguments that follow, see ``kinestream.inference.choose_model``.
        channels: the sensor's channels; by default an accelerometer's.
        fs_hz: its rate; None: high enough for any model.
        worn: where it is worn: ``wrist``, ``waist``, ``pocket``, ``hip``, ``chest``, ``bag``, or ``anywhere`` for
            an unknown place.

    Raises:
        ModelError: there is no such model, or the file is not a valid one.
        InputMismatch: no bundled model fits the sensor.
        ConfigError: the place is unknown, or the sensor is described beside a named model.

    >>> import kinestream
    >>> kinestream.load("uci_kinet")
    <kinestream model uci_kinet: 6 activities, 18 subnetworks, needs acc+gyro at 50 Hz>
    >>> wrist = kinestream.load(channels=["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"], worn="wrist")
    >>> wrist.name, wrist.reason
    ('watch', 'the source offers an accelerometer and a gyroscope, worn at the wrist')
    """
    if model is None:
        choice = choose_model(channels, fs_hz, worn)
        return Recogniser(load_model(find_model(choice.name)), choice.reason)
    if not isinstance(model, str | Path):
        raise ModelError(f"model {model!r}; expected the name of a bundled model, or the path of a model file")
    if tuple(channels) != ACC or fs_hz is not None or worn != ANYWHERE:
        raise ConfigError(
            f"model {model} is named, so channels, fs_hz and worn choose nothing; leave them, or the model, out"
        )
    return Recogniser(load_model(find_model(model)))


class Recogniser:
    """One model, and predictions of the recordings it is given; one thread at a time.

    >>> import numpy as np, kinestream
    >>> recogniser = kinestream.load("uci_kinet")
    >>> recogniser.channels
    ('acc_x', 'acc_y', 'acc_z', 'gyro_x', 'gyro_y', 'gyro_z')
    >>> recogniser.predict(np.tile([0, 0, 9.8, 0, 0, 0], (128, 1)), fs_hz=50).labels
    ('lying',)
    """

    def __init__(self, model: Model, reason: str = "") -> None:
        self.model = model
        self.reason = reason
        """Why the model was chosen; empty if it was named."""
        self._engine = Engine(model)

    def __repr__(self) -> str:
        sensors = "+".join(dict.fromkeys(name.split("_")[0] for name in self.channels))
        return (
            f"<kinestream model {self.name}: {len(self.labels)} activities, {len(self.subnets)} subnetworks, "
            f"needs {sensors} at {self.input.fs_hz:g} Hz>"
        )

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The activities the model knows, in the order of ``probs``."""
        return self.model.labels

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """Every subnetwork, narrow to wide, low resolution to high."""
        return self.model.subnets

    @property
    def input(self) -> InputSpec:
        """Rate, window, hop and network columns."""
        return self.model.input

    @property
    def channels(self) -> tuple[str, ...]:
        """The sensor channels to give, in the order that ``predict`` expects of an array without ``channels``."""
        return channels_of(self.input)

    @cached_property
    def front(self) -> tuple[OperatingPoint, ...]:
        """The subnetworks worth choosing, cheapest first; their latencies are measured here on first use."""
        return operating_table(self._engine, candidates(self.model)).front

    def predict(
        self,
        data: Any,
        fs_hz: float | None = None,
        *,
        channels: Sequence[str] | None = None,
        time: Any = None,
        labels: Any = None,
        subnet: Subnet | str | None = None,
        policy: str | None = None,
        smooth: bool = False,
        unknown_below: float | None = None,
        min_coverage: float | None = None,
    ) -> Predictions:
        """The activity in each window of a recording, the same as ``kinestream replay`` gives.

        Warns where the values look like g or degrees per second.

        Args:
            data: (n, channels) samples as an array or nested lists, or a table (pandas, polars, pyarrow, a dict of
                columns) with the columns ``acc_x`` ... in m/s^2 and ``gyro_x`` ... in rad/s, gravity included, and
                perhaps ``time``; a table's other columns are ignored.
            fs_hz: the sampling rate; by default that of ``time``, else the model's own. Another rate is resampled.
            channels: the names of an array's columns; by default the recogniser's ``channels``.
            time: (n,) seconds or dates of the samples, or the name of a column. A gap longer than
                ``input.max_gap_s`` ends a window; without ``time`` the samples are taken as evenly spaced.
            labels: (n,) the true activity of each sample, None where unknown, or the name of a column; the
                predictions then have ``truth``, and their ``accuracy`` is known.
            subnet: the subnetwork to run, e.g. ``0.5x-128``; by default the most accurate one.
            policy: chooses a subnetwork per window instead, as on the command line, e.g. ``battery:hours=8``.
            smooth: add conclusions that combine each window with the earlier ones, as ``--smooth`` does.
            unknown_below: add conclusions, ``unknown`` where their confidence is lower, as ``--unknown`` does.
            min_coverage: show ``unknown`` where a smaller share of the window was measured, as ``--min-coverage`` does;
                half by default, 0 shows all.

        Raises:
            InputMismatch: the data do not fit the model, or hold no whole window.
            ConfigError: another argument is wrong.
        """
        if subnet is not None and policy is not None:
            raise ConfigError("subnet and policy both choose the subnetwork; give one of the two")
        text = policy or (f"fixed:{subnet}" if subnet is not None else "fixed")
        concluder = build_concluder(self.model, smooth=smooth, unknown_below=unknown_below)
        samples = read_samples(data, self.input, self.name, fs_hz=fs_hz, channels=channels, time=time, labels=labels)
        for warning in samples.unit_warnings():
            warnings.warn(warning, stacklevel=2)
        pipeline = build_pipeline(self._engine, explicit_policy(text, self.model), min_coverage=min_coverage)
        predictions = [prediction for chunk in samples.chunks(STREAM) for prediction in pipeline.push(chunk)]
        predictions += pipeline.flush()
        if concluder:
            predictions = [concluder.conclude(prediction) for prediction in predictions]
        predictions = [withhold(p, self.model.needs_up, unknown_below or 0.0) for p in predictions]
        for refusal in pipeline.refusals():
            raise InputMismatch(refusal.reason)
        notices = [*_notices(pipeline.counts()), *pipeline.wear.notices(), *pipeline.wear.past()]
        notices += [*pipeline.coverage.notices(), *pipeline.coverage.past()]
        if not predictions:
            raise InputMismatch(self._why_empty(samples, notices))
        return Predictions(self.name, self.labels, predictions, notices)

    def _why_empty(self, samples: Samples, notices: list[str]) -> str:
        spec = self.input
        given = f"{len(samples)} samples at {samples.fs_hz:g} Hz ({len(samples) / samples.fs_hz:.3g} s)"
        needed = f"{self.name} needs {spec.window_s:g} s without a gap longer than {spec.max_gap_s:g} s"
        reasons = f" ({'; '.join(notices)})" if notices else ""
        return f"no whole window in {given}{reasons}; {needed}: give a longer recording, or fill its gaps"


def _notices(counts: dict[str, int]) -> list[str]:
    words = {
        "gaps": "gaps no window spans",
        "interpolated": "samples interpolated over short gaps",
        "not_finite": "samples with NaN, infinite or impossible values dropped",
        "out_of_order": "samples with a time before the last one dropped",
    }
    return [f"{counts[kind]} {text}" for kind, text in words.items() if counts.get(kind)]
