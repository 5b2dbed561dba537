"""The input and the network that fit a user's own recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, BODY_ACC, GYRO
from kinestream.inference.architecture import feature_sizes
from kinestream.inference.block_kinds import BLOCK_KINDS
from kinestream.inference.presets import PRESETS

from ..recipe.schema import Network, Recipe

MIN_LENGTH = 48
"""Minimum samples in a window: the three layers of a network need that many."""
RATE_HZ = 50.0
"""Approximate rate to which a faster sensor is reduced: body motion has no content above 20 Hz."""
MANY_WINDOWS = 4000
"""Number of windows that justifies a network of full size."""


def input_for(channels: tuple[str, ...], fs_hz: float, window_s: float) -> InputSpec:
    """The model's input: body acceleration, angular rate, then raw acceleration, in the order of UCI-HAR."""
    rate = fs_hz / max(1, round(fs_hz / RATE_HZ))
    columns = [name for names in (BODY_ACC if ACC[0] in channels else (), GYRO, ACC) for name in names]
    length = max(MIN_LENGTH, 4 * round(window_s * rate / 4))
    return InputSpec(
        channels=tuple(name for name in columns if name in channels or name in BODY_ACC),
        fs_hz=rate,
        length=length,
        hop=length // 2,
        max_gap_s=max(0.25, 5 / rate),
        lowpass_hz=20.0 if rate > 45 else None,  # a slower sensor has little above 20 Hz
    )


def network_for(preset: str, base: Recipe, spec: InputSpec, classes: int, windows: int) -> Network:
    """The preset resized to windows of this shape, with half its channels if there are few windows."""
    arch = PRESETS[preset]
    widths = base.network.widths if len(base.network.widths) <= 10 else tuple(n / 10 for n in range(1, 11))
    grid = base.network.resolutions
    shares = [grid[i] / grid[-1] for i in np.unique(np.linspace(0, len(grid) - 1, 5).round().astype(int))]
    resolutions = tuple(sorted({round(share * spec.length) for share in shares}))
    columns = len(spec.channels)
    sizes = {}
    if not BLOCK_KINDS[arch.kind].separable:  # kinet is small enough
        sizes = {"channels": tuple(n // 2 for n in arch.channels)} if windows < MANY_WINDOWS else {}
        if spec.length < 96 and arch.stride[0] > 2:
            sizes |= {"kernel": (5, 1), "stride": (2, 1), "padding": (2, 0)}
    pool_columns = columns if arch.pool[1] == arch.columns else arch.pool[1]
    fitted = replace(arch, columns=columns, length=spec.length, classes=classes, pool=(1, pool_columns), **sizes)
    try:
        last_length = feature_sizes(fitted, resolutions[0])[-1][0]
    except ConfigError as error:
        raise ConfigError(f"network {preset} does not fit these windows ({error}); choose --network uci") from error
    pool = (min(arch.pool[0], last_length), pool_columns)
    return Network(
        preset, widths, resolutions, length=spec.length, columns=columns, classes=classes, pool=pool, **sizes
    )
