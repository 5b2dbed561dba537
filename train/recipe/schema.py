"""The settings of a training run: one frozen dataclass per TOML table, every value checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kinestream.core.errors import ConfigError
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import Subnet
from kinestream.inference.architecture import Architecture
from kinestream.inference.presets import PRESETS, RESOLUTIONS, WIDTHS

from .data_settings import Data

SIZES = ("length", "columns", "classes", "channels", "kernel", "stride", "padding", "pool")
"""Fields of a preset that a recipe can override."""


@dataclass(frozen=True, slots=True)
class Network:
    """Table ``[network]``: the network to train. Sizes override the preset's; 0 or empty keeps the preset's own.

    >>> Network("uci", widths=(0.5, 1.0), resolutions=(96, 128)).subnets[0]
    Subnet(width=0.5, resolution=96)
    """

    preset: str
    """A key of ``inference.presets.PRESETS``, such as ``uci``."""
    widths: tuple[float, ...] = WIDTHS
    resolutions: tuple[int, ...] = ()
    """Empty: the preset's resolutions in the paper."""
    length: int = 0
    """Samples of a full window."""
    columns: int = 0
    """Sensor columns."""
    classes: int = 0
    channels: tuple[int, ...] = ()
    """Channels of each block."""
    kernel: tuple[int, ...] = ()
    """A (time, columns) pair, as are the next three."""
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    pool: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ConfigError(f"network preset '{self.preset}' is unknown; choose from {', '.join(PRESETS)}")
        if not self.resolutions:
            object.__setattr__(self, "resolutions", RESOLUTIONS[self.preset])
        if self.widths != tuple(sorted(set(self.widths))) or not 0 < min(self.widths, default=0) <= max(self.widths):
            raise ConfigError(f"widths {list(self.widths)}: expected ascending shares between 0 and 1")
        if any(round(width, 2) != width for width in self.widths):
            raise ConfigError(f"widths {list(self.widths)}: expected at most two decimals, as a subnetwork's name has")
        if self.resolutions != tuple(sorted(set(self.resolutions))) or min(self.resolutions) < 1:
            raise ConfigError(f"resolutions {list(self.resolutions)}: expected ascending numbers of samples")
        if self.widths[-1] != 1.0 or self.resolutions[-1] != self.architecture.length:
            raise ConfigError(
                f"widths end with {self.widths[-1]:g}, resolutions with {self.resolutions[-1]}; expected 1.0 and the "
                f"length of the full network, {self.architecture.length}: correct them, or set length in [network]"
            )

    @property
    def architecture(self) -> Architecture:
        return replace(PRESETS[self.preset], **{name: size for name in SIZES if (size := getattr(self, name))})

    @property
    def full(self) -> Subnet:
        return Subnet(self.widths[-1], self.resolutions[-1])

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        return tuple(Subnet(width, resolution) for width in self.widths for resolution in self.resolutions)


