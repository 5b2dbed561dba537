"""What a training run is made of: one frozen dataclass per TOML table, every key checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kinestream.core.errors import ConfigError
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import Subnet
from kinestream.inference.architecture import PRESETS, RESOLUTIONS, WIDTHS, Architecture

OWN_RECORDINGS = "own recordings"
"""The dataset of a recipe made for somebody's own files, which have to be named again by who uses it again."""
SIZES = ("length", "columns", "classes", "channels", "kernel", "stride", "padding", "pool")
"""What of a preset a recipe may change."""

PROTOCOL_NAMES = ("official", "holdout", "groups", "loso", "named", "blocks", "leaky")
"""What ``train.protocols`` knows; a test keeps the two the same."""


@dataclass(frozen=True, slots=True)
class Network:
    """Table ``[network]``: what is trained. A preset may be given other sizes; 0 or empty keeps the preset's own."""

    preset: str
    """One of the paper's networks: a key of ``inference.architecture.PRESETS``."""
    widths: tuple[float, ...] = WIDTHS
    resolutions: tuple[int, ...] = ()
    """Empty: those the paper gives the preset."""
    length: int = 0
    """Samples of a full window."""
    columns: int = 0
    """Sensor columns."""
    classes: int = 0
    channels: tuple[int, ...] = ()
    """Of each block."""
    kernel: tuple[int, ...] = ()
    """This and the next three: (time, columns) pairs."""
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
        if self.resolutions != tuple(sorted(set(self.resolutions))) or min(self.resolutions) < 1:
            raise ConfigError(f"resolutions {list(self.resolutions)}: expected ascending numbers of samples")
        if self.widths[-1] != 1.0 or self.resolutions[-1] != self.architecture.length:
            raise ConfigError(
                f"the last width must be 1.0, the last resolution {self.architecture.length}: the teacher's"
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
class Data:
    """Table ``[data]``: who is trained on, and what is recognised."""

    dataset: str
    """A dataset's name, or several: ``hapt + wisdm2019-phone``. The people and recordings of several datasets
    are called by their dataset too: ``hapt/1``."""
    labels: tuple[str, ...]
    """The classes, in the model's order; windows of other activities are left out and counted."""
    description: str
    """What the data is, for the card."""
    terms: str
    """The data's terms of use, for the card."""
    limits: tuple[str, ...] = ()
    """What the model must not be trusted with, for the card."""
    label_map: dict[str, dict[str, str]] = field(default_factory=dict)
    """Table ``[data.label_map.DATASET]``: what the dataset calls an activity = the class it belongs to. An activity
    that bears a class's name need not be mentioned."""
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Table ``[data.groups]``: coarser classes and the labels each is made of; a group's probability is their sum."""
    test_subjects: tuple[str, ...] = ()
    """Never trained or validated on. A dataset without any named: ``test_share`` of its people, drawn with
    ``split_seed``."""
    test_share: float = 0.3
    validation_subjects: int = 4
    """How many of each dataset's training people are set aside, drawn with ``split_seed``."""
    validate_on: tuple[str, ...] = ()
    """Who validates, by name, in the protocol ``named``."""
    split_seed: int = 0
    protocol: str = ""
    """A key of ``train.protocols.PROTOCOLS``. Empty: ``official`` where the dataset's own test people are named, else
    ``holdout``."""
    fold: int = 1
    """Which of the protocol's folds, from 1."""
    validation_share: float = 0.2
    """Share of a fold's training people who validate, in the protocols ``groups`` and ``loso``; of each activity's
    windows, in ``blocks``."""
    train_hop: int = 0
    """Samples between the starts of two training windows: fewer than the model's hop give more to draw from.
    0: the model's hop."""

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ConfigError(f"labels {list(self.labels)}: expected at least two, each once")
        if self.protocol not in ("", *PROTOCOL_NAMES):
            raise ConfigError(f"protocol '{self.protocol}' is unknown; choose from {', '.join(PROTOCOL_NAMES)}")
        if self.fold < 1 or not 0 < self.validation_share < 1:
            raise ConfigError("fold must be at least 1, validation_share lie between 0 and 1")
        if not 0 < self.test_share < 1 or self.validation_subjects < 1 or self.train_hop < 0:
            raise ConfigError(
                "test_share must lie between 0 and 1, validation_subjects be at least 1, train_hop at least 0"
            )
        if not all(self.datasets) or len(set(self.datasets)) != len(self.datasets):
            raise ConfigError(f"dataset '{self.dataset}': expected a name, or different names with ' + ' between them")
        for dataset, names in self.label_map.items():
            if dataset not in self.datasets:
                raise ConfigError(f"label_map names '{dataset}'; the recipe's data is {', '.join(self.datasets)}")
            if wrong := [name for name in names.values() if name not in self.labels]:
                raise ConfigError(f"label_map.{dataset} leads to '{wrong[0]}', which is none of the recipe's labels")

        members = sorted(label for labels in self.groups.values() for label in labels)
        if self.groups and members != sorted(self.labels):
            raise ConfigError(f"groups hold {', '.join(members)}; expected each of the recipe's labels once")

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.dataset.split(" + "))


