"""A recipe for somebody's own recordings: what they show, the sensors they have, and a network of a fitting size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, BODY_ACC, GYRO
from kinestream.inference.architecture import PRESETS, feature_sizes

from ..recipe.recipe_toml import lay_over, load_recipe
from ..recipe.schema import OWN_RECORDINGS, Data, Network, Recipe
from .own_recordings import common_channels
from .windows import most_windows

if TYPE_CHECKING:
    from pathlib import Path

    from kinestream.replay_data import Dataset, Recording

WINDOW_S = 2.56
"""As UCI-HAR: two steps of a slow walker."""
MIN_LENGTH = 48
"""Samples of a window, or there is too little for three layers to look at."""
RATE_HZ = 50.0
"""A faster sensor is read at about this rate: nothing a body does lies above 20 Hz."""
MIN_WINDOWS = 10
"""Of a class, or it is left out: half of them would tell nothing of how well it is recognised."""
MANY_WINDOWS = 4000
"""From here on a network of the full size is worth its weights."""
STEPS = 1000
"""Of the optimizer: fewer leave a small network unfinished, more take minutes without gain."""
VALIDATION_SHARE = 0.2
DRAWS = 50
"""How many ways to set people aside are tried, to find one that leaves every class to both parts."""


@dataclass(frozen=True, slots=True)
class OwnRecipe:
    """A recipe, and what a person should know about how it came about."""

    recipe: Recipe
    notices: tuple[str, ...]
    """A line each."""


def own_recipe(
    name: str,
    dataset: Dataset,
    *,
    network: str = "uci",
    window_s: float = WINDOW_S,
    overlays: Sequence[str | Path] = (),
) -> OwnRecipe:
    """The recipe by which ``name`` is learnt from these recordings.

    Who validates: people (or sessions, where nobody is named) if there are three or more and every class can be left
    to those learnt from; else the last part of each class of all.

    Args:
        network: a preset, or its nearest fit where the windows have another shape.
        window_s: seconds of a window.
        overlays: recipe files whose settings replace those chosen here.
    Raises:
        DataDamaged: no labels, fewer than two classes with enough windows, or no sensor in common.
        ConfigError: the name, the network or an overlay is wrong.
    """
    if not name or not name.isprintable() or set(name) & set("/\\:") or name.startswith("."):
        raise ConfigError(f"model name '{name}' cannot be a file's name; choose letters, digits, - and _")
    if network not in PRESETS:
        hint = did_you_mean(network, PRESETS, 0.0)
        raise ConfigError(f"no network '{network}'{hint}; choose from {', '.join(PRESETS)}")
    if not 0.5 <= window_s <= 60:
        raise ConfigError(f"a window of {window_s:g} s; expected 0.5 to 60")
    recordings = list(dataset)
    channels, notices = common_channels(recordings)
    spec = _input(channels, min(one.fs_hz for one in recordings), window_s)
    shown = _shown(recordings, spec)
    labels, left_out = _classes(shown, spec, recordings)
    base = load_recipe(network)
    windows = sum(n for counts in shown.values() for label, n in counts.items() if label in labels)
    validating = _set_aside({subject: counts for subject, counts in shown.items() if counts}, labels)
    how, told = _validation(validating, shown)
    data = Data(
        dataset=OWN_RECORDINGS,
        labels=labels,
        description=_description(recordings, shown, channels, windows * spec.hop_s / 60),
        terms="the owner's; what was recorded of a person belongs to that person",
        limits=(
            f"Learnt from {len(shown)} {'person or session' if len(shown) == 1 else 'people or sessions'}; "
            "others, or a sensor worn elsewhere, were never seen.",
            f"Whatever it is shown, it calls {', '.join(labels)}: it knows nothing else.",
        ),
        protocol=how,
        validate_on=validating,
        validation_share=VALIDATION_SHARE,
        train_hop=max(1, spec.length // 4),
    )
    batch_size = 64 if windows < MANY_WINDOWS else base.training.batch_size
    steps = max(1, round((1 - VALIDATION_SHARE) * windows / batch_size))
    training = replace(base.training, batch_size=batch_size, epochs=min(100, max(10, round(STEPS / steps))))
    made = Recipe(name, _network(network, base, spec, len(labels), windows), data, spec, training, base.augmentation)
    notices = (*notices, *left_out, *_unlabelled(recordings), *_repairs(recordings), told)
    return OwnRecipe(lay_over(made, *overlays) if overlays else made, notices)


def _input(channels: tuple[str, ...], fs_hz: float, window_s: float) -> InputSpec:
    """Body acceleration and rotation first, acceleration as it is last, as in UCI-HAR."""
    rate = fs_hz / max(1, round(fs_hz / RATE_HZ))
    columns = [name for names in (BODY_ACC if ACC[0] in channels else (), GYRO, ACC) for name in names]
    wanted = tuple(name for name in columns if name in channels or name in BODY_ACC)
    length = max(MIN_LENGTH, 4 * round(window_s * rate / 4))
    return InputSpec(
        channels=wanted,
        fs_hz=rate,
        length=length,
        hop=length // 2,
        max_gap_s=max(0.25, 5 / rate),
        lowpass_hz=20.0 if rate > 45 else None,  # below, little is left to cut
    )


def _shown(recordings: Sequence[Recording], spec: InputSpec) -> dict[str, Counter[str]]:
    """How many windows of each class each person has."""
    shown: dict[str, Counter[str]] = {}
    for one in recordings:
        shown.setdefault(one.subject, Counter()).update(most_windows(one, spec, spec.hop))
    return shown


def _classes(
    shown: dict[str, Counter[str]], spec: InputSpec, recordings: Sequence[Recording]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes with enough windows, and a line on each without."""
    named = sorted({one.label_names[code] for one in recordings for code in _codes(one)})
    if not named:
        raise DataDamaged(
            f"no labels in {_listed([one.name for one in recordings])}; add a column 'label' that says what is done "
            "in each row, or name it: --columns 'label=NAME'"
        )
    total: Counter[str] = sum(shown.values(), Counter())
    labels = tuple(name for name in named if total[name] >= MIN_WINDOWS)
    needed_s = (MIN_WINDOWS - 1) * spec.hop_s + spec.window_s
    short = tuple(
        f"'{name}' is left out: windows of {spec.window_s:.2f} s that show nothing else: {total[name]}, needed: "
        f"{MIN_WINDOWS}; record {needed_s:.0f} s or more of it"
        for name in named
        if name not in labels
    )
    if len(labels) < 2:
        found = f"only '{labels[0]}' has enough" if labels else "no activity has enough"
        why = "".join(f"; {line}" for line in short) or "; record and label at least one more activity"
        raise DataDamaged(f"two activities or more are needed to learn a difference, and {found}{why}")
    return labels, short


