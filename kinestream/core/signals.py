"""The values that flow through the stages: ``SampleChunk -> Window -> Decision -> Prediction``.

Each stage takes one and returns the next; no stage changes its input. Times are seconds on the host's monotonic clock;
a recording keeps its own clock, which starts anywhere. Signals are float32 in SI units with one sample per row.
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
"""The unit of each known channel. ``acc`` is the reading of an accelerometer, gravity included."""

Vector = tuple[float, float, float]
"""A direction in a sensor's axes."""

STANDARD_GRAVITY = 9.80665
"""m/s^2 in one g (CGPM 1901)."""

UNLABELLED = -1
"""The label code of a sample without a label."""

SEQ_END = 1 << 62
"""The end of the range of sequence numbers, from the wire to the tables of a recording: sums of two fit 64 bits."""

UNKNOWN = "unknown"
"""The label of a conclusion whose most probable activity is not probable enough, or cannot be known."""

STILL = "still"
"""The label of a conclusion that is one of several postures which only the direction of up tells apart."""


@dataclass(frozen=True, slots=True)
class SampleChunk:
    """Consecutive samples of one stream, as a source delivers them.

    The constructor checks nothing, because it runs for every packet: a source checks its data before it builds a chunk.

    >>> chunk = SampleChunk(
    ...     stream="wrist", session="a", t=np.arange(3) / 50, x=np.zeros((3, 3), np.float32), channels=ACC,
    ...     fs_hz=50.0, seq=0, received_s=0.05,
    ... )
    >>> chunk
    <SampleChunk 'wrist' session 'a': 3 samples from 0, 3 channels at 50 Hz>
    """

    stream: str
    """Name of the sensor, stable over reconnects."""
    session: str
    """Name of the stream's epoch: changes when the stream restarts (reconnect, next recording); no window spans two."""
    t: NDArray[np.float64]
    """(n,) time of each sample in seconds."""
    x: NDArray[np.float32]
    """(n, channels) values in SI units."""
    channels: tuple[str, ...]
    """Name of each column; ``CHANNEL_UNITS`` lists the units."""
    fs_hz: float
    """Nominal sampling rate."""
    seq: int
    """Number of the first sample within its session; a jump shows how many samples were lost."""
    received_s: float
    """Time at which the host had the whole chunk, on the clock of ``t``."""
    labels: NDArray[np.int16] | None = None
    """(n,) indices into ``label_names``, ``UNLABELLED`` for a sample without a label; None without any labels."""
    label_names: tuple[str, ...] = ()
    t_device: NDArray[np.float64] | None = None
    """(n,) seconds on the device's own clock, unwrapped, if it has one; ``t`` is derived from them."""

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        return (
            f"<SampleChunk {self.stream!r} session {self.session!r}: {len(self)} samples from {self.seq}, "
            f"{len(self.channels)} channels at {self.fs_hz:g} Hz>"
        )

    def part(self, start: int, stop: int) -> SampleChunk:
        """Return samples ``start`` to ``stop`` as a separate chunk."""
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
    """``length`` samples on a model's uniform grid, ready for the network.

    >>> x = np.zeros((128, 3), np.float32)
    >>> Window("wrist", "0", 0, 0.0, 2.54, x, ACC, 50.0, coverage=1.0, received_s=2.6)
    <Window 0 of 'wrist': 0.00 to 2.54 s, 128 x 3 at 50 Hz>
    """

    stream: str
    session: str
    index: int
    """Number of windows of this session before this one."""
    t_start_s: float
    t_end_s: float
    """Times of the window's first and last sample."""
    x: NDArray[np.float32]
    """(length, channels) values in SI units; only this window refers to the array."""
    channels: tuple[str, ...]
    fs_hz: float
    coverage: float
    """Share of the samples that were measured; the others were interpolated over short gaps."""
    received_s: float
    """Time at which the chunk that completed the window reached the host."""
    truth: str | None = None
    """The most frequent label of the samples, if the source has labels."""
    truth_share: float = 0.0
    """Share of the samples with the label ``truth``; below 1.0 the window straddles two activities."""
    up: Vector | None = None
    """Unit vector of up in the sensor's axes, found while the wearer moved (``windowing/walking_up.py``); None while it
    is unknown, and for models that do not read ``acc_*``."""
    up_blocks: int = 0
    """Blocks of movement of this stream so far: ``up`` rests on another block only where this number has grown."""

    def __repr__(self) -> str:
        return (
            f"<Window {self.index} of {self.stream!r}: {self.t_start_s:.2f} to {self.t_end_s:.2f} s, "
            f"{len(self.x)} x {len(self.channels)} at {self.fs_hz:g} Hz>"
        )


