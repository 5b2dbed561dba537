"""A synthetic dataset whose classes differ in frequency: small, quick to learn, without any download."""

from dataclasses import replace
from functools import partial

import numpy as np

from kinestream.core.signals import ACC, GYRO
from kinestream.replay_data import Dataset, Entry, Recording
from kinestream.train import Recipe, load_recipe
from kinestream.train.data.windows import Windows

LABELS = load_recipe("uci").data.labels
FREQUENCY_HZ = (0.7, 1.5, 2.5, 4.0, 6.0, 9.0)


def recording(subject: str, labels: tuple[str, ...] = (*LABELS, "stand_to_sit"), seconds: float = 6.0) -> Recording:
    """A recording of one activity after the other, ``seconds`` each."""
    rng = np.random.default_rng(int(subject))
    n = int(50 * seconds)
    t = np.arange(n * len(labels)) / 50
    codes = np.repeat(np.arange(len(labels), dtype=np.int16), n)
    rate = np.array([*FREQUENCY_HZ, 12.0])[[(*LABELS, "stand_to_sit").index(name) for name in labels]][codes]
    waves = np.sin(2 * np.pi * rate * t)[:, None] * np.linspace(0.5, 2, 6) + 0.2 * rng.normal(size=(len(t), 6))
    waves[:, 2] += 9.8
    return Recording("made_up", f"user{subject}", subject, 50.0, (*ACC, *GYRO), t, waves.astype("f4"), codes, labels)


def dataset(people: int = 8, **options) -> Dataset:
    """A dataset with one ``recording`` per person."""
    names = options.get("labels", (*LABELS, "stand_to_sit"))
    entries = [Entry(f"u{i}", str(i), partial(recording, str(i), **options)) for i in range(people)]
    return Dataset("made_up", names, entries)


def small_recipe(**training) -> Recipe:
    """A recipe for the UCI network with half its channels, four subnetworks, and two epochs."""
    recipe = load_recipe("uci")
    network = replace(recipe.network, widths=(0.1, 1.0), resolutions=(96, 128), channels=(32, 64, 128))
    data = replace(recipe.data, dataset="made_up", test_subjects=("6", "7"), validation_subjects=2)
    defaults = {"epochs": 2, "batch_size": 16, "statistics_windows": 48, "ema_decay": 0.5, "learning_rate": 3e-3}
    settings = replace(recipe.training, **(defaults | training))
    return replace(recipe, name="small", network=network, data=data, training=settings)


def windows(seed: int, n: int = 48) -> Windows:
    """(n, 128, 9) windows like those of ``recording``, generated directly."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, n)
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 9))
    t = np.arange(128)[:, None] / 50
    x = np.sin(2 * np.pi * np.array(FREQUENCY_HZ)[labels][:, None, None] * t + phase) + 0.3 * rng.normal(
        size=(n, 128, 9)
    )
    return Windows(x.astype(np.float32), labels)
