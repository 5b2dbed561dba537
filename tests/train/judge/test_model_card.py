"""The model card and its Markdown page."""

import json
from dataclasses import replace

import pytest
import torch

from kinestream.core.errors import ConfigError
from kinestream.train.judge.evaluate import score_grid, summary
from kinestream.train.judge.model_card import (
    begin_card,
    definition,
    learnt_from,
    recipe_of,
    to_markdown,
    without_counts,
)
from kinestream.train.network import batch_statistics
from kinestream.train.network.export import to_model
from kinestream.train.network.switchable import SwitchableNet
from kinestream.train.splits.split import split_subjects

from ..made_up import small_recipe, windows

PEOPLE = tuple(map(str, range(8)))


@pytest.fixture(scope="module")
def model():
    recipe, parts = small_recipe(), replace(windows(0), left_out={"stand_to_sit": 3}, repairs={"missing_value": 2})
    split = split_subjects(PEOPLE, recipe.data)
    net, x = SwitchableNet(recipe.network.architecture), torch.from_numpy(parts.x)
    batch_statistics.record(net, x, recipe.network.subnets)
    bare = to_model(recipe, net, torch.zeros(9), torch.ones(9), {})
    scores = score_grid(bare, parts.x, parts.labels)
    card = begin_card(recipe, split, parts, parts, "kinestream train --model_name uci")
    figures = summary(scores, recipe.data.labels)
    card |= {"validation": figures, "test": {"definition": definition(recipe), **figures}}
    return replace(bare, accuracy={subnet: score.accuracy for subnet, score in scores.items()}, card=card)


def test_a_card_is_json_and_contains_the_whole_recipe(model):
    assert json.loads(json.dumps(model.card)) == model.card
    assert recipe_of(model) == small_recipe()


def test_the_page_shows_data_terms_command_subjects_limits_and_scores(model):
    page = to_markdown(model)
    for wanted in (
        model.card["data"],
        model.card["terms"],
        "`kinestream train --model_name uci`",
        "**Test subjects:** 6, 7",
        "**Train windows:** 48 used; of other activities left out: 3 stand_to_sit; repaired: 2 missing_value",
        "Sitting and standing",
        "Accuracy on the test subjects",
        "Accuracy on the validation subjects",
        "protocol holdout: test people named by the recipe",
        "| **accuracy** |",
        "| balanced accuracy |",
        "| calibration error |",
    ):
        assert wanted in page
    full = f"{100 * model.accuracy[model.full]:.2f}"
    assert f"| 1.00 | {100 * model.card['test']['accuracy']['1.00x-96']:.2f} | {full} |" in page


def test_the_page_of_an_untested_model_has_no_test_section(model):
    untested = replace(model, card={key: value for key, value in model.card.items() if key != "test"})
    assert "Accuracy on the test subjects" not in to_markdown(untested)


def test_a_model_without_a_recipe_cannot_be_evaluated(model):
    with pytest.raises(ConfigError, match="the card of small has no recipe"):
        recipe_of(replace(model, card={}))


def test_a_model_without_training_people_cannot_be_evaluated(model):
    assert learnt_from(model)["validation"] == model.card["subjects"]["validation"]
    with pytest.raises(ConfigError, match="does not name its training people"):
        learnt_from(replace(model, card={"recipe": model.card["recipe"]}))


def test_the_page_marks_scores_on_people_seen_in_training(model):
    test = {**model.card["test"], "seen_in_training": True, "seen_subjects": ["3"]}
    assert "**Seen in training:** 3" in to_markdown(replace(model, card={**model.card, "test": test}))
    assert "Seen in training" not in to_markdown(model)


def test_a_card_omits_the_counts_of_each_person():
    scores = {"1.00x-128": {"accuracy": 0.9, "confusion_by_subject": {"1": []}, "confidence_bins": []}}
    figures = {"windows": 3, "scores": scores, "groups": {"made_of": {"still": ["sitting"]}, "scores": scores}}
    bare = {"1.00x-128": {"accuracy": 0.9}}
    groups = {"made_of": {"still": ["sitting"]}, "scores": bare}
    assert without_counts(figures) == {"windows": 3, "scores": bare, "groups": groups}
