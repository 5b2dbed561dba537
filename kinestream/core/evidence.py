"""Facts about what arrived, measured and not announced: of each stream, and of each thing a source listens to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

RATE_TOLERANCE = 0.1
"""A measured rate that differs from the announced one by more than this share is conspicuous."""


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """What arrived of one stream during the last seconds, beside what its source announced.

    >>> StreamFigures("wrist", ("acc_x", "acc_y", "acc_z"), announced_hz=50.0, rate_hz=48.5, span_s=8.0).rate_hz
    48.5
    """

    stream: str
    channels: tuple[str, ...]
    announced_hz: float
    """The nominal rate."""
    samples: int = 0
    """All samples since the start."""
    span_s: float = 0.0
    """Seconds of signal that the figures below rest on."""
    rate_hz: float | None = None
    """The sensor's own rate as measured, with the samples that are proven lost; None while too little arrived."""
    jitter_ms: float | None = None
    """Spread of nine in ten intervals between samples."""
    burst_samples: int | None = None
    """Samples that usually share one instant, or arrive within a small part of the nominal interval; 1 for an even
    stream."""
    age_ms: float | None = None
    """Mean age of the newest sample on arrival; negative where the stamps lie in the future."""
    interpolated_share: float | None = None
    """Share of an even grid of the announced rate that lies in holes between samples, and is interpolated."""
    coverage: float | None = None
    """Mean coverage of the windows; None without windows."""
    windows: int = 0
    """All windows since the start."""
    lost: int = 0
    """Samples that a counter, a sequence number or a device clock proves lost, since the start."""
    lost_share: float = 0.0
    """Share of the samples of the last seconds that are proven lost."""
    silence_s: float = 0.0
    """Seconds since the last sample, on the host's clock; 0 for a replay."""
    epochs: int = 1
    """Epochs since the start; every restart or reconnect begins another."""
    longest_hole_s: float = 0.0
    """The longest time between two neighbouring samples of one epoch, during the last seconds."""
    out_of_order: int = 0
    """Samples not later than the one before them in their epoch, since the start."""

    @property
    def is_off(self) -> bool:
        """Whether the measured rate differs from the announced one by more than ``RATE_TOLERANCE``."""
        return self.rate_hz is not None and abs(self.rate_hz / self.announced_hz - 1) > RATE_TOLERANCE

    @property
    def is_slow(self) -> bool:
        """Whether the sensor is ``is_off`` and slower than announced."""
        return self.is_off and self.rate_hz is not None and self.rate_hz < self.announced_hz

    def rate_text(self) -> str:
        """Return the measured rate beside the announced one, in words.

        >>> StreamFigures("wrist", (), announced_hz=50.0, rate_hz=48.52).rate_text()
        'rate 48.5 Hz, announced 50'
        """
        if self.rate_hz is None:
            return f"rate unknown yet, announced {_hz(self.announced_hz)}"
        return f"rate {_hz(self.rate_hz)} Hz, announced {_hz(self.announced_hz)}"

    def describe(self) -> str:
        """Return the figures that a person looks for, in one line.

        >>> StreamFigures("wrist", (), 50.0, rate_hz=12.5, coverage=0.25, burst_samples=1, age_ms=41.0).describe()
        'wrist: rate 12.5 Hz, announced 50; windows 25 % measured; 41 ms old on arrival'
        """
        parts = [f"{self.stream}: {self.rate_text()}"]
        if self.lost:
            parts.append(f"{self.lost} samples lost")
        if self.burst_samples is not None and self.burst_samples > 1:
            parts.append(f"bursts of {self.burst_samples} samples")
        if self.coverage is not None:
            parts.append(f"windows {self.coverage:.0%} measured".replace("%", " %"))
        if self.age_ms is not None:
            parts.append(f"{self.age_ms:.0f} ms old on arrival")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, None for an unknown figure."""
        return {
            "stream": self.stream,
            "channels": list(self.channels),
            "announced_hz": _rounded(self.announced_hz),
            "rate_hz": _rounded(self.rate_hz),
            "samples": self.samples,
            "span_s": _rounded(self.span_s),
            "jitter_ms": _rounded(self.jitter_ms),
            "burst_samples": self.burst_samples,
            "age_ms": _rounded(self.age_ms),
            "interpolated_share": _rounded(self.interpolated_share),
            "coverage": _rounded(self.coverage),
            "windows": self.windows,
            "lost": self.lost,
            "lost_share": _rounded(self.lost_share),
            "silence_s": _rounded(self.silence_s),
            "epochs": self.epochs,
            "longest_hole_s": _rounded(self.longest_hole_s),
            "out_of_order": self.out_of_order,
        }


def _hz(rate_hz: float) -> str:
    return f"{rate_hz:.1f}".removesuffix(".0")


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


@dataclass(frozen=True, slots=True)
class Reception:
    """What one link, port or topic received, whether or not it gave samples; counted since the start.

    >>> Reception("wrist", packets=12, malformed=12, malformed_example=bytes([0x55, 0x61])).samples
    0
    """

    name: str
    """The stream's name where there is one, else the source's."""
    packets: int = 0
    """Packets or messages that arrived, malformed ones included."""
    samples: int = 0
    """Samples that were handed out."""
    malformed: int = 0
    malformed_example: bytes = b""
    """The start of one malformed packet."""
    malformed_reason: str = ""
    """Why it was not understood, in words."""
    unwanted: Mapping[str, int] = field(default_factory=dict)
    """Messages by the topic, stream or sensor under which they came, although the source does not read these."""
    newest_s: Mapping[str, float] = field(default_factory=dict)
    """The newest time of each sensor that must be paired, on the clock on which they are paired; ``-inf`` before its
    first sample."""
    sensor_hz: Mapping[str, float] = field(default_factory=dict)
    """The measured rate of each sensor that must be paired, where it is known."""
    unpaired: int = 0
    """Samples dropped because another sensor has none of the same time."""
    expected: str = ""
    """What the source reads, for messages: ``topics that begin with KIMU``, ``totalacceleration and gyroscope``."""
    asked_hz: float | None = None
    """The rate that the sensor was asked for; None if it cannot be asked."""
    remarks: tuple[str, ...] = ()
    """What the source assumed or repaired, one line each, with what to do: ``stamps are on another clock: mapped``."""


@runtime_checkable
class Receiving(Protocol):
    """A source that reports what it received."""

    def receptions(self) -> Sequence[Reception]:
        """Return one reception for each link, port or topic; may be called at any time, also before the first."""
        ...
