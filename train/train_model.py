"""Training and evaluation from dataset to model file and scores: ``kinestream train`` and ``kinestream evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import Progress

from kinestream.core.errors import ConfigError
from kinestream.core.memory import require_memory
from kinestream.inference.model_file import Model, save_model

from .data.windows import Track, Windows, check_every_class, load_windows, open_data
from .fit.device import choose_device, free_bytes
from .fit.memory import training_bytes
from .fit.run_folder import write_scores
from .fit.trainer import fit
from .judge.coarse_classes import group_summary
from .judge.evaluate import corners, score_grid, summary
from .judge.model_card import begin_card, definition, learnt_from, recipe_of, to_markdown, without_counts
from .judge.placement import learn_placement
from .judge.scores import BOOTSTRAP_SEED
from .network.export import from_model, normalised
from .splits.people import person_of
from .splits.protocols import protocol_of, shuffled_windows
from .splits.time_blocks import last_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from kinestream.core.signals import Subnet
    from kinestream.replay_data import Dataset

    from .recipe.data_settings import Data
    from .recipe.schema import Recipe


def train_model(
    recipe: Recipe,
    run_dir: Path,
    *,
    data_dir: Path | None = None,
    dataset: Dataset | None = None,
    resume: bool = False,
    test: bool = False,
    device: str | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Model:
    """Load the windows, train, and write the model, its card and its scores (``metrics.json``) to the run folder.

    Args:
        data_dir: folder of the dataset; ``replay_data.default_data_dir()`` by default.
        dataset: the recordings, for a recipe made for a user's own.
        test: after training, also measure once on the test subjects and add the scores to the card.
        device: name of the device, as for ``choose_device``; by default the first GPU, or the processor.
        command: the command line, for the card.
    Raises:
        KinestreamError: as ``open_data``, ``Protocol.fold``, ``load_windows`` and ``fit``.
    """
    progress = progress or Progress(disable=True)
    torch_device = choose_device(device)
    dataset = dataset or open_data(recipe.data, data_dir)
    split = protocol_of(recipe.data).fold(dataset.subjects, recipe.data)
    if test and not split.test:
        raise ConfigError(
            f"protocol {protocol_of(recipe.data).name} has no test people; leave out --test or choose another protocol"
        )
    read = _track(progress, "reading recordings")
    train, validation = (load_part(dataset, recipe, part, track=read) for part in ("train", "validation"))
    require_memory(
        training_bytes(recipe, len(train), len(validation)),
        f"training {recipe.name} on batches of {recipe.training.batch_size}",
        "lower batch_size or statistics_windows in [training], or choose a smaller network",
        available=free_bytes(torch_device),
    )
    card = begin_card(recipe, split, train, validation, command)
    model = fit(recipe, train, validation, run_dir, card=card, resume=resume, device=torch_device, progress=progress)
    placement = learn_placement(dataset, recipe.data, recipe.input, split.train, track=_track(progress, "finding up"))
    if placement:
        model = replace(model, placement=placement)
        save_model(run_dir / f"{recipe.name}.safetensors", model)
    scores = {"model": model.name, "command": command, "recipe": card["recipe"], "validation": model.card["validation"]}
    if test:
        scores["test"] = evaluate_model(model, data_dir=data_dir, dataset=dataset, progress=progress)
        model = replace(model, card={**model.card, "test": without_counts(scores["test"])})
        save_model(run_dir / f"{recipe.name}.safetensors", model)
    write_scores(run_dir, scores)
    (run_dir / f"{recipe.name}.md").write_text(to_markdown(model), "utf-8")
    return model


def evaluate_model(
    model: Model,
    *,
    protocol: str | None = None,
    fold: int | None = None,
    subnets: Sequence[Subnet] = (),
    data_dir: Path | None = None,
    dataset: Dataset | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Accuracy of every subnetwork on the test people of a protocol, and all scores of ``subnets``, as JSON values.

    Under a protocol other than the model's own, some test people can be among its training or validation people. They
    are scored all the same, which shows how much the model depends on people it knows; but ``seen_in_training`` is then
    true, ``seen_subjects`` names them, and ``pool_runs`` refuses such scores.

    Args:
        protocol, fold: the model's own by default.
        subnets: subnetworks with all scores; the corners of the grid by default.
        data_dir, dataset: as for ``train_model``.
    Raises:
        ConfigError: the model's card lacks its training data, the model has no such subnetwork, the fold does not
            exist, or the protocol has several folds and none is given.
        KinestreamError: as ``open_data`` and ``load_windows``.
    """
    progress = progress or Progress(disable=True)
    if missing := [subnet for subnet in subnets if subnet not in model.subnets]:
        raise ConfigError(
            f"{model.name} has no subnetwork {missing[0]}; choose a width of {_listed(model.widths)} "
            f"and a resolution of {_listed(model.resolutions)}"
        )
    recipe = recipe_of(model)
    learnt = learnt_from(model)
    dataset = dataset or open_data(recipe.data, data_dir)
    data = _with_protocol(recipe.data, protocol, fold, dataset.subjects)
    test_protocol = protocol_of(data)
    test_recipe = replace(recipe, data=data)
    test = test_protocol.fold(dataset.subjects, data).test
    known = {person_of(subject, data) for part in ("train", "validation") for subject in learnt[part]}
    seen = [subject for subject in test if person_of(subject, data) in known]
    windows = load_part(dataset, test_recipe, "test", track=_track(progress, "reading recordings"))
    track = _track(progress, "testing")
    people = [person_of(subject, data) for subject in windows.subjects]
    scores = score_grid(model, windows.x, windows.labels, people, track=track)
    groups: dict[str, Any] = {}
    if data.groups:
        detailed = subnets or corners(model.subnets)
        net, x = from_model(model), normalised(model, windows.x)
        group_scores = group_summary(net, x, windows.labels, people, model.labels, data.groups, detailed)
        groups = {"groups": group_scores}
    return {
        "protocol": test_protocol.name,
        "definition": definition(test_recipe),
        "leaky": test_protocol.leaks,
        "fold": data.fold,
        "folds": len(test_protocol.folds(dataset.subjects, data)),
        "seen_in_training": bool(seen),
        "seen_subjects": seen,
        "seeds": {"split": data.split_seed, "training": recipe.seed, "bootstrap": BOOTSTRAP_SEED},
        "subjects": {"train": learnt["train"], "validation": learnt["validation"], "test": list(test)},
        "left_out": dict(windows.left_out),
        "repairs": dict(windows.repairs),
        **summary(scores, model.labels, subnets, counts=True),
        **groups,
    }


