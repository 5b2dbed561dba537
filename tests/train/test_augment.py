"""What augmentation changes, and what it must not."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.train import Augmentation, load_recipe
from kinestream.train.augment import prepare, rotate, triads

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
    prepare(x, x.mean(), x.std(), [0, 3, 6], Augmentation(10, 0.2, 0.1), torch.Generator())
    assert torch.equal(x, kept)
