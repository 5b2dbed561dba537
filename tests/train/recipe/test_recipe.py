"""Recipes: every bundled one loads, and errors name the wrong setting."""

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.inference.bundled_models import list_models
from kinestream.inference.model_file import load_model
from kinestream.inference.presets import PRESETS, WIDTHS
from kinestream.replay_data.datasets.hapt import OFFICIAL_TEST_SUBJECTS
from kinestream.train import load_recipe, recipe_names
from kinestream.train.judge.model_card import recipe_of
from kinestream.train.recipe.recipe_toml import OVERLAYS, parse_recipe, to_toml
from tests.conftest import REPOSITORY

UCI = load_recipe("uci")
NETWORKS = [name for name in recipe_names() if name not in OVERLAYS]


def test_every_network_has_a_recipe():
    assert {load_recipe(name).network.preset for name in NETWORKS} == set(PRESETS)
    own = PRESETS.keys() & set(NETWORKS)
    assert len(own) == 7
    assert all(load_recipe(name).network.architecture == PRESETS[name] for name in own)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_recipe_survives_the_round_trip_through_toml(name):
    recipe = load_recipe(name)
    assert parse_recipe(tomllib.loads(to_toml(recipe))) == recipe


@settings(deadline=None, max_examples=50)
@given(st.text(), st.floats(1e-9, 1e3), st.integers(0, 2**31))
def test_any_text_and_number_survives_the_round_trip_through_toml(text, rate, seed):
    recipe = replace(UCI, name=text, seed=seed, training=replace(UCI.training, learning_rate=rate))
    assert parse_recipe(tomllib.loads(to_toml(recipe))) == recipe


def test_the_uci_recipe_keeps_the_official_split_and_the_papers_grid():
    recipe = load_recipe("uci")
    assert recipe.data.test_subjects == OFFICIAL_TEST_SUBJECTS
    assert recipe.network.widths == WIDTHS
    assert len(recipe.network.subnets) == 19 * 9


@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_training_can_overlay_every_network(name):
    own, paper = load_recipe(name), load_recipe(name, "paper")
    assert (paper.network, paper.input, paper.data.labels) == (own.network, own.input, own.data.labels)
    assert (paper.training.passes, paper.training.epochs, paper.training.optimizer) == (9, 150, "adam")
    assert paper.train_hop == paper.input.hop


@pytest.mark.parametrize("name", NETWORKS)
def test_the_robust_recipe_changes_only_the_augmentation(name):
    own, robust = load_recipe(name), load_recipe(name, "robust")
    assert replace(robust, name=own.name, augmentation=own.augmentation) == own
    assert robust.augmentation.any_rotation == robust.augmentation.rate == 0.5


def test_the_arena_recipe_uses_the_arenas_settings():
    recipe = load_recipe("arena_hapt")
    training = recipe.training
    assert (training.optimizer, training.learning_rate, training.weight_decay) == ("adamw", 1e-3, 1e-4)
    assert (training.schedule, training.patience, training.batch_size) == ("cosine", 10, 64)
    assert training.class_weights == "balanced"
    assert (recipe.input.length, recipe.input.hop, recipe.input.fs_hz) == (150, 75, 50.0)
    assert (recipe.data.protocol, recipe.data.validation_share) == ("groups", 0.2)


