"""A recipe for a user's own recordings: their classes, their sensors, and a network of a fitting size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.input_spec import InputSpec
from kinestream.inference.presets import PRESETS

from ..recipe.data_settings import OWN_RECORDINGS, Data
from ..recipe.recipe_toml import lay_over, load_recipe
from ..recipe.schema import Recipe
from .fitted_network import MANY_WINDOWS, input_for, network_for
from .own_recordings import common_channels
from .windows import most_windows

if TYPE_CHECKING:
    from pathlib import Path

    from kinestream.replay_data import Dataset, Recording

WINDOW_S = 2.56
"""Default window, as in UCI-HAR: two steps of a slow walker."""
MIN_WINDOWS = 10
"""Minimum windows of a class: with half as many, its recognition rate could not be estimated."""
STEPS = 1000
"""Optimizer steps of a training run: fewer leave a small network unfinished, more take minutes without gain."""
VALIDATION_SHARE = 0.2
DRAWS = 50
"""Random choices of validation people to try, to find one that leaves every class in both parts."""


@dataclass(frozen=True, slots=True)
class OwnRecipe:
    """A recipe, and notices about how it was chosen."""

    recipe: Recipe
    notices: tuple[str, ...]
    """One line each."""


def recipe_from_recordings(
    name: str,
    dataset: Dataset,
    *,
    network: str = "uci",
    window_s: float = WINDOW_S,
    overlays: Sequence[str | Path] = (),
) -> OwnRecipe:
    """Choose a recipe to train a model called ``name`` from these recordings.

    Validation people (or recordings, if no people are named) are held out if there are at least three and the rest
    still shows every class; otherwise the last part of each class validates.

    Args:
        network: the preset, resized if the windows have another shape.
        window_s: window length in seconds.
        overlays: recipe files whose settings replace those chosen here.
    Raises:
        DataDamaged: there are no labels, fewer than two classes with enough windows, or no common sensor.
        ConfigError: the name, the network, the window or an overlay is wrong.
    """
    if not name or not name.isprintable() or set(name) & set("/\\:") or name.startswith("."):
        raise ConfigError(f"model name '{name}' cannot be a file's name; choose letters, digits, - and _")
    if network not in PRESETS:
        hint = did_you_mean(network, PRESETS, 0.0)
        raise ConfigError(f"no network '{network}'{hint}; choose from {', '.join(PRESETS)}")
    if not 0.5 <= window_s <= 60:
        raise ConfigError(f"a window of {window_s:g} s; expected 0.5 to 60 s")
    recordings = list(dataset)
    channels, channel_notices = common_channels(recordings)
    spec = input_for(channels, min(recording.fs_hz for recording in recordings), window_s)
    counts = _window_counts(recordings, spec)
    labels, class_notices = _classes(counts, spec, recordings)
    base = load_recipe(network)
    windows = sum(n for person in counts.values() for label, n in person.items() if label in labels)
    validating = _validation_people({subject: person for subject, person in counts.items() if person}, labels)
    protocol, validation_notice = _validation(validating, counts)
    data = Data(
        dataset=OWN_RECORDINGS,
        labels=labels,
        # Description, terms and limits are stored in the card of the model file.
        description=_description(recordings, counts, channels, windows * spec.hop_s / 60),
        terms="the owner's; what was recorded of a person belongs to that person",
        limits=(
            f"Learnt from {len(counts)} {'person or session' if len(counts) == 1 else 'people or sessions'}; "
            "others, or a sensor worn elsewhere, were never seen.",
            f"Whatever it is shown, it calls {', '.join(labels)}: it knows nothing else.",
        ),
        protocol=protocol,
        validate_on=validating,
        validation_share=VALIDATION_SHARE,
        train_hop=max(1, spec.length // 4),
    )
    batch_size = 64 if windows < MANY_WINDOWS else base.training.batch_size
    steps = max(1, round((1 - VALIDATION_SHARE) * windows / batch_size))
    training = replace(base.training, batch_size=batch_size, epochs=min(100, max(10, round(STEPS / steps))))
    resized = network_for(network, base, spec, len(labels), windows)
    recipe = Recipe(name, resized, data, spec, training, base.augmentation)
    notices = (
        *channel_notices,
        *class_notices,
        *_unlabelled_notices(recordings),
        *_repair_notices(recordings),
        validation_notice,
    )
    return OwnRecipe(lay_over(recipe, *overlays) if overlays else recipe, notices)


def _window_counts(recordings: Sequence[Recording], spec: InputSpec) -> dict[str, Counter[str]]:
    """Number of windows of each class, by person."""
    counts: dict[str, Counter[str]] = {}
    for recording in recordings:
        counts.setdefault(recording.subject, Counter()).update(most_windows(recording, spec, spec.hop))
    return counts


def _classes(
    counts: dict[str, Counter[str]], spec: InputSpec, recordings: Sequence[Recording]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes with enough windows, and a notice about each of the others."""
    names = sorted({recording.label_names[code] for recording in recordings for code in _codes(recording)})
    if not names:
        raise DataDamaged(
            f"no labels in {_listed([recording.name for recording in recordings])}; add a column 'label' with the "
            "activity of each row, or name an existing one: --columns 'label=NAME'"
        )
    total: Counter[str] = sum(counts.values(), Counter())
    labels = tuple(name for name in names if total[name] >= MIN_WINDOWS)
    needed_s = (MIN_WINDOWS - 1) * spec.hop_s + spec.window_s
    notices = tuple(
        f"'{name}' is left out: it has {total[name]} windows of {spec.window_s:.2f} s, {MIN_WINDOWS} are needed; "
        f"record {needed_s:.0f} s or more of it"
        for name in names
        if name not in labels
    )
    if len(labels) < 2:
        shortage = f"only '{labels[0]}' has enough" if labels else "no activity has enough"
        advice = "".join(f"; {notice}" for notice in notices) or "; record and label at least one more activity"
        raise DataDamaged(f"training needs at least two activities with enough windows, and {shortage}{advice}")
    return labels, notices


