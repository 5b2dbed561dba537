"""What a model file says of its making, as JSON values, and the same as a page to read."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from kinestream.errors import ConfigError
from kinestream.inference.architecture import PRESETS
from kinestream.signals import Subnet

from .recipe_file import parse_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinestream.inference.model_file import Model

    from .data import Split, Windows
    from .recipe import Recipe


def begin_card(recipe: Recipe, split: Split, train: Windows, validation: Windows, command: str) -> dict[str, Any]:
    """The card before anything was measured."""
    return {
        "data": recipe.data.description,
        "terms": recipe.data.terms,
        "limits": list(recipe.data.limits),
        "command": command,
        "subjects": {name: list(people) for name, people in dataclasses.asdict(split).items()},
        "windows": {
            part: {"used": len(windows), "left_out": dict(windows.left_out), "repairs": dict(windows.repairs)}
            for part, windows in (("train", train), ("validation", validation))
        },
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
    }


def recipe_of(model: Model) -> Recipe:
    """The recipe a model was trained with.

    Raises:
        ConfigError: the model does not say, or says something this kinestream does not know.
    """
    recipe = model.card.get("recipe")
    if not isinstance(recipe, dict):
        raise ConfigError(
            f"{model.name} does not say what it was trained on; evaluate a model made by kinestream train"
        )
    return parse_recipe(recipe)


def protocol(recipe: Recipe, split: Split) -> str:
    """How the test figures come about, in a sentence."""
    spec = recipe.input
    chosen = "named by the recipe" if recipe.data.test_subjects else f"drawn with seed {recipe.data.split_seed}"
    return (
        f"{recipe.data.description}; test subjects {', '.join(split.test)} ({chosen}), never trained or validated on; "
        f"windows of {spec.length} samples every {spec.hop} at {spec.fs_hz:g} Hz, each inside one labelled activity "
        "from its first sample on, conditioned by the same causal code that runs live"
    )


def to_markdown(model: Model) -> str:
    """The card as a page."""
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
        *(f"- **{part.capitalize()} windows:** {_counts(found)}" for part, found in card["windows"].items()),
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
    corners = figures["corners"]
    lines = [f"{figures['protocol']}.", ""] if "protocol" in figures else []
    lines += [f"{figures['windows']} windows. Recall of each class at the corners of the grid, in percent:", ""]
    lines += [f"| | {' | '.join(corners)} |", f"|---|{'---:|' * len(corners)}"]
    for label in model.labels:
        lines.append(f"| {label} | {' | '.join(_percent(found['recall'][label]) for found in corners.values())} |")
    lines.append(f"| **accuracy** | {' | '.join(_percent(figures['accuracy'][name]) for name in corners)} |")
    lines.append(f"| macro F1 | {' | '.join(_percent(found['macro_f1']) for found in corners.values())} |")
    lines += ["", "Accuracy of every subnetwork:", ""]
    lines += [f"| width | {' | '.join(map(str, model.resolutions))} |", f"|---|{'---:|' * len(model.resolutions)}"]
    for width in model.widths:
        row = (_percent(figures["accuracy"][str(Subnet(width, resolution))]) for resolution in model.resolutions)
        lines.append(f"| {width:.2f} | {' | '.join(row)} |")
    return lines


def _counts(found: Mapping[str, Any]) -> str:
    """What was used, what was left out, what was repaired while reading."""
    text = f"{found['used']} used"
    for kind, counts in (("of other activities left out", found["left_out"]), ("repaired", found["repairs"])):
        if counts:
            text += f"; {kind}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    return text


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
