"""From the name of a dataset to a model file with its card: what ``kinestream train`` and ``evaluate`` do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from kinestream.inference.model_file import Model, save_model

from .card import begin_card, protocol, recipe_of, to_markdown
from .data import load_windows, open_data, split_subjects
from .evaluate import score_grid, summary
from .export import from_model, normalised
from .fit import fit

if TYPE_CHECKING:
    from pathlib import Path

    from .recipe import Recipe


def train_model(
    recipe: Recipe,
    run_dir: Path,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    test: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> Model:
    """Load the windows, train, and leave the model and its card in the run folder.

    Args:
        data_dir: where the dataset is; ``replay_data.default_data_dir()`` by default.
        test: measure on the test subjects too, once, when all is done, and write the figures into the card.
        command: for the card.
    Raises:
        KinestreamError: as ``open_data``, ``load_windows`` and ``fit``.
    """
    progress = progress or Progress(disable=True)
    dataset = open_data(recipe.data, data_dir)
    split = split_subjects(dataset.subjects, recipe.data)
    read = _track(progress, "reading recordings")
    train = load_windows(dataset, recipe, split.train, hop=recipe.train_hop, track=read)
    validation = load_windows(dataset, recipe, split.validation, track=read)
    card = begin_card(recipe, split, train, validation, command)
    model = fit(recipe, train, validation, run_dir, card=card, resume=resume, progress=progress)
    if test:
        figures = evaluate_model(model, data_dir=data_dir, progress=progress)
        model = replace(model, card={**model.card, "test": figures})
        save_model(run_dir / f"{recipe.name}.safetensors", model)
    (run_dir / f"{recipe.name}.md").write_text(to_markdown(model), "utf-8")
    return model


def evaluate_model(model: Model, *, data_dir: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Accuracy of every subnetwork on the test subjects the model's recipe names, as JSON values.

    Raises:
        ConfigError: the model does not say what it was trained on.
        KinestreamError: as ``open_data`` and ``load_windows``.
    """
    progress = progress or Progress(disable=True)
    recipe = recipe_of(model)
    dataset = open_data(recipe.data, data_dir)
    split = split_subjects(dataset.subjects, recipe.data)
    windows = load_windows(dataset, recipe, split.test, track=_track(progress, "reading recordings"))
    x = normalised(model, windows.x)
    scores = score_grid(from_model(model), x, windows.labels, model.subnets, track=_track(progress, "testing"))
    return {"protocol": protocol(recipe, split), **summary(scores, model.labels)}


def _track(progress: Progress, what: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    def track(items: Sequence[Any]) -> Iterable[Any]:
        return progress.track(items, description=what)

    return track
