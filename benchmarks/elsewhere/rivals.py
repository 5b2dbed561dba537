"""The rivals: each dataset is judged by networks that learnt from the other datasets only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rivals_models.features import gravity_aligned_features
from kinestream.replay_data.datasets.registry import DATASETS
from kinestream.train.data.windows import missing_classes
from kinestream.train.fit.draw import draw_pairs, number_pairs
from kinestream.train.recipe.recipe_toml import load_recipe, to_toml

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.train import Recipe
    from kinestream.train.data.windows import Windows

RECIPE = Path(__file__).parent.parent / "recipes" / "elsewhere.toml"
TREES = 300
FOREST_WINDOWS = 20_000
"""Training windows of the forest, drawn as the recipe draws: as many of each dataset and class."""

Predict = Callable[["Recipe", "Windows", "NDArray[np.float32]"], "NDArray[np.float32]"]


def rival_recipe(dataset: str) -> Recipe | None:
    """The recipe that leaves this dataset out; None for a dataset of the same people as one of the recipe's.

    A dataset that the recipe does not name is added only to be left out: nothing learns from it.
    """
    recipe = load_recipe(RECIPE)
    names = recipe.data.datasets
    if dataset in names:
        return replace(recipe, data=replace(recipe.data, fold=names.index(dataset) + 1))
    if DATASETS[dataset].population in {DATASETS[name].population for name in names}:
        return None
    data = replace(recipe.data, dataset=f"{recipe.data.dataset} + {dataset}", fold=len(names) + 1)
    return replace(recipe, data=data)


def forest(recipe: Recipe, train: Windows, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, classes) probabilities of a random forest on gravity-aligned features.

    Raises:
        SystemExit: scikit-learn is not installed.
    """
    try:
        ensemble = import_module("sklearn.ensemble")  # an extra, which a type checker need not have
    except ImportError:
        raise SystemExit("the random forest needs scikit-learn: pip install 'kinestream[benchmark]'") from None
    fs_hz = recipe.input.fs_hz
    chosen = draw_pairs(np.random.default_rng(recipe.seed), number_pairs(train, recipe.data), FOREST_WINDOWS)
    trees = ensemble.RandomForestClassifier(TREES, min_samples_leaf=3, random_state=recipe.seed)
    trees.fit(gravity_aligned_features(train.x[chosen], fs_hz), train.labels[chosen])
    probs = np.zeros((len(x), len(recipe.data.labels)), np.float32)  # classes it never saw stay at 0
    probs[:, trees.classes_] = trees.predict_proba(gravity_aligned_features(x, fs_hz))
    return probs


def small_cnn(recipe: Recipe, train: Windows, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, classes) probabilities of a small static network on the raw axes."""
    import torch

    from benchmarks.rivals_models.small_cnn import SmallCnn
    from benchmarks.rivals_models.static import fit_static

    columns, classes = len(recipe.input.channels), len(recipe.data.labels)
    net, mean, std = fit_static(lambda: SmallCnn(columns, classes), recipe, train, seed=recipe.seed)
    with torch.inference_mode():
        return torch.cat([net((part - mean) / std) for part in torch.from_numpy(x).split(256)]).softmax(1).numpy()


RIVALS: Mapping[str, Predict] = {"random forest": forest, "static CNN": small_cnn}


@dataclass(frozen=True)
class Answers:
    """What a rival says of the windows of the dataset it never saw."""

    labels: tuple[str, ...]
    """Those it was taught: a left-out dataset can be the only one that shows an activity."""
    probs: NDArray[np.float32]
    """(n, labels)"""


def answers(predict: Predict, recipe: Recipe, train: Windows, x: NDArray[np.float32]) -> Answers:
    """Train a rival and ask it."""
    missing = missing_classes(train, recipe.data.labels)
    taught = [code for code, label in enumerate(recipe.data.labels) if label not in missing]
    probs = predict(recipe, train, x)[:, taught]
    labels = tuple(recipe.data.labels[code] for code in taught)
    return Answers(labels, probs / np.maximum(probs.sum(1, keepdims=True), 1e-12))


def cached(path: Path, recipe: Recipe, x: NDArray[np.float32], ask: Callable[[], Answers]) -> Answers:
    """The answers for these windows from ``path``, or from ``ask``, which then go there."""
    key = hashlib.sha256(to_toml(recipe).encode() + np.ascontiguousarray(x).tobytes()).hexdigest()
    if path.exists():
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) == key:
                return Answers(tuple(held["labels"].tolist()), held["probs"])
    fresh = ask()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez(part, key=key, labels=np.array(fresh.labels), probs=fresh.probs)
    part.replace(path)
    return fresh
