"""What the values of a stream show of its sensor: gravity, unit, stuck or slow gyroscope, NaN. Causal and cheap."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY

from .turning import NO_TURNING, TurnWatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import SampleChunk

    from .turning import Turning

    Floats = NDArray[np.float64]

BLOCK_S = 2.0
"""Length of a block: over 2 s, the mean acceleration is gravity, while resting and while walking."""
BLOCKS = 15
"""Blocks that the figures rest on."""
CALM, CALM_BLOCKS = 0.15, 2
"""Spread of the acceleration, as a share of its mean, up to which a block counts as calm; and how many are needed."""
MOVES = 0.1
"""Spread of the acceleration, as a share of its mean, from which on a gyroscope must notice."""
TURNS = 0.05
"""rad/s: a gyroscope whose rates spread by less may repeat a coarse value."""
PREDICTED = 1e-3
"""A sample this near to its predecessors' line, as a share of the block's spread, adds nothing to them."""
HOLE_S = 0.5
"""A longer hole interrupts a movement."""


@dataclass(frozen=True, slots=True)
class SignalFigures:
    """What the values of one stream show, over the last half minute.

    >>> SignalFigures(blocks=4, gravity=9.79).moved_blocks
    0
    """

    blocks: int = 0
    """Blocks of 2 s that the figures rest on."""
    gravity: float | None = None
    """The norm of the mean acceleration over 2 s, in the median block; None without an accelerometer."""
    spread: float = 0.0
    """The spread of the acceleration, in the median block."""
    rest_gravity: float | None = None
    """As ``gravity``, over the blocks in which the sensor is calm; None while there are fewer than ``CALM_BLOCKS``."""
    moved_blocks: int = 0
    """Blocks in which the acceleration shows movement."""
    not_finite: float = 0.0
    """Share of samples with NaN or infinite values, since the start."""
    gyro_still_blocks: int = 0
    """Blocks with movement in which the gyroscope repeated one value throughout."""
    gyro_zero: bool = False
    """Whether that value is 0."""
    gyro_peak: float = 0.0
    """The highest angular rate of one axis."""
    gyro_news: float | None = None
    """Share of samples with which the gyroscope says something new, in the median block in which it turned: low where a
    slow gyroscope is repeated or interpolated. None: not known."""
    turning: Turning = NO_TURNING


NO_SIGNAL = SignalFigures()
"""Nothing is known of the values yet."""


class SignalWatch:
    """Follows the values of one stream.

    >>> from kinestream.replay_data import Wearer
    >>> watch = SignalWatch()
    >>> for _, chunk in Wearer(seed=1, duration_s=10).packets():
    ...     watch.push(chunk)
    >>> round(watch.figures().gravity)
    10
    """

    def __init__(self) -> None:
        self._chunks: list[SampleChunk] = []
        self._held = 0
        self._samples = self._not_finite = 0
        self._blocks: deque[_Block] = deque(maxlen=BLOCKS)
        self._turn: TurnWatch | None = None
        self._figures: SignalFigures | None = NO_SIGNAL

    def push(self, chunk: SampleChunk) -> None:
        """Take the stream's next chunk."""
        if not len(chunk):
            return
        first = self._chunks[0] if self._chunks else None
        if first is not None and (first.session != chunk.session or first.channels != chunk.channels):
            self._restart()
        self._chunks.append(chunk)
        self._held += len(chunk)
        if self._held >= BLOCK_S * chunk.fs_hz:
            self._work()

    def figures(self) -> SignalFigures:
        """Return what the values show so far."""
        if self._figures is None:
            self._figures = self._summarised()
        return self._figures

    def _restart(self) -> None:
        self._chunks, self._held = [], 0
        if self._turn:
            self._turn.break_off()

    def _work(self) -> None:
        chunks, n = self._chunks, self._held
        self._chunks, self._held, self._figures = [], 0, None
        x = np.concatenate([chunk.x for chunk in chunks]).astype(np.float64)
        t = np.concatenate([chunk.t for chunk in chunks])
        names, fs_hz = chunks[0].channels, chunks[0].fs_hz
        self._samples += n
        if not np.isfinite(x).all():
            self._not_finite += n - int(np.isfinite(x).all(axis=1).sum())
            if self._turn:
                self._turn.break_off()
            return
        acc, gyro = _columns(x, names, ACC), _columns(x, names, GYRO)
        if acc is None:
            return
        block = _Block.of(acc, gyro)
        self._blocks.append(block)
        if gyro is None:
            return
        if self._turn is None:
            self._turn = TurnWatch(fs_hz)
        span_s = float(t[-1] - t[0]) * n / max(1, n - 1)
        if not span_s > 0 or np.diff(t).max(initial=0.0) > HOLE_S:
            self._turn.break_off()
        else:
            self._turn.push(acc, gyro, span_s)

    def _summarised(self) -> SignalFigures:
        share = self._not_finite / self._samples if self._samples else 0.0
        blocks = list(self._blocks)
        if not blocks:
            return SignalFigures(not_finite=share)
        calm = [block.gravity for block in blocks if block.spread < CALM * block.gravity]
        moved = [block for block in blocks if block.moved]
        still = [block for block in moved if block.gyro_still]
        news = [block.gyro_news for block in blocks if block.gyro_news is not None]
        return SignalFigures(
            blocks=len(blocks),
            gravity=float(np.median([block.gravity for block in blocks])),
            spread=float(np.median([block.spread for block in blocks])),
            rest_gravity=float(np.median(calm)) if len(calm) >= CALM_BLOCKS else None,
            moved_blocks=len(moved),
            not_finite=share,
            gyro_still_blocks=len(still),
            gyro_zero=all(block.gyro_peak == 0 for block in still),
            gyro_peak=max(block.gyro_peak for block in blocks),
            gyro_news=float(np.median(news)) if news else None,
            turning=self._turn.turning() if self._turn else NO_TURNING,
        )


def _columns(x: Floats, names: tuple[str, ...], family: tuple[str, ...]) -> Floats | None:
    if names[: len(family)] == family:
        return x[:, : len(family)]
    if not set(family) <= set(names):
        return None
    return x[:, [names.index(name) for name in family]]


@dataclass(frozen=True, slots=True)
class _Block:
    """What 2 s of samples show."""

    gravity: float
    spread: float
    moved: bool
    gyro_still: bool
    gyro_peak: float
    gyro_news: float | None

    @classmethod
    def of(cls, acc: Floats, gyro: Floats | None) -> _Block:
        gravity = float(np.linalg.norm(acc.mean(axis=0)))
        spread = float(np.sqrt(acc.var(axis=0).sum()))
        moved = spread > MOVES * max(gravity, 0.1 * STANDARD_GRAVITY)
        if gyro is None:
            return cls(gravity, spread, moved, False, 0.0, None)
        still = bool((gyro == gyro[0]).all())
        return cls(gravity, spread, moved, still, float(np.abs(gyro).max()), None if still else _news(gyro))


def _news(gyro: Floats) -> float | None:
    """The share of samples that neither repeat the one before nor lie on the line through the two before."""
    spread = float(np.sqrt(gyro.var(axis=0).sum()))
    if spread < TURNS or len(gyro) < 3:
        return None
    near = PREDICTED * spread
    steps = np.abs(np.diff(gyro, axis=0)).max(axis=1)[1:]
    bends = np.abs(np.diff(gyro, n=2, axis=0)).max(axis=1)
    return float(((steps > near) & (bends > near)).mean())
