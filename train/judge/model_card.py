"""The model card: how a model was made and scored, as JSON values and as a Markdown page."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.inference.presets import PRESETS

from ..data.windows import missing_classes
from ..recipe.recipe_toml import parse_recipe
from ..splits.protocols import protocol_of
from .scores import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kinestream.inference.model_file import Model

    from ..data.windows import Windows
    from ..recipe.schema import Recipe
    from ..splits.split import Split


def begin_card(recipe: Recipe, split: Split, train: Windows, validation: Windows, command: str) -> dict[str, Any]:
    """The card of a run before any score is measured."""
    return {
        "data": recipe.data.description,
        "terms": recipe.data.terms,
        "limits": list(recipe.data.limits),
        "command": command,
        "subjects": {name: list(people) for name, people in dataclasses.asdict(split).items()},
        "windows": {
            part: {
                "used": len(windows),
                "left_out": dict(windows.left_out),
                "repairs": dict(windows.repairs),
                "without": missing_classes(windows, recipe.data.labels),
            }
            for part, windows in (("train", train), ("validation", validation))
        },
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
    }


def recipe_of(model: Model) -> Recipe:
    """The recipe a model was trained with, from its card.

    Raises:
        ConfigError: the card has no recipe, or a setting this version of kinestream does not know.
    """
    recipe = model.card.get("recipe")
    if not isinstance(recipe, dict):
        raise ConfigError(f"the card of {model.name} has no recipe; use a model made by kinestream train")
    return parse_recipe(recipe)


def learnt_from(model: Model) -> dict[str, list[str]]:
    """The people of a model's training (``train``) and model selection (``validation``), from its card.

    Raises:
        ConfigError: the card does not name them.
    """
    subjects = model.card.get("subjects")
    if not isinstance(subjects, dict) or not {"train", "validation"} <= set(subjects):
        raise ConfigError(
            f"the card of {model.name} does not name its training people; use a model made by kinestream train"
        )
    return {part: list(subjects[part]) for part in ("train", "validation")}


def definition(recipe: Recipe) -> str:
    """A sentence that defines the scores of the recipe's protocol; stored with them."""
    spec, protocol = recipe.input, protocol_of(recipe.data)
    conditioning = (
        "in the data set's own conditioning, which is not causal"
        if "uci-har" in recipe.data.datasets
        else "conditioned by the same causal code that runs live"
    )
    known = "; once all was chosen on them, the validation people train too" if recipe.data.validation_trains else ""
    return (
        f"{recipe.data.description}; protocol {protocol.name}: {protocol.define(recipe.data)}{known}; "
        f"windows of {spec.length} samples every {spec.hop} at {spec.fs_hz:g} Hz, each inside one labelled activity "
        f"from its first sample on, {conditioning}"
    )


