"""The input of a model: stored in its file, and obeyed by windowing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import ConfigError, InputMismatch
from .signals import ACC, AXES, BODY_ACC, CHANNEL_UNITS, GRAVITY, GYRO, Sensing

CLIPPED_ACC = tuple(f"clipped_acc_{axis}" for axis in AXES)
UPRIGHT_ACC = tuple(f"upright_acc_{axis}" for axis in AXES)
UPRIGHT_GYRO = tuple(f"upright_gyro_{axis}" for axis in AXES)
UPRIGHT_KNOWN = "upright_known"
OWN_ACC = ("vertical_acc", "horizontal_acc", "norm_acc")
VIEW_CHANNELS = (*CLIPPED_ACC, *UPRIGHT_ACC, *UPRIGHT_GYRO, UPRIGHT_KNOWN, *OWN_ACC)
"""Columns made of a whole window, independent of how the sensor is turned: ``windowing/views.py`` defines them. They
are made of ``acc_*`` and ``gyro_*``; no source offers them."""

MIN_RATE_SHARE = 0.8
"""Least share of the model's rate that a sensor must reach: clocks differ, and a 40 Hz watch still shows a gait."""

CLOCK_TOLERANCE = 0.02
"""Share by which cheap clocks are off: what a sensor keeps may be this much below what it announces."""

STEADY_SHARE = 0.8
"""Largest distance of samples as a share of the longest bridged gap; the rest is a margin for jitter."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input of a model: channels, rate, window and filters. Training and live runs share it.

    Raises:
        ConfigError: a value is not possible.

    >>> spec = InputSpec(ACC, fs_hz=50.0, length=128, hop=64)
    >>> spec.window_s, spec.hop_s
    (2.56, 1.28)
    """

    channels: tuple[str, ...]
    """The network's columns in order. ``body_acc_*``, ``gravity_*`` and ``VIEW_CHANNELS`` are derived from others."""
    fs_hz: float
    """Rate of the uniform grid on which windows lie."""
    length: int
    """Samples in a window at full resolution."""
    hop: int
    """Samples between the starts of two windows."""
    max_gap_s: float = 0.25
    """Longest gap that is interpolated; no window spans a longer one."""
    lowpass_hz: float | None = 20.0
    """Cut-off of the causal 3rd-order Butterworth noise filter on all channels; None for no filter."""
    gravity_hz: float = 0.3
    """Cut-off of the causal 3rd-order Butterworth filter that separates gravity from body acceleration."""

    def __post_init__(self) -> None:
        known = (*CHANNEL_UNITS, *VIEW_CHANNELS)
        unknown = [name for name in self.channels if name not in known]
        if unknown or not self.channels or len(set(self.channels)) != len(self.channels):
            raise ConfigError(f"input channels {list(self.channels)}: each once, out of {', '.join(known)}")
        if not (math.isfinite(self.fs_hz) and self.fs_hz > 0):
            raise ConfigError(f"fs_hz is {self.fs_hz}; expected a positive rate in Hz")
        if not 1 <= self.hop <= self.length:
            raise ConfigError(f"hop {self.hop} must lie between 1 and the window's {self.length} samples")
        if not 1 / self.fs_hz <= self.max_gap_s <= self.window_s:
            raise ConfigError(
                f"max_gap_s {self.max_gap_s:g} must lie between one sample, {1 / self.fs_hz:g} s, "
                f"and one window, {self.window_s:g} s"
            )
        if self.lowpass_hz is not None and not 0 < self.lowpass_hz < self.fs_hz / 2:
            raise ConfigError(f"lowpass_hz {self.lowpass_hz} must lie between 0 and half of {self.fs_hz} Hz")
        if not 0 < self.gravity_hz < self.fs_hz / 2:
            raise ConfigError(f"gravity_hz {self.gravity_hz} must lie between 0 and half of {self.fs_hz} Hz")

    @property
    def has_views(self) -> bool:
        """Whether some columns are made of whole windows."""
        return not set(VIEW_CHANNELS).isdisjoint(self.channels)

    @property
    def stream_channels(self) -> tuple[str, ...]:
        """The columns made sample by sample, before any window is cut: all of them, unless there are views.

        >>> InputSpec(("norm_acc",), 20.0, 80, 40, lowpass_hz=None).stream_channels
        ('acc_x', 'acc_y', 'acc_z')
        """
        if not self.has_views:
            return self.channels
        gyro = () if set(UPRIGHT_GYRO).isdisjoint(self.channels) else GYRO
        own = (name for name in self.channels if name not in VIEW_CHANNELS)
        return tuple(dict.fromkeys((*ACC, *gyro, *own)))

    @property
    def reads_acc(self) -> bool:
        """Whether the three axes of the accelerometer are made sample by sample, so that up can be found."""
        return set(ACC) <= set(self.stream_channels)

    @property
    def reads_sensor_axes(self) -> bool:
        """Whether the network reads acceleration in the sensor's axes, and no view that undoes a turn of the sensor."""
        return self.reads_acc and not self.has_views

    @property
    def window_s(self) -> float:
        return self.length / self.fs_hz

    @property
    def hop_s(self) -> float:
        return self.hop / self.fs_hz

    def bearable(self, sensing: Sensing) -> Sensing:
        """Return ``sensing``, with its rate raised to the lowest at which windows can be cut.

        Below that rate, all distances between samples would count as gaps.

        >>> InputSpec(ACC, 50.0, 128, 64).bearable(Sensing(1.0))
        Sensing(fs_hz=5.0, gyro=True)
        """
        slowest_hz = 1 / (STEADY_SHARE * self.max_gap_s)
        return sensing if sensing.fs_hz >= slowest_hz else Sensing(slowest_hz, sensing.gyro)

    def check_rate(self, fs_hz: float) -> None:
        """Check that a source is fast enough for the motion that the model was trained on.

        Raises:
            InputMismatch: the rate is below ``MIN_RATE_SHARE`` of the model's.
        """
        if not fs_hz >= MIN_RATE_SHARE * self.fs_hz:
            raise InputMismatch(
                f"the model reads {self.fs_hz:g} Hz, the source offers {fs_hz:g} Hz, which carries no motion above "
                f"{fs_hz / 2:g} Hz; choose a model made for this rate, "
                f"or sample at {MIN_RATE_SHARE * self.fs_hz:g} Hz or more"
            )

    def needed_from(self, available: tuple[str, ...]) -> tuple[str, ...]:
        """Return the source channels from which every network column can be made, in order.

        A column that the source has itself is used directly (UCI-HAR has ``body_acc_*``); otherwise body acceleration
        and gravity are derived from ``acc_*``.

        Raises:
            InputMismatch: the source lacks a channel.

        >>> InputSpec(BODY_ACC, 50.0, 128, 64).needed_from(ACC)
        ('acc_x', 'acc_y', 'acc_z')
        """
        wanted: list[str] = []
        for name in self.stream_channels:
            if name in available:
                wanted.append(name)
            elif name in BODY_ACC:
                wanted.append(ACC[BODY_ACC.index(name)])
            elif name in GRAVITY:
                wanted.append(ACC[GRAVITY.index(name)])
            else:
                wanted.append(name)
        needed = tuple(dict.fromkeys(wanted))
        missing = [name for name in needed if name not in available]
        if missing:
            raise InputMismatch(
                f"the model needs {', '.join(missing)}, the source offers {', '.join(available) or 'nothing'}; "
                "choose a model made for this sensor (kinestream models list), or name a file's columns with --columns"
            )
        return needed