@dataclass(frozen=True, slots=True)
class Training:
    """Table ``[training]``: how the weights are found."""

    epochs: int = 30
    batch_size: int = 128
    passes: int = 4
    """Forward and backward passes of one step: the teacher, the thinnest, the widest, and random students. Two: the
    teacher and one random student."""
    distillation: float = 0.5
    """Share of the teacher's opinion in a student's loss; the rest is the labels."""
    divergence: str = "kl"
    """From the teacher's opinion: ``kl``, or ``alpha`` (the larger of two, see ``train.distillation``)."""
    teacher: str = "full"
    """Of the thinner students: ``full``, or ``ensemble`` (the mean of a step's passes at full width)."""
    label_smoothing: float = 0.0
    class_weights: str = "equal"
    """In cross entropy: ``equal``, or ``balanced``: the inverse of a class's share of the training windows."""
    optimizer: str = "adamw"
    """``adam`` or ``adamw``."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    """Of convolutions and linear layer; with ``adam`` it must be 0."""
    schedule: str = "one_cycle"
    """``one_cycle``: up and down a cosine; ``cosine``: down only; ``milestones``: x0.1 at each of ``milestones``."""
    warmup_share: float = 0.2
    """Share of the steps in which ``one_cycle`` rises."""
    milestones: tuple[int, ...] = ()
    """Epochs."""
    ema_decay: float = 0.0
    """The exported weights are an exponential moving average over the steps; 0: the last weights."""
    patience: int = 0
    """Epochs without a better macro-F1 on the validation people, in the mean of the widest and the thinnest subnetwork,
    after which training stops; the best epoch's weights are exported. 0: all epochs, and the last one's weights."""
    statistics_windows: int = 2048
    """Training windows over which batch-norm statistics are taken in the end."""
    precision: str = "bfloat16"
    """``bfloat16`` (autocast, where the processor has it) or ``float32``; evaluation is always float32."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "statistics_windows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.passes < 2 or self.patience < 0:
            raise ConfigError(f"passes is {self.passes}, patience {self.patience}; expected at least 2 and at least 0")
        for name in ("distillation", "label_smoothing", "warmup_share", "ema_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 to 1")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise ConfigError("learning_rate must be positive and weight_decay not negative")
        choices = {
            "optimizer": ("adam", "adamw"),
            "schedule": ("one_cycle", "cosine", "milestones"),
            "precision": ("bfloat16", "float32"),
            "divergence": ("kl", "alpha"),
            "teacher": ("full", "ensemble"),
            "class_weights": ("equal", "balanced"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is '{getattr(self, name)}'; choose from {', '.join(known)}")
        if self.optimizer == "adam" and self.weight_decay:
            raise ConfigError("optimizer adam takes no weight_decay here; set it to 0 or choose adamw")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Table ``[augmentation]``: what each training window is changed by; 0 switches one off."""

    rotation_deg: float = 0.0
    """Standard deviation of a turn about a random axis: the sensor worn askew. The same for all triads."""
    any_rotation: float = 0.0
    """Share of windows turned by a rotation drawn evenly from all there are: the sensor loose in a pocket or bag."""
    axis_turn: float = 0.0
    """Share of windows turned by one of the 24 rotations that lead axes onto axes: the sensor put in another way."""
    rate: float = 0.0
    """Share of a window's sampling rate that may be missing: it is read at a random rate from (1 - ``rate``) of the
    model's up to all of it, and laid on the model's grid by straight lines, as a slower sensor is live."""
    scale: float = 0.0
    """Standard deviation of a factor per column around 1, after normalisation."""
    jitter: float = 0.0
    """Standard deviation of white noise, after normalisation."""

    def __post_init__(self) -> None:
        if min(self.rotation_deg, self.scale, self.jitter) < 0:
            raise ConfigError("augmentation strengths are standard deviations; they cannot be negative")
        if not (0 <= self.any_rotation <= 1 and 0 <= self.axis_turn <= 1 and 0 <= self.rate < 1):
            raise ConfigError("any_rotation and axis_turn are shares from 0 to 1; rate is one below 1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run, but for its seed's luck: the same recipe and data give the same weights on one machine."""

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
                f"input of {self.input.length} x {len(self.input.channels)}; "
                f"the network {self.network.preset} reads {arch.length} x {arch.columns}"
            )
        if len(self.data.labels) != arch.classes:
            raise ConfigError(f"{len(self.data.labels)} labels; the network {self.network.preset} tells {arch.classes}")

    @property
    def train_hop(self) -> int:
        return self.data.train_hop or self.input.hop