def without_counts(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The scores for a card: without each person's counts, which only pooling needs."""
    scores = {
        name: {key: value for key, value in score.items() if key not in ("confusion_by_subject", "confidence_bins")}
        for name, score in figures["scores"].items()
    }
    groups = {"groups": without_counts(figures["groups"])} if "groups" in figures else {}
    return {**figures, "scores": scores, **groups}


def to_markdown(model: Model) -> str:
    """The card as a Markdown page."""
    card, recipe = model.card, recipe_of(model)
    lines = [
        f"# {model.name}",
        "",
        f"A switchable {recipe.network.architecture.kind} ({_preset(recipe)}): {len(model.widths)} widths x "
        f"{len(model.resolutions)} resolutions, "
        f"windows of {model.input.length} samples at {model.input.fs_hz:g} Hz of {', '.join(model.input.channels)}.",
        "",
        f"- **Tells apart:** {', '.join(model.labels)}",
        f"- **Data:** {card['data']}",
        f"- **Terms:** {card['terms']}",
        f"- **Command:** `{card['command']}`; seed {recipe.seed}",
        *(f"- **{part.capitalize()} subjects:** {', '.join(people)}" for part, people in card["subjects"].items()),
        *(f"- **{part.capitalize()} windows:** {_counts(counts)}" for part, counts in card["windows"].items()),
    ]
    if card["limits"]:
        lines += ["", "## Limits", "", *(f"- {limit}" for limit in card["limits"])]
    for part in ("test", "validation"):
        if part in card:
            lines += ["", f"## Accuracy on the {part} subjects", "", *_figures(model, card[part])]
    lines += ["", "## Recipe", "", "```json", json.dumps(card["recipe"], indent=1, ensure_ascii=False), "```"]
    return "\n".join(lines) + "\n"


def _preset(recipe: Recipe) -> str:
    network = recipe.network
    sizes = network.architecture.channels
    return network.preset if network.architecture == PRESETS[network.preset] else f"{network.preset} resized, {sizes}"


def _figures(model: Model, figures: Mapping[str, Any]) -> list[str]:
    scores = figures["scores"]
    lines = [f"{figures['definition']}.", ""] if "definition" in figures else []
    if figures.get("seen_in_training"):
        lines += [f"**Seen in training:** {', '.join(figures['seen_subjects'])}.", ""]
    lines += [f"{figures['windows']} windows. Recall of each class, in percent:", "", *_recalls(scores, model.labels)]
    if "groups" in figures:
        made_of = figures["groups"]["made_of"]
        members = "; ".join(f"{name}: {', '.join(labels)}" for name, labels in made_of.items())
        lines += ["", f"In groups whose probabilities are summed ({members}):", ""]
        lines += _recalls(figures["groups"]["scores"], tuple(made_of))
    if any(s["interval_95_over_subjects"]["accuracy"] for s in scores.values()):
        lines += ["", "In brackets: 95 % interval over people (bootstrap)."]
    lines += ["", "Accuracy of every subnetwork:", ""]
    lines += [f"| width | {' | '.join(map(str, model.resolutions))} |", f"|---|{'---:|' * len(model.resolutions)}"]
    for width in model.widths:
        row = (percent(figures["accuracy"][str(Subnet(width, resolution))]) for resolution in model.resolutions)
        lines.append(f"| {width:.2f} | {' | '.join(row)} |")
    return lines


def _recalls(scores: Mapping[str, Any], labels: Sequence[str]) -> list[str]:
    """A table of each class's recall and the overall measures, one column per subnetwork."""
    lines = [f"| | {' | '.join(scores)} |", f"|---|{'---:|' * len(scores)}"]
    for label in labels:
        cells = (percent(score["classes"][label]["recall"]) for score in scores.values())
        lines += [f"| {label} | {' | '.join(cells)} |"]
    for name in MEASURES:
        bold = "**" if name == "accuracy" else ""
        cells = (percent_and_interval(score, name) for score in scores.values())
        lines.append(f"| {bold}{measure_title(name)}{bold} | {' | '.join(cells)} |")
    lines.append(f"| calibration error | {' | '.join(percent(s['calibration_error']) for s in scores.values())} |")
    return lines


def _counts(windows: Mapping[str, Any]) -> str:
    """Numbers of windows used, left out and repaired."""
    text = f"{windows['used']} used"
    for kind, counts in (("of other activities left out", windows["left_out"]), ("repaired", windows["repairs"])):
        if counts:
            text += f"; {kind}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    if without := windows.get("without"):  # absent from cards of earlier releases
        text += f"; none of {', '.join(without)}"
    return text


def percent_and_interval(score: Mapping[str, Any], measure: str) -> str:
    """A measure of one subnetwork's scores in percent, with its interval over people if there is one.

    >>> percent_and_interval({"accuracy": 0.9, "interval_95_over_subjects": {"accuracy": [0.8, 0.95]}}, "accuracy")
    '90.00 [80.0, 95.0]'
    """
    ends = score["interval_95_over_subjects"][measure]
    return percent(score[measure]) + (f" [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" if ends else "")


def percent(share: float | None) -> str:
    """A share in percent; a dash for None.

    >>> percent(0.9729), percent(None)
    ('97.29', '-')
    """
    return "-" if share is None else f"{100 * share:.2f}"


def measure_title(name: str) -> str:
    """A measure's name for display.

    >>> measure_title("macro_f1")
    'macro F1'
    """
    return name.replace("_", " ").replace(" f1", " F1")
