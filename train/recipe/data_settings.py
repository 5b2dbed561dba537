"""The recipe's table ``[data]``: datasets, classes and the split of people."""

from __future__ import annotations

from dataclasses import dataclass, field

from kinestream.core.errors import ConfigError

from .protocol_names import PROTOCOL_NAMES

OWN_RECORDINGS = "own recordings"
"""Dataset name of a recipe made for a user's own files; the recipe does not store their paths."""


@dataclass(frozen=True, slots=True)
class Data:
    """Table ``[data]``: the people to train on and the classes to recognise.

    >>> Data("hapt + wisdm2019-phone", ("walking", "sitting"), "two datasets", "cite both").datasets
    ('hapt', 'wisdm2019-phone')
    """

    dataset: str
    """A dataset's name, or several joined by ``+``: ``hapt + wisdm2019-phone``. Several datasets prefix the names of
    their people and recordings: ``hapt/1``."""
    labels: tuple[str, ...]
    """The classes, in the model's order; windows of other activities are left out and counted."""
    description: str
    """Description of the data, for the card."""
    terms: str
    """Terms of use of the data, for the card."""
    limits: tuple[str, ...] = ()
    """Known limits of the model, for the card."""
    label_map: dict[str, dict[str, str]] = field(default_factory=dict)
    """Table ``[data.label_map.DATASET]``: the dataset's name of an activity = the class it belongs to. Activities named
    like their class can be omitted; an empty class leaves the activity of this dataset out."""
    needs_up: tuple[str, ...] = ()
    """The labels that only the direction of up tells apart: shown as one, ``still``, until the wearer has walked."""
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Table ``[data.groups]``: coarser classes and their labels; a group's probability is the sum over its labels."""
    test_subjects: tuple[str, ...] = ()
    """People never trained or validated on. A dataset without any here tests on ``test_share`` of its people, drawn
    with ``split_seed``."""
    test_share: float = 0.3
    validation_subjects: int = 4
    """Number of each dataset's training people who validate, drawn with ``split_seed``."""
    validation_trains: bool = False
    """Whether the validation people train as well, once all choices are made on them: their figures in the card and in
    the model are then those of people the network knows."""
    validate_on: tuple[str, ...] = ()
    """Names of the people who validate under protocol ``named``."""
    split_seed: int = 0
    protocol: str = ""
    """One of ``PROTOCOL_NAMES``. Empty: ``official`` if ``test_subjects`` are the dataset's own test people, else
    ``holdout``."""
    fold: int = 1
    """Number of the protocol's fold, from 1."""
    validation_share: float = 0.2
    """Share of a fold's training people who validate, under protocols ``groups`` and ``loso``; share of each activity's
    windows under ``blocks``."""
    train_hop: int = 0
    """Samples between the starts of two training windows; a shorter hop than the model's gives more windows to draw
    from. 0: the model's hop."""

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ConfigError(f"labels {list(self.labels)}: expected at least two, each once")
        if self.protocol not in ("", *PROTOCOL_NAMES):
            raise ConfigError(f"protocol '{self.protocol}' is unknown; choose from {', '.join(PROTOCOL_NAMES)}")
        if unknown := [label for label in self.needs_up if label not in self.labels]:
            raise ConfigError(f"needs_up names '{unknown[0]}'; expected some of {', '.join(self.labels)}")
        if self.fold < 1 or not 0 < self.validation_share < 1:
            raise ConfigError(
                f"fold is {self.fold}, validation_share {self.validation_share}; "
                "fold must be at least 1, validation_share between 0 and 1"
            )
        if not 0 < self.test_share < 1 or self.validation_subjects < 1 or self.train_hop < 0:
            raise ConfigError(
                f"test_share is {self.test_share}, validation_subjects {self.validation_subjects}, train_hop "
                f"{self.train_hop}; test_share must be between 0 and 1, validation_subjects at least 1, train_hop at "
                "least 0"
            )
        if not all(self.datasets) or len(set(self.datasets)) != len(self.datasets):
            raise ConfigError(f"dataset '{self.dataset}': expected a name, or different names with ' + ' between them")
        for dataset, names in self.label_map.items():
            if dataset not in self.datasets:
                raise ConfigError(f"label_map names '{dataset}'; the recipe's data is {', '.join(self.datasets)}")
            if wrong := [name for name in names.values() if name and name not in self.labels]:
                raise ConfigError(
                    f"label_map.{dataset} maps to '{wrong[0]}', which is not among the recipe's labels; "
                    f"choose from {', '.join(self.labels)}"
                )
        members = sorted(label for labels in self.groups.values() for label in labels)
        if self.groups and members != sorted(self.labels):
            raise ConfigError(f"groups contain {', '.join(members)}; expected each of the recipe's labels once")

    def class_of(self, dataset: str, activity: str) -> str:
        """The class of a dataset's activity: a label, or another name, whose windows are left out.

        >>> classes = {"a": {"strolling": "walking", "sitting": ""}}
        >>> data = Data("a + b", ("walking", "sitting"), "", "", label_map=classes)
        >>> data.class_of("a", "strolling"), data.class_of("a", "sitting"), data.class_of("b", "sitting")
        ('walking', 'sitting of a', 'sitting')
        """
        name = self.label_map.get(dataset, {}).get(activity, activity)
        return name or f"{activity} of {dataset}"

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.dataset.split(" + "))

    def dataset_of(self, subject: str) -> str:
        """The dataset of a subject: of several joined datasets, the one whose name prefixes the subject.

        >>> Data("hapt + sisfall", ("walking", "sitting"), "", "").dataset_of("sisfall/SA01")
        'sisfall'
        """
        if len(self.datasets) == 1:
            return self.datasets[0]
        # The longest, as the name of a file can begin with the name of another.
        return max((name for name in self.datasets if subject.startswith(f"{name}/")), key=len, default="")
