"""The sensor run slower, or without its gyroscope: what the recordings would have been then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.energy import Sensing
from kinestream.errors import ConfigError
from kinestream.input_spec import InputSpec
from kinestream.signals import GYRO, SampleChunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILTER_ORDER = 2
FILTER_SHARE = 0.4
"""A sensor filters before it samples: cut-off as a share of its rate (0.5 would be its Nyquist frequency)."""


class AnyRate(InputSpec):
    """A model's input that takes a slower sensor than the model was made for: what that costs is to be measured."""

    __slots__ = ()

    def check_rate(self, fs_hz: float) -> None:
        """Nothing is refused."""


def any_rate(spec: InputSpec) -> AnyRate:
    """The same input, whatever the rate."""
    return AnyRate(**{name: getattr(spec, name) for name in InputSpec.__dataclass_fields__})


@dataclass(slots=True)
class _Stream:
    session: str
    past: Any
    """The filter's state."""
    seen: int = 0
    """Samples of this session so far."""


@dataclass(slots=True)
class Resensed:
    """Makes chunks as the sensor would have sent them; call it with each in turn.

    Every k-th sample after a causal low-pass; a gyroscope that is off is taken to rest, as a pipeline would fill its
    columns.

    Raises:
        ConfigError: the rate is not a whole fraction of the recording's.
    """

    sensing: Sensing
    _streams: dict[str, _Stream] = field(default_factory=dict)

    def __call__(self, chunk: SampleChunk) -> SampleChunk:
        step = round(chunk.fs_hz / self.sensing.fs_hz)
        if step < 1 or abs(chunk.fs_hz / step - self.sensing.fs_hz) > 0.01 * self.sensing.fs_hz:
            raise ConfigError(
                f"{self.sensing.fs_hz:g} Hz is no whole fraction of the recording's {chunk.fs_hz:g} Hz; "
                f"try {chunk.fs_hz / max(step, 1):g}"
            )
        x = chunk.x
        if not self.sensing.gyro:
            x = x.copy()
            x[:, [column for column, name in enumerate(chunk.channels) if name in GYRO]] = 0.0
        return replace(chunk, x=x) if step == 1 else self._slower(chunk, x, step)

    def _slower(self, chunk: SampleChunk, x: NDArray[np.float32], step: int) -> SampleChunk:
        from scipy.signal import butter, sosfilt, sosfilt_zi

        sos = butter(FILTER_ORDER, 2 * FILTER_SHARE / step, output="sos")
        stream = self._streams.get(chunk.stream)
        if stream is None or stream.session != chunk.session:
            start = sosfilt_zi(sos)[:, :, None] * x[0] if len(x) else None
            stream = self._streams[chunk.stream] = _Stream(chunk.session, start)
        if len(x):
            x, stream.past = sosfilt(sos, x, axis=0, zi=stream.past)
        taken = slice(-stream.seen % step, None, step)
        seq = -(-stream.seen // step)
        stream.seen += len(x)
        return replace(
            chunk,
            t=chunk.t[taken],
            x=x[taken].astype(np.float32),
            fs_hz=chunk.fs_hz / step,
            seq=seq,
            labels=None if chunk.labels is None else chunk.labels[taken],
            t_device=None,
        )
