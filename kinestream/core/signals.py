"""The values that flow: ``SampleChunk -> Window -> Decision -> Prediction``.

Every stage takes one and returns the next; none changes its input. Times are float seconds on the
host's monotonic clock (a recording keeps its own clock, which starts anywhere); signals are float32
in SI units, rows are samples.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

AXES = ("x", "y", "z")
ACC = tuple(f"acc_{axis}" for axis in AXES)
GYRO = tuple(f"gyro_{axis}" for axis in AXES)
MAG = tuple(f"mag_{axis}" for axis in AXES)
BODY_ACC = tuple(f"body_acc_{axis}" for axis in AXES)
GRAVITY = tuple(f"gravity_{axis}" for axis in AXES)

CHANNEL_UNITS: dict[str, str] = {
    **dict.fromkeys(ACC, "m/s^2"),
    **dict.fromkeys(GYRO, "rad/s"),
    **dict.fromkeys(MAG, "uT"),
    **dict.fromkeys(BODY_ACC, "m/s^2"),
    **dict.fromkeys(GRAVITY, "m/s^2"),
}
"""The unit of each canonical channel. ``acc`` is what an accelerometer reads, gravity included."""

STANDARD_GRAVITY = 9.80665
"""m/s^2 in one g (CGPM 1901)."""

UNLABELLED = -1
"""The label code of a sample nobody labelled."""

UNKNOWN = "unknown"
"""What a person is told instead of a label that is not probable enough."""


@dataclass(frozen=True, slots=True)
class SampleChunk:
    """Some consecutive samples of one stream, as a source hands them over.

    A source checks what it received before it builds a chunk; the constructor checks nothing,
    because it runs for every packet.
    """

    stream: str
    """Which sensor: stable over reconnects."""
    session: str
    """Changes whenever the stream starts anew (reconnect, next recording): no window spans two."""
    t: NDArray[np.float64]
    """(n,) seconds, when each sample was taken."""
    x: NDArray[np.float32]
    """(n, channels) SI units."""
    channels: tuple[str, ...]
    """The name of each column; ``CHANNEL_UNITS`` has the units."""
    fs_hz: float
    """The nominal sampling rate."""
    seq: int
    """The number of the first sample within its session; a jump says how many were lost."""
    received_s: float
    """When the host had the whole chunk, on the clock of ``t``."""
    labels: NDArray[np.int16] | None = None
    """(n,) codes into ``label_names``, ``UNLABELLED`` where nobody labelled."""
    label_names: tuple[str, ...] = ()
    t_device: NDArray[np.float64] | None = None
    """(n,) seconds on the device's own clock, unwrapped, where it has one; ``t`` is what was made of them."""

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        return (
            f"<SampleChunk {self.stream!r} session {self.session!r}: {len(self)} samples from {self.seq}, "
            f"{len(self.channels)} channels at {self.fs_hz:g} Hz>"
        )

    def part(self, start: int, stop: int) -> SampleChunk:
        """Samples start to stop as a chunk of their own."""
        return replace(
            self,
            t=self.t[start:stop],
            x=self.x[start:stop],
            seq=self.seq + start,
            labels=None if self.labels is None else self.labels[start:stop],
            t_device=None if self.t_device is None else self.t_device[start:stop],
        )


@dataclass(frozen=True, slots=True)
class Window:
    """``length`` samples on a model's uniform grid, ready for the network."""

    stream: str
    session: str
    index: int
    """How many windows this session had before this one."""
    t_start_s: float
    t_end_s: float
    """When the first and the last sample of the window were taken."""
    x: NDArray[np.float32]
    """(length, channels) SI units; belongs to the window, is never written again."""
    channels: tuple[str, ...]
    fs_hz: float
    coverage: float
    """Share of the samples that were measured; the rest was interpolated over short gaps."""
    received_s: float
    """When the chunk that completed the window reached the host."""
    truth: str | None = None
    """The label most of the samples carry, if the source has labels."""
    truth_share: float = 0.0
    """Share of the samples that carry ``truth``: below 1.0 the window straddles a change."""

    def __repr__(self) -> str:
        return (
            f"<Window {self.index} of {self.stream!r}: {self.t_start_s:.2f} to {self.t_end_s:.2f} s, "
            f"{len(self.x)} x {len(self.channels)} at {self.fs_hz:g} Hz>"
        )