@dataclass(frozen=True, slots=True, order=True)
class Subnet:
    """A subnetwork: how wide it is, and how many samples of the window it reads.

    >>> print(Subnet(0.5, 96))
    0.50x-96
    >>> Subnet.parse("0.5x-96")
    Subnet(width=0.5, resolution=96)
    """

    width: float
    """Share of each layer's channels, 0 to 1."""
    resolution: int
    """Samples along time after the window is resized."""

    def __str__(self) -> str:
        return f"{self.width:.2f}x-{self.resolution}"

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """Return the subnetwork in the paper's notation.

        Raises:
            ConfigError: the text has another form.

        >>> Subnet.parse("0.75x-120")
        Subnet(width=0.75, resolution=120)
        """
        match = re.fullmatch(r"(\d*\.?\d+)x-(\d+)", text.strip())
        if match is None:
            raise ConfigError(f"'{text}' is not a subnetwork; write it as WIDTHx-RESOLUTION, e.g. 0.5x-128")
        return cls(float(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True, order=True)
class Sensing:
    """How the motion sensor runs: its rate, and whether its gyroscope is on.

    >>> str(Sensing(25.0, gyro=False))
    '25 Hz, accelerometer only'
    """

    fs_hz: float
    gyro: bool = True

    def __str__(self) -> str:
        return f"{self.fs_hz:g} Hz, {'accelerometer and gyroscope' if self.gyro else 'accelerometer only'}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The subnetwork that a policy chose and the reason; the defaults of the other levers change nothing.

    >>> Decision(Subnet(0.5, 96), "the deadline allows 3 ms", hop=2).hop
    2
    """

    subnet: Subnet
    reason: str
    """The reason in words, for people."""
    hop: int = 1
    """Predict every ``hop``-th window of this stream from now on."""
    sensing: Sensing | None = None
    """How this stream's sensor runs from now on; None for its own settings."""
    memory: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)
    """Numbers that the policy gets back with the next window, so that the policy itself has no state."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The displayed result of a window: the network's output calibrated and, if asked for, smoothed over time."""

    label: str
    """``UNKNOWN`` where no label is probable enough, ``STILL`` for postures that cannot be told apart yet."""
    confidence: float
    """Probability that the most probable label is right; of ``STILL``, that one of its postures is. Of a model with a
    reliability it can be lower than all ``probs``, because the activity may be none of them."""
    probs: NDArray[np.float64]
    """(classes,) in the order of the prediction's ``labels``; sums to 1."""
    novelty: float | None = None
    """How unlike the movement is to the label's: about 1 where alike; None if the model cannot tell."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The activity in one window, as one subnetwork recognises it.

    >>> import kinestream
    >>> (prediction,) = kinestream.load("uci_kinet").predict(np.tile([0, 0, 9.8, 0, 0, 0], (128, 1)))
    >>> prediction
    <Prediction lying 90%: 0.00 to 2.54 s of 'data' by 1.00x-128>
    >>> prediction.to_dict()["t_end"]
    2.54
    """

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
    """Measured time from window to probabilities."""
    energy_mj: float
    """Energy of the window, estimated by the operating table's ``energy_model``."""
    age_ms: float
    """Age of the window's newest sample when the prediction was made."""
    coverage: float
    truth: str | None = None
    truth_share: float = 0.0
    battery_frac: float | None = None
    """Charge left, 0 to 1; None without a known battery."""
    conclusion: Conclusion | None = field(default=None, compare=False)
    """The conclusion, if asked for: the session adds it after the pipeline, and a recording does not store it."""
    movement: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    """(8,) the window's ``interpret.movement.Movement``, for a model whose reliability needs it; a recording does not
    store it."""
    up_known: bool | None = field(default=None, compare=False)
    """Whether the direction of up was known; None for a model that tells its activities apart without it."""
    worn_otherwise: bool = field(default=False, compare=False)
    """Whether the sensor is surely worn otherwise than the model's training people wore it (``Placement``)."""
    low_coverage: bool = field(default=False, compare=False)
    """Whether too little of the window was measured to name an activity (``--min-coverage``)."""

    def __repr__(self) -> str:
        return (
            f"<Prediction {self.label} {self.confidence:.0%}: {self.t_start_s:.2f} to {self.t_end_s:.2f} s "
            f"of {self.stream!r} by {self.decision.subnet}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values as ``kinestream run --json`` prints them, None for an unknown value."""
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
            **({} if self.up_known is None else {"up_known": self.up_known}),
            **({"worn_otherwise": True} if self.worn_otherwise else {}),
            **({"low_coverage": True} if self.low_coverage else {}),
            **({"concluded": _concluded(self.conclusion, self.labels)} if self.conclusion else {}),
        }


def _concluded(conclusion: Conclusion, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "label": conclusion.label,
        "confidence": round(conclusion.confidence, 6),
        "probs": _by_label(labels, conclusion.probs),
        **({} if conclusion.novelty is None else {"novelty": _finite(conclusion.novelty, 3)}),
    }


def _by_label(labels: tuple[str, ...], probs: NDArray[Any]) -> dict[str, float]:
    return {label: round(float(p), 6) for label, p in zip(labels, probs.tolist(), strict=True)}


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
