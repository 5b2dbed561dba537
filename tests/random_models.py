"""Models with random weights and statistics, to test inference without training."""

from __future__ import annotations

import numpy as np

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, BODY_ACC, GYRO, Subnet
from kinestream.inference import PRESETS, RESOLUTIONS, WIDTHS, Architecture, Model
from kinestream.inference.architecture import parameter_shapes, statistic_shapes

TINY = Architecture("cnn", 3, 40, 4, (6, 1), (2, 1), (1, 0), (2, 3), channels=(8, 12, 16))


def random_model(
    name: str = "tiny",
    architecture: Architecture = TINY,
    widths: tuple[float, ...] = (0.25, 0.5, 1.0),
    resolutions: tuple[int, ...] = (32, 40),
    *,
    seed: int = 0,
) -> Model:
    """A model whose activations stay near one: no class is certain and every weight matters."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for tensor, shape in parameter_shapes(architecture).items():
        spread = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.2
        centre = 1.0 if len(shape) == 1 and tensor.endswith(".weight") else 0.0
        tensors[tensor] = rng.normal(centre, spread, shape).astype(np.float32)
    for tensor, shape in statistic_shapes(architecture, len(widths), len(resolutions)).items():
        values = rng.normal(0, 0.3, shape) if tensor.endswith(".mean") else rng.uniform(0.5, 1.5, shape)
        tensors[tensor] = values.astype(np.float32)
    subnets = [Subnet(width, resolution) for width in widths for resolution in resolutions]
    return Model(
        name=name,
        architecture=architecture,
        labels=tuple(f"activity_{number}" for number in range(architecture.classes)),
        input=InputSpec((*BODY_ACC, *GYRO, *ACC)[-architecture.columns :], 50.0, architecture.length, 20),
        mean=rng.normal(0, 1, architecture.columns).astype(np.float32),
        std=rng.uniform(0.5, 2, architecture.columns).astype(np.float32),
        widths=widths,
        resolutions=resolutions,
        tensors=tensors,
        accuracy=dict(zip(subnets, np.linspace(0.8, 0.97, len(subnets)).round(4).tolist(), strict=True)),
        card={"data": "none: random weights", "limits": ["recognises nothing"]},
    )


def random_preset(preset: str) -> Model:
    """A random model of one of the paper's networks, with all its widths and resolutions."""
    return random_model(preset, PRESETS[preset], WIDTHS, RESOLUTIONS[preset])


def random_windows(model: Model, n: int, *, seed: int = 1) -> np.ndarray:
    """Random (n, length, columns) windows in the model's range."""
    noise = np.random.default_rng(seed).standard_normal((n, model.input.length, len(model.mean)))
    return (model.mean + model.std * noise).astype(np.float32)
