"""The output of every subnetwork for every window, computed once and cached on disk: a simulated day takes seconds."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.atomic_file import atomic_file
from kinestream.core.signals import Subnet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.inference import Engine

    from .material import Material

log = logging.getLogger(__name__)
SAVE_EVERY = 8
"""Subnetworks between two writes of the cache: a killed run loses at most these."""


@dataclass(frozen=True, slots=True)
class SubnetProbs:
    """The probabilities that each subnetwork gives for each window.

    >>> import numpy as np
    >>> probs = np.array([[[0.9, 0.1], [0.2, 0.8]]], np.float32)  # one subnetwork, two windows, two classes
    >>> SubnetProbs((Subnet(0.5, 96),), probs).best.tolist()
    [[0, 1]]
    """

    subnets: tuple[Subnet, ...]
    probs: NDArray[np.float32]
    """(subnets, n, classes)"""

    @property
    def best(self) -> NDArray[np.int64]:
        """(subnets, n) the most probable class."""
        return self.probs.argmax(axis=2)

    def right(self, material: Material) -> NDArray[np.bool_]:
        """(subnets, n) whether the most probable class is the true one; false for windows without a known label."""
        return self.best == material.truth


def compute_probs(
    engine: Engine,
    material: Material,
    subnets: Iterable[Subnet] | None = None,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SubnetProbs:
    """Run subnetworks, by default all of the model's, on every window; cached results are not computed again.

    Args:
        cache: a folder; its files are named by model and windows. None: no cache.
        progress: called with the number of subnetworks done and in total.

    >>> import math
    >>> from kinestream.inference import Engine, find_model, load_model
    >>> from kinestream.lab import collect
    >>> from kinestream.replay_data import Wearer
    >>> model = load_model(find_model("uci_kinet"))
    >>> material = collect(Wearer(seed=1, duration_s=10, speed=math.inf), model)
    >>> compute_probs(Engine(model), material, [model.full]).probs.shape  # subnetworks, windows, classes
    (1, 6, 6)
    """
    wanted = tuple(dict.fromkeys(engine.model.subnets if subnets is None else subnets))
    path = cache / f"{_key(engine, material)}.npz" if cache else None
    shape = (len(material), len(engine.model.labels))
    known = _read(path, shape) if path else {}
    missing = [subnet for subnet in wanted if subnet not in known]
    for done, subnet in enumerate(missing, start=1):
        known[subnet] = engine.predict_batch(material.x, subnet)
        if path and (done % SAVE_EVERY == 0 or done == len(missing)):
            _write(path, known)
        if progress:
            progress(done, len(missing))
    return SubnetProbs(wanted, np.stack([known[subnet] for subnet in wanted]))


def _key(engine: Engine, material: Material) -> str:
    return hashlib.sha256(f"{engine.model.fingerprint}|{material.fingerprint}".encode()).hexdigest()[:20]


def _read(path: Path, shape: Sequence[int]) -> dict[Subnet, NDArray[np.float32]]:
    """The cached probabilities; empty if the file is missing or damaged, so that they are computed again."""
    try:
        with np.load(path, allow_pickle=False) as cached:
            probs = cached["probs"]
            subnets = [Subnet.parse(str(text)) for text in cached["subnets"]]
    except FileNotFoundError:
        return {}
    except Exception as error:
        log.warning("%s: the cached probabilities cannot be read (%s); computing them again", path, error)
        return {}
    valid = probs.dtype == np.float32 and probs.shape == (len(subnets), *shape) and np.isfinite(probs).all()
    return dict(zip(subnets, probs, strict=True)) if valid else {}


def _write(path: Path, known: dict[Subnet, NDArray[np.float32]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            np.savez(file, subnets=np.array([str(s) for s in known]), probs=np.stack(list(known.values())))
    except (OSError, zipfile.LargeZipFile) as error:
        log.warning("%s: the probabilities cannot be cached (%s); the next run computes them again", path, error)