def _codes(recording: Recording) -> list[int]:
    return [] if recording.labels is None else [int(code) for code in np.unique(recording.labels) if code >= 0]


def _validation_people(counts: dict[str, Counter[str]], labels: Sequence[str]) -> tuple[str, ...]:
    """People to validate on, such that the rest shows every class; empty if there is no such choice.

    Among ``DRAWS`` random choices, the one that validates the most classes; ties: the first.
    """
    people = list(counts)
    if len(people) < 3:
        return ()
    rng = np.random.default_rng(0)
    best: tuple[str, ...] = ()
    most_classes = len(labels) // 2  # validation on half of the classes or fewer is not informative
    for _ in range(DRAWS):
        drawn = [people[i] for i in rng.permutation(len(people))[: max(1, round(VALIDATION_SHARE * len(people)))]]
        rest: Counter[str] = sum((counts[person] for person in people if person not in drawn), Counter())
        validated = {label for person in drawn for label in counts[person] if label in labels}
        if all(rest[label] >= MIN_WINDOWS for label in labels) and len(validated) > most_classes:
            best, most_classes = tuple(drawn), len(validated)
    return tuple(person for person in people if person in best)


def _validation(validating: tuple[str, ...], counts: dict[str, Counter[str]]) -> tuple[str, str]:
    """The protocol, and a notice about its meaning."""
    if validating:
        return "named", f"validated on {', '.join(validating)}, all others train"
    reason = (
        "fewer than three people or recordings"
        if len(counts) < 3
        else "no person or recording can be held out without losing a class"
    )
    return "blocks", (
        f"{reason}: validated on the SAME in other minutes (the last {VALIDATION_SHARE:.0%} of each activity, one "
        "window apart); expect lower accuracy for other people"
    )


def _description(
    recordings: Sequence[Recording], counts: dict[str, Counter[str]], channels: Sequence[str], minutes: float
) -> str:
    sensors = " and ".join(dict.fromkeys(name.rsplit("_", 1)[0] for name in channels))
    return (
        f"own recordings {_listed([recording.name for recording in recordings])} ({len(counts)} people or sessions, "
        f"about {minutes:.1f} min labelled): {sensors} at {min(recording.fs_hz for recording in recordings):g} Hz"
    )


def _unlabelled_notices(recordings: Sequence[Recording]) -> tuple[str, ...]:
    unlabelled = [recording.name for recording in recordings if not _codes(recording)]
    return (f"no labels in {_listed(unlabelled)}: not used for training",) if unlabelled else ()


def _repair_notices(recordings: Sequence[Recording]) -> tuple[str, ...]:
    repairs: Counter[str] = Counter()
    for recording in recordings:
        repairs.update(recording.repairs)
    summary = ", ".join(f"{n} {kind}" for kind, n in repairs.items())
    return (f"skipped or repaired while reading: {summary}",) if summary else ()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
