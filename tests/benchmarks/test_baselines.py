"""The saving of a switchable network at the accuracy of an independent network."""

from dataclasses import replace

import pytest

from benchmarks.baselines import FULL, PAPERS, means, saved
from benchmarks.result_file import ResultFile
from kinestream.core.signals import Subnet
from kinestream.inference import PRESETS, Model, macs
from tests.random_models import random_model


@pytest.fixture(scope="module")
def cnn() -> Model:
    return random_model("cnn", PRESETS["uci"], (0.1, 0.2, 0.5, 1.0), (96, 128))


def with_accuracies(model: Model, validation: dict[str, float], test: dict[str, float]) -> Model:
    """The model with these accuracies by subnetwork, and 0.5 for the others."""
    accuracy = {subnet: validation.get(str(subnet), 0.5) for subnet in model.subnets}
    tested = {str(subnet): test.get(str(subnet), 0.5) for subnet in model.subnets}
    return replace(model, accuracy=accuracy, card={**model.card, "test": {"accuracy": tested}})


def independent(validation: float, test: float, name: str = "independent") -> ResultFile:
    results = ResultFile(None, {"title": "made up"})
    results.add(name, FULL, 0, {"accuracy": test, "validation": validation})
    return results


def test_the_operating_point_is_chosen_on_validation_people_and_reported_with_its_test_accuracy(cnn):
    validation = {"0.10x-128": 0.9, "0.20x-128": 0.96, "0.50x-128": 0.97, "1.00x-128": 0.98}
    test = {"0.10x-128": 0.99, "0.20x-128": 0.94, "0.50x-128": 0.96, "1.00x-128": 0.97}
    comparison = saved(independent(0.955, 0.955), [with_accuracies(cnn, validation, test)], cnn, rounds=1)
    chosen, read_off = comparison["chosen"]["macs"], comparison["read_off_test"]["macs"]
    assert (chosen["subnet"], chosen["validation"], chosen["accuracy"]) == ("0.20x-128", 0.96, 0.94)
    full, cut = macs(cnn.architecture, FULL), macs(cnn.architecture, Subnet(0.2, 128))
    assert (chosen["macs"], chosen["macs_saved"]) == (cut, round(full / cut, 1))
    assert chosen["time_saved"] == pytest.approx(
        comparison["independent"]["latency_us"] / chosen["latency_us"], rel=0.05
    )
    assert read_off["subnet"] == "0.10x-128"


def test_several_seeds_count_as_their_mean(cnn):
    seeds = [with_accuracies(cnn, {"0.10x-96": v}, {"0.10x-96": t}) for v, t in ((0.9, 0.8), (0.7, 0.9))]
    assert means(seeds)[Subnet(0.1, 96)] == (pytest.approx(0.8), pytest.approx(0.85))
    comparison = saved(independent(0.85, 0.9), seeds, cnn, rounds=1)
    assert comparison["chosen"]["macs"] is None
    assert comparison["seeds"] == 2


def test_the_fastest_point_can_differ_from_the_cheapest(cnn):
    right = {str(subnet): 0.97 for subnet in cnn.subnets}
    comparison = saved(independent(0.96, 0.96), [with_accuracies(cnn, right, right)], cnn, rounds=2)
    assert comparison["chosen"]["macs"]["subnet"] == "0.10x-96"
    assert comparison["chosen"]["time"]["latency_us"] <= comparison["chosen"]["macs"]["latency_us"]


def test_without_the_independent_network_there_is_nothing_to_compare(cnn):
    with pytest.raises(SystemExit, match="no independent"):
        saved(ResultFile(None, {}), [cnn], cnn, rounds=1)


def test_a_network_trained_by_the_papers_recipe_is_a_separate_row(cnn):
    model = with_accuracies(cnn, {"0.20x-96": 0.9}, {"0.20x-96": 0.9})
    comparison = saved(independent(0.8, 0.8, PAPERS), [model], cnn, rounds=1, against=PAPERS)
    assert comparison["against"] == PAPERS
    assert comparison["chosen"]["macs"]["subnet"] == comparison["read_off_test"]["macs"]["subnet"] == "0.20x-96"
