"""How the training people wore the sensor: outliers do not move the centre, and the limit follows the live rule."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC
from kinestream.inference import load_model
from kinestream.interpret.placement import SURE_BLOCKS, PlacementWatch
from kinestream.replay_data import Dataset, Entry, Recording
from kinestream.train import load_recipe
from kinestream.train.judge.placement import (
    LEAST_DEG,
    LEAST_PEOPLE,
    is_worn_like,
    learn_placement,
    placement_of,
    spherical_median,
    sure_angle_deg,
)
from kinestream.train.train_model import train_model
from tests.train.made_up import LABELS, recording, small_recipe
from tests.windowing.test_walking_up import still, walk

SPEC = InputSpec(ACC, 20.0, 40, 20, max_gap_s=0.5, lowpass_hz=None)
DATA = replace(load_recipe("uci").data, dataset="made_up")


def tilted(deg: float, towards: int = 1) -> np.ndarray:
    up = np.zeros(3)
    up[0], up[towards] = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    return up


def course(deg: float, blocks: int = 20) -> list[tuple[float, float, float] | None]:
    x, y, z = tilted(deg).tolist()
    return [None] * 5 + [(x, y, z)] * blocks


def people(*angles_deg: float) -> dict[str, list]:
    return {str(i): [course(deg)] for i, deg in enumerate(angles_deg)}


def test_a_few_people_who_wore_it_otherwise_move_neither_centre_nor_limit_far() -> None:
    usual = (-12.0, -6.0, -3.0, 0.0, 0.0, 2.0, 5.0, 8.0, 11.0, 14.0)
    alone, mixed = placement_of(people(*usual)), placement_of(people(*usual, 85.0))
    assert alone is not None
    assert mixed is not None
    assert mixed.angle_deg(alone.up) < 4
    assert LEAST_DEG <= alone.limit_deg <= mixed.limit_deg < 45
    assert mixed.people == 11


def test_people_who_wore_it_anyhow_give_no_placement() -> None:
    assert placement_of(people(0, 40, 80, 120, 160, 200, 240, 280, 320)) is None


def test_too_few_people_give_no_placement() -> None:
    assert placement_of(people(*range(LEAST_PEOPLE))) is not None
    assert placement_of(people(*range(LEAST_PEOPLE - 1))) is None


def test_a_person_is_judged_by_the_others_only() -> None:
    """One person with many recordings does not become the centre they are compared with."""
    crowd = people(*[0.0] * 9) | {"many": [course(60)] * 8}
    placement = placement_of(crowd)
    assert placement is not None
    assert placement.limit_deg == LEAST_DEG
    assert placement.angle_deg((1.0, 0.0, 0.0)) < 0.01


def test_the_angle_of_a_recording_is_where_the_live_rule_stops_being_sure() -> None:
    rng = np.random.default_rng(0)
    ups = [tuple(tilted(deg).tolist()) for deg in rng.uniform(10, 80, 40)]
    angle_deg = sure_angle_deg(ups, tilted(0))  # type: ignore[arg-type]
    first = placement_of(people(*[0.0] * 5))
    assert first is not None
    for limit_deg, sure in ((angle_deg - 0.01, True), (angle_deg + 0.01, False)):
        watch = PlacementWatch(replace(first, limit_deg=limit_deg))
        assert any(watch.see(up, block) for block, up in enumerate(ups)) is sure
    assert sure_angle_deg(ups[: SURE_BLOCKS - 1], tilted(0)) == 0  # type: ignore[arg-type]


def test_the_median_of_opposite_directions_is_still_a_direction() -> None:
    assert np.linalg.norm(spherical_median(np.array([[1.0, 0, 0], [-1.0, 0, 0]]), np.ones(2))) == pytest.approx(1)


def walker(number: int) -> Recording:
    x = np.concatenate([still(5), walk(60, tilted(3.0 * number), seed=number)]).astype(np.float32)
    t = np.arange(len(x)) / 20
    codes = np.zeros(len(x), np.int16)
    return Recording("made_up", str(number), str(number), 20.0, ACC, t, x, codes, ("walking",))


def walkers(count: int) -> Dataset:
    return Dataset("made_up", ("walking",), [Entry(str(i), str(i), partial(walker, i)) for i in range(count)])


def test_it_is_learnt_from_the_recordings_of_the_training_people_only() -> None:
    dataset = walkers(9)
    placement = learn_placement(dataset, DATA, SPEC, dataset.subjects[:7])
    assert placement is not None
    assert placement.people == 7
    assert placement.angle_deg(tuple(tilted(9.0).tolist())) < 3  # type: ignore[arg-type]


def test_a_model_without_axes_of_its_own_learns_none() -> None:
    dataset = walkers(7)
    views = replace(SPEC, channels=("norm_acc",))
    assert learn_placement(dataset, DATA, views, dataset.subjects) is None


def test_a_wearer_is_worn_like_the_training_people_or_not() -> None:
    dataset = walkers(20)
    placement = learn_placement(dataset, DATA, SPEC, dataset.subjects[:7])
    assert placement is not None
    assert is_worn_like(placement, dataset, SPEC, ["7", "8"])
    assert not is_worn_like(placement, dataset, SPEC, ["8", "19"])


def moving(number: int) -> Recording:
    """A synthetic person whose acceleration is as strong as that of walking."""
    made = recording(str(number), seconds=20.0)
    x = made.x.copy()
    x[:, :3] = (x[:, :3] - [0, 0, 9.8]) * 3 + [0, 0, 9.8]
    return replace(made, x=x.astype(np.float32))


def test_training_stores_it_in_the_model_file(tmp_path) -> None:
    names = (*LABELS, "stand_to_sit")
    dataset = Dataset("made_up", names, [Entry(f"u{i}", str(i), partial(moving, i)) for i in range(9)])
    model = train_model(small_recipe(epochs=1, batch_size=64), tmp_path, dataset=dataset)
    stored = load_model(tmp_path / "small.safetensors")
    assert stored.placement == model.placement
    assert stored.placement is not None
    assert stored.placement.people == len(stored.card["subjects"]["train"])
    assert stored.placement.angle_deg((0.0, 0.0, 1.0)) < 20