@dataclass(frozen=True, slots=True, order=True)
class Subnet:
    """One cut of the network: how wide it is and how many samples of the window it reads."""

    width: float
    """Share of each layer's channels, 0 to 1."""
    resolution: int
    """Samples along time after resizing the window."""

    def __str__(self) -> str:
        return f"{self.width:.2f}x-{self.resolution}"

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """The subnetwork written as in the paper: ``0.75x-120``.

        Raises:
            ConfigError: the text has another form.
        """
        match = re.fullmatch(r"(\d*\.?\d+)x-(\d+)", text.strip())
        if match is None:
            raise ConfigError(f"'{text}' is not a subnetwork; write it as WIDTHx-RESOLUTION, e.g. 0.5x-128")
        return cls(float(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True, order=True)
class Sensing:
    """How the motion sensor is run."""

    fs_hz: float
    gyro: bool = True

    def __str__(self) -> str:
        return f"{self.fs_hz:g} Hz, {'accelerometer and gyroscope' if self.gyro else 'accelerometer only'}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Which subnetwork runs now, and why; levers beyond the network are fields with a default that changes nothing."""

    subnet: Subnet
    reason: str
    """In words, for the person at the dashboard."""
    hop: int = 1
    """Predict only every ``hop``-th window of this stream, from the next one on."""
    sensing: Sensing | None = None
    """How this stream's sensor shall run from now on; None: as it does by itself."""
    memory: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)
    """What the policy wants to know at the next window, plain numbers; it is not asked to keep anything itself."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a person is told of a window: the network's word calibrated and, if so wished, weighed with earlier ones."""

    label: str
    """``UNKNOWN`` where even the most probable label is too improbable."""
    confidence: float
    """Probability of the most probable label."""
    probs: NDArray[np.float64]
    """(classes,) in the order of the prediction's ``labels``; sums to 1."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the wearer does, as one subnetwork saw one window."""

    stream: str
    session: str
    index: int
    t_start_s: float
    t_end_s: float
    label: str
    confidence: float
    """Probability of ``label``."""
    probs: NDArray[np.float32]
    """(classes,) in the order of ``labels``; sums to 1."""
    labels: tuple[str, ...]
    decision: Decision
    latency_ms: float
    """Measured time from the window to the probabilities."""
    energy_mj: float
    """Estimated, by the operating table's stated energy model."""
    age_ms: float
    """How old the window's newest sample was when the prediction came out."""
    coverage: float
    truth: str | None = None
    truth_share: float = 0.0
    battery_frac: float | None = None
    """Charge left, 0 to 1; None where no battery is known."""
    conclusion: Conclusion | None = field(default=None, compare=False)
    """Drawn after the pipeline, where somebody asked for it; it can be drawn again from a recording's predictions."""

    def __repr__(self) -> str:
        return (
            f"<Prediction {self.label} {self.confidence:.0%}: {self.t_start_s:.2f} to {self.t_end_s:.2f} s "
            f"of {self.stream!r} by {self.decision.subnet}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as ``kinestream run --json`` prints them; an unknown value is None."""
        sensing = self.decision.sensing
        return {
            "stream": self.stream,
            "session": self.session,
            "t_start": round(self.t_start_s, 6),
            "t_end": round(self.t_end_s, 6),
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "probs": _by_label(self.labels, self.probs),
            "width": self.decision.subnet.width,
            "resolution": self.decision.subnet.resolution,
            "reason": self.decision.reason,
            "latency_ms": _finite(self.latency_ms, 4),
            "energy_mj": _finite(self.energy_mj, 6),
            "age_ms": _finite(self.age_ms, 3),
            "coverage": round(self.coverage, 4),
            "truth": self.truth,
            "truth_share": round(self.truth_share, 4),
            "battery": None if self.battery_frac is None else round(self.battery_frac, 6),
            **({"sensing": {"fs_hz": sensing.fs_hz, "gyro": sensing.gyro}} if sensing else {}),
            **({"concluded": _concluded(self.conclusion, self.labels)} if self.conclusion else {}),
        }


def _concluded(conclusion: Conclusion, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "label": conclusion.label,
        "confidence": round(conclusion.confidence, 6),
        "probs": _by_label(labels, conclusion.probs),
    }


def _by_label(labels: tuple[str, ...], probs: NDArray[Any]) -> dict[str, float]:
    return {label: round(float(p), 6) for label, p in zip(labels, probs.tolist(), strict=True)}


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
