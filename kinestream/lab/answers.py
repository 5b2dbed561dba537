"""What every subnetwork says of every window: computed once, kept on disk, so that a simulated day takes seconds."""

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
KEPT_EVERY = 8
"""Subnetworks between two writings: what a kill loses."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The probabilities of each subnetwork on each window."""

    subnets: tuple[Subnet, ...]
    probs: NDArray[np.float32]
    """(subnets, n, classes)"""

    @property
    def best(self) -> NDArray[np.int64]:
        """(subnets, n) the most probable class."""
        return self.probs.argmax(axis=2)

    def right(self, material: Material) -> NDArray[np.bool_]:
        """(subnets, n) whether it is the true one; never where nobody knows."""
        return self.best == material.truth


def answers_of(
    engine: Engine,
    material: Material,
    subnets: Iterable[Subnet] | None = None,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Answers:
    """Ask each subnetwork, all of the model's by default, about each window; what the cache holds is not asked again.

    Args:
        cache: a folder; files are named by model and windows. None: nothing is kept.
        progress: called with subnetworks done and in all.
    """
    wanted = tuple(dict.fromkeys(engine.model.subnets if subnets is None else subnets))
    path = cache / f"{_key(engine, material)}.npz" if cache else None
    shape = (len(material), len(engine.model.labels))
    known = _read(path, shape) if path else {}
    asked = [subnet for subnet in wanted if subnet not in known]
    for done, subnet in enumerate(asked, start=1):
        known[subnet] = engine.predict_batch(material.x, subnet)
        if path and (done % KEPT_EVERY == 0 or done == len(asked)):
            _write(path, known)
        if progress:
            progress(done, len(asked))
    return Answers(wanted, np.stack([known[subnet] for subnet in wanted]))


def _key(engine: Engine, material: Material) -> str:
    return hashlib.sha256(f"{engine.model.fingerprint}|{material.fingerprint}".encode()).hexdigest()[:20]


def _read(path: Path, shape: Sequence[int]) -> dict[Subnet, NDArray[np.float32]]:
    """What was kept; nothing if the file is missing or not what we wrote, so it is computed again."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            probs = kept["probs"]
            subnets = [Subnet.parse(str(text)) for text in kept["subnets"]]
    except FileNotFoundError:
        return {}
    except Exception as error:
        log.warning("%s: the kept answers cannot be used (%s); asking again", path, error)
        return {}
    good = probs.dtype == np.float32 and probs.shape == (len(subnets), *shape) and np.isfinite(probs).all()
    return dict(zip(subnets, probs, strict=True)) if good else {}


def _write(path: Path, known: dict[Subnet, NDArray[np.float32]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            np.savez(file, subnets=np.array([str(s) for s in known]), probs=np.stack(list(known.values())))
    except (OSError, zipfile.LargeZipFile) as error:
        log.warning("%s: the answers cannot be kept (%s); they will be computed again", path, error)
