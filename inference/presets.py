"""Named architectures with their widths and resolutions: the paper's six networks and our own."""

from __future__ import annotations

from .architecture import Architecture

WIDTHS: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(2, 21))
"""The paper's 19 widths, 0.10 to 1.00."""

_UCI = (9, 128, 6, (6, 1), (3, 1), (1, 0), (6, 9))
_WISDM = (3, 200, 6, (3, 3), (2, 2), (1, 1), (25, 1))
_UNIMIB = (3, 151, 17, (6, 1), (2, 1), (1, 0), (5, 3))

PRESETS: dict[str, Architecture] = {
    "uci": Architecture("cnn", *_UCI),
    "wisdm": Architecture("cnn", *_WISDM),
    "unimib": Architecture("cnn", *_UNIMIB),
    "resnet_uci": Architecture("resnet", *_UCI),
    "resnet_wisdm": Architecture("resnet", *_WISDM),
    "resnet_unimib": Architecture("resnet", *_UNIMIB),
    # ONNX Runtime computes channels in blocks of 16, so fewer channels take as long.
    "kinet_uci": Architecture("kinet", 9, 128, 6, (7, 1), (2, 1), (3, 0), (4, 9), (64, 96, 128), divisor=16),
    # Views of acceleration at 20 Hz, for a sensor worn anywhere.
    "joint": Architecture("joint", 10, 80, 7, (5, 1), (2, 1), (2, 0), (4, 1), (32, 64, 96), divisor=8),
}
"""The paper's six networks under the paper's names, and our own two."""

_LENGTHS = {"uci": tuple(range(96, 129, 4)), "wisdm": tuple(range(150, 201, 5)), "unimib": (112, 120, 136, 144, 151)}
RESOLUTIONS: dict[str, tuple[int, ...]] = {
    **_LENGTHS,
    **{f"resnet_{name}": lengths for name, lengths in _LENGTHS.items()},
    "joint": (56, 64, 72, 80),
    "kinet_uci": (64, 96, 128),  # as of a sensor at 25, 37.5 and 50 Hz; fewer samples lose more than they save
}
"""The resolutions of each preset, lowest first; for the paper's six networks, those of the paper."""
