"""Limits of a network, checked before anything is allocated: a model file can come from anybody.

They are far above any network for wearable sensors: the largest bundled model has 44 million multiply-accumulates,
0.84 million weights and 171 subnetworks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from .architecture import Architecture
    from .layers import Block, Pair

LARGEST = {
    "columns": 256,
    "length": 20_000,
    "classes": 1_000,
    "divisor": 4_096,
    "depth": 64,
    "kernel": 1_024,
    "stride": 1_024,
    "padding": 1_024,
    "pool": 1_024,
    "channels": 4_096,
}
"""Largest value of each size of an architecture."""
MAX_STAGES = 64
"""Largest number of entries of ``channels``."""
MAX_WEIGHTS = 50_000_000
MAX_MACS = 5_000_000_000
"""Multiply-accumulates of the full network for one window: seconds on one core."""
MAX_MAP = 50_000_000
"""Values of the largest feature map: 200 MB."""
MAX_SUBNETS = 2_000
MAX_STATISTICS = 50_000_000
"""Batch-norm statistics of all subnetworks together."""
MAX_MAGNITUDE = 1e9
"""Largest absolute value of a weight or statistic: the products of larger ones overflow."""
MIN_STD = 1e-9
"""Least scale of an input column."""
MAX_FILE_BYTES = 512 << 20
"""Above what the limits on weights and statistics allow together with the header."""
MAX_LABEL_LENGTH = 200


def check_sizes(arch: Architecture) -> None:
    """Check every size of an architecture by itself.

    Raises:
        ConfigError: a size is beyond its limit; the message has both.
    """
    if len(arch.channels) > MAX_STAGES:
        raise ConfigError(f"a network of {len(arch.channels)} stages, expected at most {MAX_STAGES}")
    for name, largest in LARGEST.items():
        value = getattr(arch, name)
        found = max(value) if isinstance(value, tuple) else value
        if found > largest:
            raise ConfigError(f"network {name} {_number(found)}, expected at most {largest}")
    for padding, kernel in zip(arch.padding, arch.kernel, strict=True):
        if padding > kernel:
            raise ConfigError(f"network padding {padding}, expected at most the kernel's size {kernel}")


def check_network(blocks: Iterable[Block], sizes: Iterable[Pair], macs: int, weights: int) -> None:
    """Check what a network of these blocks and feature maps needs.

    Raises:
        ConfigError: it is beyond a limit; the message has both.
    """
    maps = (math.prod(size) * block.main[-1].out_channels for size, block in zip(sizes, blocks, strict=True))
    for what, found, largest in (
        ("weights", weights, MAX_WEIGHTS),
        ("multiply-accumulates for a window", macs, MAX_MACS),
        ("values in a feature map", max(maps, default=0), MAX_MAP),
    ):
        if found > largest:
            raise ConfigError(f"a network with {_number(found)} {what}, expected at most {largest}")


def check_subnets(n_widths: int, n_resolutions: int, channels: int) -> None:
    """Check the number of subnetworks and of their statistics.

    Args:
        channels: of all batch norms together, at full width.
    Raises:
        ConfigError: a number is beyond its limit; the message has both.
    """
    subnets = n_widths * n_resolutions
    if subnets > MAX_SUBNETS:
        raise ConfigError(f"{subnets} subnetworks, expected at most {MAX_SUBNETS}")
    if subnets * channels > MAX_STATISTICS:
        raise ConfigError(f"{subnets * channels} statistics of subnetworks, expected at most {MAX_STATISTICS}")


def _number(value: int) -> str:
    return str(value) if value < 10**15 else "of more than 15 digits"