def _codes(recording: Recording) -> list[int]:
    return [] if recording.labels is None else [int(code) for code in np.unique(recording.labels) if code >= 0]


def _set_aside(shown: dict[str, Counter[str]], labels: Sequence[str]) -> tuple[str, ...]:
    """People to validate on, so that those left show every class; nobody where that cannot be.

    Of many ways to draw them, the one that validates the most classes, the first of equals.
    """
    people = list(shown)
    if len(people) < 3:
        return ()
    rng = np.random.default_rng(0)
    best: tuple[str, ...] = ()
    most = len(labels) // 2  # to validate on half of the classes says too little
    for _ in range(DRAWS):
        drawn = [people[i] for i in rng.permutation(len(people))[: max(1, round(VALIDATION_SHARE * len(people)))]]
        rest: Counter[str] = sum((shown[one] for one in people if one not in drawn), Counter())
        seen = {label for one in drawn for label in shown[one] if label in labels}
        if all(rest[label] >= MIN_WINDOWS for label in labels) and len(seen) > most:
            best, most = tuple(drawn), len(seen)
    return tuple(one for one in people if one in best)


def _validation(validating: tuple[str, ...], shown: dict[str, Counter[str]]) -> tuple[str, str]:
    """The protocol, and what it means."""
    if validating:
        return "named", f"validated on {', '.join(validating)}, who {_is(validating)} not learnt from"
    why = (
        f"{len(shown)} {'person or session' if len(shown) == 1 else 'people or sessions'}, too few to set one aside"
        if len(shown) < 3
        else "no person or session can be set aside without losing a class"
    )
    return "blocks", (
        f"{why}: validated on the SAME in other minutes (the last {VALIDATION_SHARE:.0%} of each activity, one window "
        "apart); expect less from anybody else"
    )


def _is(people: Sequence[str]) -> str:
    return "was" if len(people) == 1 else "were"


def _network(preset: str, base: Recipe, spec: InputSpec, classes: int, windows: int) -> Network:
    """The preset for windows of this shape, at half its channels where there is little to learn from."""
    arch = PRESETS[preset]
    widths = base.network.widths if len(base.network.widths) <= 10 else tuple(n / 10 for n in range(1, 11))
    known = base.network.resolutions
    shares = [known[i] / known[-1] for i in np.unique(np.linspace(0, len(known) - 1, 5).round().astype(int))]
    resolutions = tuple(sorted({round(share * spec.length) for share in shares}))
    columns = len(spec.channels)
    if arch.kind != "kinet":  # which is small as it is
        sizes = {"channels": tuple(n // 2 for n in arch.channels)} if windows < MANY_WINDOWS else {}
        if spec.length < 96 and arch.stride[0] > 2:
            sizes |= {"kernel": (5, 1), "stride": (2, 1), "padding": (2, 0)}
    else:
        sizes = {}
    wide = columns if arch.pool[1] == arch.columns else arch.pool[1]
    fitted = replace(arch, columns=columns, length=spec.length, classes=classes, pool=(1, wide), **sizes)
    try:
        left = feature_sizes(fitted, resolutions[0])[-1][0]
    except ConfigError as error:
        raise ConfigError(f"network {preset} does not fit these windows ({error}); choose --network uci") from error
    pool = (min(arch.pool[0], left), wide)
    return Network(
        preset, widths, resolutions, length=spec.length, columns=columns, classes=classes, pool=pool, **sizes
    )


def _description(
    recordings: Sequence[Recording], shown: dict[str, Counter[str]], channels: Sequence[str], minutes: float
) -> str:
    sensors = " and ".join(dict.fromkeys(name.rsplit("_", 1)[0] for name in channels))
    return (
        f"own recordings {_listed([one.name for one in recordings])} ({len(shown)} people or sessions, about "
        f"{minutes:.1f} min labelled): {sensors} at {min(one.fs_hz for one in recordings):g} Hz"
    )


def _unlabelled(recordings: Sequence[Recording]) -> tuple[str, ...]:
    bare = [one.name for one in recordings if not _codes(one)]
    return (f"no labels in {_listed(bare)}: nothing is learnt from there",) if bare else ()


def _repairs(recordings: Sequence[Recording]) -> tuple[str, ...]:
    repairs: Counter[str] = Counter()
    for one in recordings:
        repairs.update(one.repairs)
    told = ", ".join(f"{n} {kind}" for kind, n in repairs.items())
    return (f"skipped or repaired while reading: {told}",) if told else ()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
