"""The subnetworks that lead a joint front, and the fastest that reaches a test accuracy."""

import json

from benchmarks import front as module
from benchmarks.front import Point, fastest, front, seed_means
from kinestream.core.signals import Subnet


def point(us: float, validation: float, width: float = 0.5) -> Point:
    return Point("net", Subnet(width, 128), macs=1, us=us, accuracy=validation, test=None)


def test_the_front_holds_points_better_than_everything_faster():
    points = [point(1, 0.8), point(2, 0.8), point(3, 0.7), point(4, 0.9)]
    assert front(points) == [points[0], points[3]]


def test_the_fastest_subnetwork_with_a_sufficient_test_mean_is_found():
    points = [point(1, 0.99, 0.1), point(2, 0.8, 0.5), point(3, 0.9, 1.0)]
    test = {"0.10x-128": 0.94, "0.50x-128": 0.96, "1.00x-128": 0.97}
    assert fastest(points, test, 0.95) == points[1]
    assert fastest(points, test, 0.97) == points[2]
    assert fastest(points, test, 0.98) is None
    assert fastest(points, {}, 0.5) is None


def test_the_seeds_of_a_model_are_averaged_and_a_model_without_seeds_has_no_mean(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    seeds = {"0": {"accuracy": {"1.00x-128": 0.5}}, "1": {"accuracy": {"1.00x-128": 0.75}}}
    (tmp_path / "net_seeds.json").write_text(json.dumps(seeds))
    assert seed_means("net") == {"1.00x-128": 0.625}
    assert seed_means("other") == {}
