"""The ablation changes one thing at a time and never reads a test person."""

from dataclasses import asdict, replace

import pytest

from benchmarks.ablation import BASE, JUDGED, VARIANTS, changed, run
from kinestream.train import load_recipe
from tests.train.made_up import windows

UCI = load_recipe("uci")


def differing_settings(first: dict, second: dict) -> set[str]:
    return {
        f"{table}.{key}"
        for table in first
        if isinstance(first[table], dict)
        for key in first[table]
        if first[table][key] != second[table][key]
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_changes_only_the_settings_it_names(name):
    variant = changed(UCI, VARIANTS[name])
    named = {f"{table}.{key}" for table, keys in VARIANTS[name].items() for key in keys}
    assert differing_settings(asdict(UCI), asdict(variant)) == named
    assert (variant == UCI) is (name == BASE)


def test_every_scored_subnetwork_is_in_the_recipe():
    assert set(JUDGED) <= set(UCI.network.subnets)


def test_a_variant_is_trained_and_scored_at_every_listed_subnetwork():
    quick = replace(UCI, training=replace(UCI.training, epochs=1, batch_size=16, statistics_windows=32))
    figures_of = run(changed(quick, VARIANTS["two passes"]), windows(1), windows(2))
    assert list(figures_of) == list(JUDGED)
    assert all(0 <= figures["accuracy"] <= 1 for figures in figures_of.values())
