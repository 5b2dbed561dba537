"""What augmentation changes, and what it must not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.train import Augmentation, load_recipe
from kinestream.train.data.augment import any_rotations, axis_turns, prepare, rotate, slow_down, triads, turned
from kinestream.windowing import ChannelMap

CHANNELS = load_recipe("uci").input.channels


def windows() -> torch.Tensor:
    return torch.randn(5, 16, 9, generator=torch.Generator().manual_seed(2)) + torch.arange(9.0)


def test_triads_are_found_by_name():
    assert triads(CHANNELS) == [0, 3, 6]
    assert triads(("acc_x", "acc_y", "acc_z")) == [0]
    assert triads(("acc_y", "acc_x", "acc_z", "gyro_x")) == []
    assert triads(("gyro_z", "acc_x", "acc_y", "acc_z")) == [1]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 180), st.integers(0, 1000))
def test_a_rotation_keeps_lengths_and_angles(deg, seed):
    x = windows()
    turned = rotate(x, triads(CHANNELS), deg, torch.Generator().manual_seed(seed))
    before, after = x.reshape(5, 16, 3, 3), turned.reshape(5, 16, 3, 3)
    torch.testing.assert_close(before @ before.transpose(2, 3), after @ after.transpose(2, 3), rtol=1e-3, atol=1e-3)
    turns = torch.linalg.lstsq(before.flatten(1, 2), after.flatten(1, 2)).solution
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(5), rtol=1e-3, atol=1e-3)  # no mirror image


def test_each_window_is_turned_its_own_way():
    x = windows()[:1].repeat(2, 1, 1)
    first, second = rotate(x, [0], 20, torch.Generator().manual_seed(0))
    assert not torch.allclose(first[:, :3], second[:, :3])
    assert torch.equal(first[:, 3:], x[0, :, 3:])


def test_without_augmentation_windows_are_only_normalised():
    x, mean, std = windows(), torch.arange(9.0), torch.linspace(1, 2, 9)
    got = prepare(x, mean, std, [0, 3, 6], Augmentation(), torch.Generator())
    assert torch.equal(got, (x - mean) / std)


def test_the_windows_themselves_are_never_written():
    x = windows()
    kept = x.clone()
    prepare(x, x.mean(), x.std(), [0, 3, 6], Augmentation(10, 0.5, 0.5, 0.2, 0.2, 0.1), torch.Generator())
    assert torch.equal(x, kept)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("turns", [any_rotations(64, generator()), axis_turns()], ids=["any", "axes"])
def test_every_turn_is_a_rotation_and_no_mirror_image(turns):
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand_as(turns), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(len(turns)), atol=1e-5, rtol=0)


def test_there_are_24_turns_of_the_axes_and_no_turn_is_one_of_them():
    turns = axis_turns()
    assert len({tuple(turn.flatten().tolist()) for turn in turns}) == 24
    assert any(torch.equal(turn, torch.eye(3)) for turn in turns)
    assert set(turns.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_any_rotation_leads_an_axis_to_every_side_alike():
    ends = any_rotations(20_000, generator())[:, :, 2]  # where z comes to lie: even on the sphere
    torch.testing.assert_close(ends.mean(dim=0), torch.zeros(3), atol=0.02, rtol=0)
    torch.testing.assert_close(ends.T @ ends / len(ends), torch.eye(3) / 3, atol=0.01, rtol=0)


def test_a_turned_window_is_what_the_turned_sensor_measures():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)).astype(np.float32) + np.float32([0, 0, 9.8, 0, 0, 0])
    chunk = SampleChunk("s", "s", np.arange(50) / 50, x, (*ACC, *GYRO), 50.0, 0, 1.0)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # x' = -y, y' = x: in ChannelMap's words "-y x z"
    assert any(torch.equal(turn, quarter) for turn in axis_turns())
    ours = turned(torch.from_numpy(x)[None], triads(chunk.channels), quarter[None])[0]
    assert np.array_equal(ours.numpy(), ChannelMap.parse("-y x z").apply(chunk).x)


@pytest.mark.parametrize("how", [Augmentation(any_rotation=1), Augmentation(axis_turn=1)], ids=["any", "axes"])
def test_gravity_keeps_its_length_and_the_gyroscope_turns_with_it(how):
    rate, gravity = torch.tensor([0.3, -0.2, 0.5]), torch.tensor([1.0, 2.0, 9.5])
    x = torch.cat([rate, gravity]).expand(40, 16, 6)
    got = prepare(x, torch.zeros(6), torch.ones(6), [0, 3], how, generator())
    turned_rate, turned_gravity = got[..., :3], got[..., 3:]
    lengths = turned_gravity.norm(dim=2)
    torch.testing.assert_close(lengths, gravity.norm().expand_as(lengths))
    angles = (turned_rate * turned_gravity).sum(dim=2)
    torch.testing.assert_close(angles, (rate @ gravity).expand_as(angles))
    handed = torch.linalg.cross(turned_rate, turned_gravity).norm(dim=2)
    torch.testing.assert_close(handed, torch.linalg.cross(rate, gravity).norm().expand_as(handed))
    assert len(turned_gravity[:, 0].unique(dim=0)) > 5


def test_a_share_of_the_windows_is_left_as_worn():
    x = windows()[:1].expand(4000, 16, 9)
    got = prepare(x, torch.zeros(9), torch.ones(9), [0, 3, 6], Augmentation(any_rotation=0.25), generator())
    same = (got == x).all(dim=2).all(dim=1).float().mean().item()
    assert 0.72 < same < 0.78


def test_a_slower_sensor_keeps_slow_motion_and_loses_fast_motion():
    t = torch.arange(80) / 20
    x = torch.stack([torch.sin(2 * torch.pi * hz * t) for hz in (0.5, 8.0)], dim=1).expand(200, 80, 2)
    got = slow_down(x, 0.5, generator())
    kept = (got.std(dim=1) / x.std(dim=1)).mean(dim=0)
    assert kept[0] > 0.97
    assert kept[1] < 0.85


def test_a_straight_line_survives_any_rate():
    x = torch.linspace(0, 1, 80)[:, None].expand(50, 80, 1)
    got = slow_down(x, 0.6, generator())
    torch.testing.assert_close(got[:, 3:-3], x[:, 3:-3], atol=1e-5, rtol=0)
    assert got.isfinite().all()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.floats(0.01, 0.9), st.integers(0, 1000))
def test_a_slower_sensor_never_reads_beyond_what_was_there(length, most, seed):
    x = torch.randn(4, length, 2, generator=generator(seed))
    got = slow_down(x, most, generator(seed))
    assert got.shape == x.shape
    assert (got <= x.amax(dim=1, keepdim=True) + 1e-5).all()
    assert (got >= x.amin(dim=1, keepdim=True) - 1e-5).all()
