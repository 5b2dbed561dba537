"""A network on one dataset: its rows, where it learnt, and the windows of people whom it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import Subnet
from kinestream.replay_data.datasets.registry import DATASETS, KnownDataset
from kinestream.train.judge.calibrate_elsewhere import ABOUT
from kinestream.train.judge.model_card import learnt_from, recipe_of
from kinestream.train.splits.people import global_person_of

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec
    from kinestream.inference import Model
    from kinestream.interpret.calibration import Calibration
    from kinestream.train.data.windows import Windows


@dataclass(frozen=True)
class Network:
    """A network to judge on one dataset."""

    name: str
    labels: tuple[str, ...]
    calibration: Calibration
    input: InputSpec
    fingerprint: str
    """Changes with the network, so that its rows are computed again."""
    home: bool
    """Whether it learnt from other people of this dataset."""
    calibrated_here: bool
    """Whether its reliability was learnt from this dataset: its confidence is then no stranger's."""
    subnets: tuple[Subnet, ...]

    def row(self, dataset: str, *, smooth: bool) -> str:
        """The row's name in the file."""
        return f"{self.name} on {dataset}{', smoothed' * smooth}"


def network_of(model: Model, known: KnownDataset) -> Network:
    """The model at full size and at its smallest."""
    populations = {DATASETS[name].population for name in recipe_of(model).data.datasets if name in DATASETS}
    smallest = Subnet(min(model.widths), min(model.resolutions))
    return Network(
        model.name,
        model.labels,
        model.calibration,
        model.input,
        f"{model.fingerprint} {model.calibration.to_json()}",
        known.population in populations,
        model.calibration.reliability is not None and known.name in learnt_trust_from(model.calibration),
        tuple(dict.fromkeys((model.full, smallest))),
    )


def learnt_trust_from(calibration: Calibration) -> list[str]:
    """The data that the reliability was learnt from."""
    _, _, sources = calibration.about.partition(ABOUT)
    return [source.split(" of ", 1)[-1].strip() for source in sources.split(";")[0].split(",")]


def of_strangers(windows: Windows, known: KnownDataset, model: Model) -> Windows:
    """The windows of people the model neither trained nor validated on."""
    data, learnt = recipe_of(model).data, learnt_from(model)
    seen = {global_person_of(subject, data) for people in learnt.values() for subject in people}
    return windows.take(np.flatnonzero([known.person(subject) not in seen for subject in windows.subjects]))