def load_part(dataset: Dataset, recipe: Recipe, part: str, *, track: Track = iter) -> Windows:
    """The windows of part ``train``, ``validation`` or ``test`` under the recipe's protocol.

    The training part must contain every class, unless the protocol can leave out the only dataset that shows one;
    validation and test people can lack a rare one.

    Raises:
        KinestreamError: as ``Protocol.fold`` and ``load_windows``.
    """
    protocol = protocol_of(recipe.data)
    if protocol.leaks:
        whole = load_windows(dataset, recipe, dataset.subjects, track=track)
        return whole.take(shuffled_windows(len(whole), recipe.data.split_seed)[part])
    people = getattr(protocol.fold(dataset.subjects, recipe.data), part)
    if not people:
        raise ConfigError(
            f"protocol {protocol.name} has no test people; choose holdout, groups, loso or datasets to test"
        )
    training = part == "train"
    if protocol.by_time:
        whole = load_windows(dataset, recipe, people, hop=recipe.train_hop, track=track)
        windows = whole.take(last_blocks(whole, recipe.data.validation_share, recipe.input.window_s)[part])
        if training:
            check_every_class(windows, recipe, f"the training part of {dataset.name}")
            return windows
        return windows.take(np.arange(0, len(windows), max(1, recipe.input.hop // recipe.train_hop)))
    hop = recipe.train_hop if training else None
    every_class = training and protocol.every_class
    return load_windows(dataset, recipe, people, hop=hop, every_class=every_class, whole_up=training, track=track)


def _with_protocol(data: Data, protocol: str | None, fold: int | None, subjects: Sequence[str]) -> Data:
    """The recipe's data with another protocol and fold; None keeps its own."""
    own = protocol_of(data).name
    if protocol not in (None, own):
        data = replace(data, protocol=protocol)
        folds = len(protocol_of(data).folds(subjects, data))
        if fold is None and folds > 1:
            raise ConfigError(
                f"protocol {protocol} has {folds} folds, each with its own network; choose one with --fold, "
                "or train all of them and pool their scores with kinestream evaluate --folds"
            )
        fold = 1 if fold is None else fold
    return data if fold is None else replace(data, fold=fold)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _track(progress: Progress, description: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    def track(items: Sequence[Any]) -> Iterable[Any]:
        return progress.track(items, description=description)

    return track