@dataclass(frozen=True, slots=True)
class Training:
    """Table ``[training]``: the optimisation of the weights.

    >>> Training(optimizer="adam", weight_decay=0.0, learning_rate=1e-4).schedule
    'one_cycle'
    """

    epochs: int = 30
    batch_size: int = 128
    draw: str = "windows"
    """Which windows an epoch draws: ``windows`` (each at most once, as they come), or ``datasets`` (of every pair of
    dataset and class that has any, equally many)."""
    epoch_windows: int = 0
    """Windows drawn per epoch, rounded to whole batches. 0: as many as the model's hop would cut."""
    passes: int = 4
    """Forward and backward passes per step: the teacher, the thinnest, the widest, and random students. Two: the
    teacher and one random student."""
    distillation: float = 0.5
    """Weight of the divergence from the teacher in a student's loss; the rest is the loss against the labels."""
    divergence: str = "kl"
    """Divergence from the teacher: ``kl``, or ``alpha`` (the larger of two, see ``fit/distillation.py``)."""
    teacher: str = "full"
    """Teacher of the thinner students: ``full``, or ``ensemble`` (the mean of a step's passes at full width)."""
    label_smoothing: float = 0.0
    class_weights: str = "equal"
    """Weights in cross entropy: ``equal``, or ``balanced`` (inverse to a class's share of the training windows)."""
    optimizer: str = "adamw"
    """``adam`` or ``adamw``."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    """Weight decay of convolutions and linear layer; must be 0 with ``adam``."""
    schedule: str = "one_cycle"
    """``one_cycle``: up and down a cosine; ``cosine``: down only; ``milestones``: x0.1 at each of ``milestones``."""
    warmup_share: float = 0.2
    """Share of the steps during which ``one_cycle`` rises."""
    milestones: tuple[int, ...] = ()
    """Epochs at which the ``milestones`` schedule lowers the learning rate."""
    ema_decay: float = 0.0
    """Decay of the exponential moving average over the steps, which gives the exported weights; 0: the last weights."""
    patience: int = 0
    """Epochs without a better macro-F1 on the validation people (mean of the widest and the thinnest subnetwork) before
    training stops and exports the best epoch's weights. 0: run all epochs and export the last weights."""
    statistics_windows: int = 2048
    """Training windows for the final batch-norm statistics."""
    precision: str = "bfloat16"
    """``bfloat16`` (autocast, if the processor supports it) or ``float32``; evaluation always uses float32."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "statistics_windows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.passes < 2 or self.patience < 0:
            raise ConfigError(f"passes is {self.passes}, patience {self.patience}; expected at least 2 and at least 0")
        if self.epoch_windows < 0:
            raise ConfigError(f"epoch_windows is {self.epoch_windows}; expected at least 0")
        for name in ("distillation", "label_smoothing", "warmup_share", "ema_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 to 1")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise ConfigError(
                f"learning_rate is {self.learning_rate}, weight_decay {self.weight_decay}; "
                "learning_rate must be positive and weight_decay not negative"
            )
        choices = {
            "optimizer": ("adam", "adamw"),
            "schedule": ("one_cycle", "cosine", "milestones"),
            "precision": ("bfloat16", "float32"),
            "divergence": ("kl", "alpha"),
            "teacher": ("full", "ensemble"),
            "class_weights": ("equal", "balanced"),
            "draw": ("windows", "datasets"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is '{getattr(self, name)}'; choose from {', '.join(known)}")
        if self.draw == "datasets" and self.class_weights == "balanced":
            raise ConfigError(
                "draw is 'datasets' and class_weights 'balanced': rare classes would be favoured twice; choose one"
            )
        if self.optimizer == "adam" and self.weight_decay:
            raise ConfigError("optimizer adam takes no weight_decay here; set it to 0 or choose adamw")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Table ``[augmentation]``: random changes of each training window; 0 switches a change off.

    >>> Augmentation(rotation_deg=8.0, jitter=0.05).any_rotation
    0.0
    """

    rotation_deg: float = 0.0
    """Standard deviation of a rotation about a random axis: the sensor worn askew. The same for all triads."""
    any_rotation: float = 0.0
    """Share of windows turned by a uniformly drawn rotation: the sensor loose in a pocket or bag."""
    axis_turn: float = 0.0
    """Share of windows turned by one of the 24 rotations that map axes to axes: the sensor mounted another way."""
    rate: float = 0.0
    """Largest relative reduction of the sampling rate: a window is sampled at a random rate between (1 - ``rate``) and
    1 of the model's and interpolated linearly to the model's grid, like a slower sensor live."""
    scale: float = 0.0
    """Standard deviation of a random gain per column around 1, after normalisation."""
    jitter: float = 0.0
    """Standard deviation of white noise, after normalisation."""
    gain: float = 0.0
    """Standard deviation of a gain of acceleration around 1: another accelerometer. This and the next three are for
    inputs with ``VIEW_CHANNELS``."""
    offset: float = 0.0
    """Standard deviation in m/s^2 of an offset of each axis of acceleration."""
    up_error_deg: float = 0.0
    """Standard deviation of the error of the direction of up."""
    up_dropped: float = 0.0
    """Share of windows for which the direction of up is unknown, as in a wearer's first seconds."""

    def __post_init__(self) -> None:
        for name in ("rotation_deg", "scale", "jitter", "gain", "offset", "up_error_deg"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; a standard deviation cannot be negative")
        for name in ("any_rotation", "axis_turn", "up_dropped", "rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a share from 0 to 1")
        if self.rate == 1:
            raise ConfigError("rate is 1; expected below 1: a sensor at rate 0 measures nothing")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All settings of a training run: the same recipe and data give the same weights on the same machine.

    >>> from kinestream.train import load_recipe
    >>> recipe = load_recipe("uci")
    >>> recipe.name, recipe.train_hop, replace(recipe, seed=1).seed
    ('uci_cnn', 32, 1)
    """

    name: str
    """The model's name."""
    network: Network
    data: Data
    input: InputSpec
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.seed, self.data.split_seed) < 0:
            raise ConfigError(f"seed is {self.seed}, split_seed {self.data.split_seed}; expected at least 0")
        arch = self.network.architecture
        if (self.input.length, len(self.input.channels)) != (arch.length, arch.columns):
            raise ConfigError(
                f"the input is {self.input.length} samples x {len(self.input.channels)} channels; the network "
                f"{self.network.preset} reads {arch.length} x {arch.columns}; change [input] or [network]"
            )
        if len(self.data.labels) != arch.classes:
            raise ConfigError(
                f"the recipe has {len(self.data.labels)} labels; the network {self.network.preset} has {arch.classes} "
                "classes; change labels in [data] or classes in [network]"
            )
        if self.data.needs_up and not self.input.has_views:
            raise ConfigError(
                f"needs_up names {', '.join(self.data.needs_up)}, but the channels of [input] do not show up; leave "
                "needs_up out, or read upright_* and upright_known"
            )

    @property
    def train_hop(self) -> int:
        return self.data.train_hop or self.input.hop