def test_an_overlay_file_replaces_settings_of_the_recipes_before_it(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("seed = 7\n[training]\nepochs = 2\n")
    recipe = load_recipe("uci", "paper", file)
    assert recipe.name == "uci_cnn_paper"
    assert (recipe.seed, recipe.training.epochs, recipe.training.passes) == (7, 2, 9)


def test_a_recipe_can_override_a_presets_sizes():
    network = load_recipe("watch").network
    assert network.preset == "uci"
    assert (network.architecture.length, network.architecture.classes, network.architecture.channels) == (
        *(80, 18),
        (32, 64, 128),
    )
    assert network.architecture.divisor == PRESETS["uci"].divisor


def test_the_watch_recipes_groups_contain_each_label_once():
    data = load_recipe("watch").data
    assert len(data.groups) == 6
    assert sorted(label for group in data.groups.values() for label in group) == sorted(data.labels)


def test_a_cutoff_of_zero_switches_the_filter_off():
    assert load_recipe("wisdm").input.lowpass_hz is None
    assert load_recipe("uci").input.lowpass_hz == 20.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nepoch = 3", r"table \[training\] has an unknown key 'epoch' \(did you mean 'epochs'\?\)"),
        ("[augmentation]\nrotate_deg = 3", "did you mean 'rotation_deg'"),
        ("[trainig]\nepochs = 3", r"the recipe has an unknown key 'trainig' \(did you mean 'training'"),
        ("[training]\nepochs = 'many'", "'epochs' is 'many'; expected int"),
        ("[training]\nepochs = true", "'epochs' is True; expected int"),
        ("[data]\nlabels = 'walking'", "'labels' is 'walking'"),
        ("[data]\nlabels = [1, 2]", "'labels' is 1; expected str"),
        ("[data]\nlabels = ['walking', 'sitting']", "the recipe has 2 labels; the network uci has 6 classes"),
        ("[training]\npasses = 1", "passes is 1, patience 0; expected at least 2 and at least 0"),
        ("[training]\npatience = -1", "patience -1; expected"),
        ("[training]\ndivergence = 'js'", "divergence is 'js'; choose from kl, alpha"),
        ("[training]\nteacher = 'best'", "teacher is 'best'; choose from full, ensemble"),
        ("[training]\nclass_weights = 'rare'", "class_weights is 'rare'; choose from equal, balanced"),
        ("[training]\nschedule = 'linear'", "schedule is 'linear'; choose from one_cycle, cosine, milestones"),
        ("[training]\noptimizer = 'sgd'", "optimizer is 'sgd'; choose from adam, adamw"),
        ("[training]\noptimizer = 'adam'", "adam takes no weight_decay"),
        ("[training]\nema_decay = 1.5", "ema_decay is 1.5; expected 0 to 1"),
        ("[training]\nlearning_rate = 0", "learning_rate must be positive"),
        ("[network]\nwidths = [0.625, 1.0]", "at most two decimals"),
        ("[augmentation]\njitter = -1", "cannot be negative"),
        ("[network]\npreset = 'lstm'", "network preset 'lstm' is unknown"),
        ("[network]\nwidths = [0.5, 0.1]", "expected ascending"),
        (
            "[network]\nwidths = [0.1, 0.5]",
            "widths end with 0.5, resolutions with 128; expected 1.0 and the length of the full network, 128",
        ),
        (
            "[network]\nresolutions = [96]",
            "widths end with 1, resolutions with 96; expected 1.0 and the length of the full network, 128",
        ),
        ("[input]\nlength = 64", "the network uci reads 128 x 9"),
        ("[data]\nvalidation_subjects = 0", "validation_subjects at least 1"),
        ("[data]\ndataset = 'hapt + hapt'", r"expected a name, or different names with ' \+ ' between them"),
        ("[data.label_map.wisdm]\nstairs = 'walking'", "label_map names 'wisdm'; the recipe's data is hapt"),
        ("[data.label_map.hapt]\nstairs = 'flying'", "label_map.hapt maps to 'flying'"),
        ("[data.label_map]\nhapt = 3", "'label_map.hapt' is 3"),
        ("[data.groups]\nstill = ['sitting']", "groups contain sitting; expected each of the recipe's labels once"),
        ("[augmentation]\naxis_turn = 2", "a share from 0 to 1"),
        ("[augmentation]\nup_dropped = 1.5", "up_dropped is 1.5; expected a share from 0 to 1"),
        ("[augmentation]\nrate = 1", "expected below 1"),
        ("seed = -1", "seed is -1, split_seed 0; expected at least 0"),
        ("[data]\nsplit_seed = -1", "seed is 0, split_seed -1; expected at least 0"),
        ("epochs = [", "is not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, message):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe("uci", file)


def test_a_missing_recipe_file_lists_the_bundled_recipes(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read; name a TOML file or .*paper, phone_acc, resnet_uci"):
        load_recipe(tmp_path / "none.toml")


def test_a_recipe_without_a_required_table_is_refused(tmp_path):
    file = tmp_path / "short.toml"
    file.write_text("name = 'x'\n[network]\npreset = 'uci'\n")
    with pytest.raises(ConfigError, match="the recipe lacks 'data'"):
        load_recipe(file)


def test_no_bundled_recipe_or_model_learns_from_mobifall():
    folders = [REPOSITORY / "train" / "recipes", REPOSITORY / "benchmarks" / "recipes"]
    tables = {path: tomllib.loads(path.read_text("utf-8")) for folder in folders for path in folder.glob("*.toml")}
    assert len(tables) > len(NETWORKS)
    trained_on = {str(path): table.get("data", {}).get("dataset", "") for path, table in tables.items()}
    trained_on |= {name: recipe_of(load_model(path)).data.dataset for name, path in list_models().items()}
    assert [source for source, dataset in trained_on.items() if "mobifall" in dataset] == []
    data = load_recipe("phone_acc").data
    assert replace(data, dataset="hapt + mobifall", label_map={}).datasets == ("hapt", "mobifall")  # a user may
