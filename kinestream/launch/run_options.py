"""The options of a run, as plain values: no command line is needed to build one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError
from kinestream.inference.zoo_table import ANYWHERE, check_place

from .open_source import SourceOptions

if TYPE_CHECKING:
    from kinestream.inference import Model

DEFAULT_POLICY = "fixed"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The source, model and settings of a run. None means the default, or that a feature is off.

    >>> RunOptions("wearer://?seed=1", policy="battery:hours=8").hop_s is None
    True
    """

    source: str
    """An address, a dataset, a file, or a recording's folder; see ``open_source``."""
    source_options: SourceOptions = field(default_factory=SourceOptions)
    model: str | None = None
    """A bundled model or a model file; None: chosen by the source and by ``worn``."""
    worn: str | None = None
    """Where the sensor is worn: ``wrist``, ``waist``, ``pocket``, ``hip``, ``chest``, ``bag`` or ``anywhere``; it helps
    to choose a model. None: unknown."""
    policy: str | None = None
    """As on the command line; ``fixed`` by default."""
    deadline_ms: float | None = None
    battery: str | None = None
    """``simulated[:hours=3,frac=0.5]``, ``laptop``, or a charge such as ``0.4``."""
    energy: str | None = None
    """An energy model, or its TOML file."""
    hop_s: float | None = None
    """Time between predictions; the model's by default."""
    max_gap_s: float | None = None
    """The longest hole that is interpolated; the model's by default."""
    min_coverage: float | None = None
    """The least measured share of a window whose label is shown, 0 to 1; ``MIN_COVERAGE``, or a recorded run's own, by
    default. 0 shows all."""
    axes: str | None = None
    """How the sensor is worn: axes such as ``-y x z``, or the TOML file of ``kinestream wear``."""
    smooth: bool = False
    unknown_below: float | None = None
    """Conclude ``unknown`` below this calibrated probability."""
    episodes: bool = False
    min_episode_s: float | None = None
    """The shortest episode; implies ``episodes``."""
    limit_s: float | None = None
    """Stop after this much signal."""
    record: Path | None = None
    """The folder of a new recording of this run."""
    all_subnets: bool = False
    """Measure every subnetwork first, as the dashboard's grid needs; else only those the policy may choose."""

    def __post_init__(self) -> None:
        """Raises ConfigError: a deadline or limit is not positive, the coverage no share, or the place unknown."""
        if self.worn is not None:
            check_place(self.worn)
        if self.deadline_ms is not None and not self.deadline_ms > 0:
            raise ConfigError(f"--deadline {self.deadline_ms:g}: expected a positive number of milliseconds")
        if self.min_coverage is not None and not 0 <= self.min_coverage <= 1:
            raise ConfigError(f"--min-coverage {self.min_coverage:g}: expected a share, 0 to 1; 0 shows every window")
        if self.limit_s is not None and not self.limit_s > 0:
            raise ConfigError(f"--limit {self.limit_s:g}: expected a positive number of seconds")

    @property
    def changes_run(self) -> bool:
        """Whether an option asks for another run than a recorded one was."""
        changes = (self.model, self.policy, self.deadline_ms, self.battery, self.energy, self.hop_s, self.max_gap_s)
        place = None if self.worn == ANYWHERE else self.worn
        return any(option is not None for option in (*changes, self.axes, place))

    def hop(self, model: Model) -> int | None:
        """``hop_s`` in samples on the model's grid.

        Raises:
            ConfigError: it is shorter than a sample or longer than a window.
        """
        if self.hop_s is None:
            return None
        samples = self.hop_s * model.input.fs_hz
        if not (math.isfinite(samples) and 1 <= round(samples) <= model.input.length):
            raise ConfigError(
                f"--hop {self.hop_s:g}: expected {1 / model.input.fs_hz:.3f} to {model.input.window_s:g} s "
                f"for {model.name}"
            )
        return round(samples)
