"""A model's reliability from named datasets: which network answers for which people, and what is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.replay_data import ColumnMap, open_dataset
from kinestream.replay_data.datasets.registry import DATASETS

from ..data.own_recordings import open_own_recordings
from ..data.windows import open_data
from ..recipe.data_settings import OWN_RECORDINGS
from .model_card import learnt_from, recipe_of
from .reliability import fit_reliability
from .unseen import Unseen, unseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kinestream.inference.model_file import Model
    from kinestream.interpret.calibration import Calibration
    from kinestream.replay_data import Dataset

    from ..data.windows import Track

ABOUT = "reliability from windows:"
"""How the sentence on the reliability begins in a calibration's ``about``."""
TURNED = "turned"
"""Names the validation people of the model's own dataset with their sensors turned at random."""


@dataclass(frozen=True)
class Elsewhere:
    """Data that a network never saw."""

    data: str
    """Name of a dataset, path of labelled recordings, or ``TURNED``."""
    network: Model | None = None
    """A network that never saw it; by default the model that is calibrated."""


def calibrate_elsewhere(
    model: Model,
    named: Sequence[Elsewhere],
    *,
    data_dir: Path | None = None,
    columns: str | None = None,
    track: Track = iter,
) -> Calibration:
    """The model's calibration with a reliability learnt from all people of the named data.

    Where the model itself answers for any of them, validation people of its own dataset take part too, and its
    training people show how it expects its sensor to lie. Where other networks answer for all, each shows how the
    model does among strangers, and nothing else is needed.

    Args:
        model: the model to calibrate.
        named: data that the model, or the network named with them, never saw.
        data_dir: folder of the datasets.
        columns: meaning of the columns of recordings, as for replay.
        track: wraps the recordings of each dataset, to draw a progress bar.
    Raises:
        ConfigError: data are missing or hold no label, or a network knows its people or differs from the model in kind.
        KinestreamError: as for opening data and cutting windows.
    """
    for entry in named:  # before the first dataset is read, which takes a minute
        if entry.data != TURNED:
            _check_exists(entry.data)
            _check_stranger(entry.network or model, model, entry)
    parts: list[Unseen] = []
    learnt: list[Unseen] = []
    itself = [entry for entry in named if entry.network is None]
    turned = any(entry.data == TURNED for entry in named)
    own = None if recipe_of(model).data.dataset == OWN_RECORDINGS or not itself else _own(model, data_dir)
    if turned and own is None:
        raise ConfigError(f"'{TURNED}' needs the dataset that {model.name} itself was trained on; leave it out")
    if own:
        people = learnt_from(model)
        validation = people["validation"]
        home = "its own validation people"
        parts.append(unseen(model, own, validation, source=home, at_home=True, track=track))
        learnt.append(unseen(model, own, people["train"], source="training", answers=False, track=track))
        if turned:
            source = "the same, the sensor turned"
            parts.append(unseen(model, own, validation, source=source, turned=True, track=track))
    for entry in named:
        if entry.data == TURNED:
            continue
        network = entry.network or model
        dataset = _open(entry.data, data_dir, columns)
        names = _renamed(network, entry.data)
        part = unseen(network, dataset, dataset.subjects, source=entry.data, names=names, track=track)
        if not len(part):
            raise ConfigError(
                f"{entry.data} has no window inside one labelled activity; expected labelled recordings: name the "
                "column of the labels with --columns, or leave it out"
            )
        parts.append(part)
    reliability, ridge = fit_reliability(parts, model.labels, model.widths, learnt)
    sources = ", ".join(f"{len(part)} of {part.source}" for part in parts)
    about = f"{ABOUT} {sources}; {'with' if ridge else 'without'} differences between activities"
    before = model.calibration.about.split(ABOUT)[0].rstrip("; ")
    return replace(model.calibration, reliability=reliability, about=f"{before}; {about}" if before else about)


def accuracy_elsewhere(named: Sequence[Elsewhere]) -> dict[Subnet, float]:
    """The accuracy of each subnetwork on the datasets that the named networks never saw: the mean over datasets.

    Policies then rank subnetworks by what strangers get, not by the people of the training data. Empty unless each
    network was tested on its dataset (``kinestream train --protocol datasets --test``), by itself alone.
    """
    tested = [_tested_accuracy(entry) for entry in named]
    if not all(tested):
        return {}
    return {subnet: float(np.mean([accuracy[subnet] for accuracy in tested])) for subnet in tested[0]}


def _tested_accuracy(entry: Elsewhere) -> dict[Subnet, float]:
    test = entry.network.card.get("test") if entry.network else None
    if not isinstance(test, dict) or test.get("protocol") != "datasets":
        return {}
    return {Subnet.parse(name): float(accuracy) for name, accuracy in test["accuracy"].items()}


def _own(model: Model, data_dir: Path | None) -> Dataset:
    return open_data(recipe_of(model).data, data_dir)


def _check_exists(data: str) -> None:
    if data not in DATASETS and not Path(data).exists():
        raise ConfigError(f"no dataset or recording '{data}'; expected a path or one of {', '.join(DATASETS)}")


def _open(data: str, data_dir: Path | None, columns: str | None) -> Dataset:
    if data in DATASETS:
        return open_dataset(data, data_dir)
    dataset, _ = open_own_recordings([data], ColumnMap.parse(columns) if columns else None, data_dir)
    return dataset


def _renamed(network: Model, data: str) -> Mapping[str, str]:
    return recipe_of(network).data.label_map.get(data, {})


def _check_stranger(network: Model, model: Model, entry: Elsewhere) -> None:
    for what in ("architecture", "labels", "input", "widths"):
        if getattr(network, what) != getattr(model, what):
            raise ConfigError(
                f"the network for {entry.data} has another {what} than {model.name}; train both with one recipe"
            )
    if entry.data in DATASETS and DATASETS[entry.data].population in _populations(network):
        raise ConfigError(
            f"{network.name} was trained on people of {entry.data}; name a network that never saw them: "
            f"{entry.data}=MODEL"
        )


def _populations(network: Model) -> set[str]:
    """The datasets, or those whose people they share, from which a network's training people come."""
    datasets = recipe_of(network).data.datasets
    if len(datasets) > 1:  # then each person's name begins with that of the dataset
        datasets = tuple(dict.fromkeys(name.split("/")[0] for name in learnt_from(network)["train"]))
    return {DATASETS[name].population for name in datasets if name in DATASETS}
