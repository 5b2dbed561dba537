"""Augmentation changes only the intended properties of a window."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.input_spec import CLIPPED_ACC, OWN_ACC, UPRIGHT_ACC, UPRIGHT_GYRO, UPRIGHT_KNOWN, InputSpec
from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.train import Augmentation, load_recipe
from kinestream.train.data.augment import (
    any_rotations,
    apply_rotations,
    axis_turns,
    prepare,
    slow_down,
    tilts,
    triads,
    vary_views,
)
from kinestream.windowing import ChannelMap
from kinestream.windowing.views import Views, about_own_gravity

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
def test_a_rotation_preserves_lengths_and_angles(deg, seed):
    x = windows()
    rotated = apply_rotations(x, triads(CHANNELS), tilts(5, deg, torch.Generator().manual_seed(seed)))
    before, after = x.reshape(5, 16, 3, 3), rotated.reshape(5, 16, 3, 3)
    torch.testing.assert_close(before @ before.transpose(2, 3), after @ after.transpose(2, 3), rtol=1e-3, atol=1e-3)
    rotations = torch.linalg.lstsq(before.flatten(1, 2), after.flatten(1, 2)).solution
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(5), rtol=1e-3, atol=1e-3)  # no mirror image


def test_each_window_gets_its_own_rotation():
    x = windows()[:1].repeat(2, 1, 1)
    first, second = apply_rotations(x, [0], tilts(2, 20, torch.Generator().manual_seed(0)))
    assert not torch.allclose(first[:, :3], second[:, :3])
    assert torch.equal(first[:, 3:], x[0, :, 3:])


def test_without_augmentation_windows_are_only_normalised():
    x, mean, std = windows(), torch.arange(9.0), torch.linspace(1, 2, 9)
    got = prepare(x, mean, std, CHANNELS, Augmentation(), torch.Generator())
    assert torch.equal(got, (x - mean) / std)


def test_the_input_windows_are_never_modified():
    x = windows()
    original = x.clone()
    prepare(x, x.mean(), x.std(), CHANNELS, Augmentation(10, 0.5, 0.5, 0.2, 0.2, 0.1), torch.Generator())
    assert torch.equal(x, original)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rotations", [any_rotations(64, generator()), axis_turns()], ids=["any", "axes"])
def test_random_turns_are_rotations_and_not_mirror_images(rotations):
    identity = torch.eye(3).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.transpose(1, 2), identity, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(len(rotations)), atol=1e-5, rtol=0)


def test_there_are_24_axis_turns_including_the_identity():
    rotations = axis_turns()
    assert len({tuple(rotation.flatten().tolist()) for rotation in rotations}) == 24
    assert any(torch.equal(rotation, torch.eye(3)) for rotation in rotations)
    assert set(rotations.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_random_rotations_are_uniform():
    z_images = any_rotations(20_000, generator())[:, :, 2]  # images of the z axis: uniform on the sphere
    torch.testing.assert_close(z_images.mean(dim=0), torch.zeros(3), atol=0.02, rtol=0)
    torch.testing.assert_close(z_images.T @ z_images / len(z_images), torch.eye(3) / 3, atol=0.01, rtol=0)


def test_a_rotated_window_equals_the_measurement_of_a_rotated_sensor():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)).astype(np.float32) + np.float32([0, 0, 9.8, 0, 0, 0])
    chunk = SampleChunk("s", "s", np.arange(50) / 50, x, (*ACC, *GYRO), 50.0, 0, 1.0)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # x' = -y, y' = x: in ChannelMap's words "-y x z"
    assert any(torch.equal(rotation, quarter) for rotation in axis_turns())
    ours = apply_rotations(torch.from_numpy(x)[None], triads(chunk.channels), quarter[None])[0]
    assert np.array_equal(ours.numpy(), ChannelMap.parse("-y x z").apply(chunk).x)


@pytest.mark.parametrize("augmentation", [Augmentation(any_rotation=1), Augmentation(axis_turn=1)], ids=["any", "axes"])
def test_accelerometer_and_gyroscope_turn_together(augmentation):
    rate, gravity = torch.tensor([0.3, -0.2, 0.5]), torch.tensor([1.0, 2.0, 9.5])
    x = torch.cat([rate, gravity]).expand(40, 16, 6)
    got = prepare(x, torch.zeros(6), torch.ones(6), (*GYRO, *ACC), augmentation, generator())
    turned_rate, turned_gravity = got[..., :3], got[..., 3:]
    lengths = turned_gravity.norm(dim=2)
    torch.testing.assert_close(lengths, gravity.norm().expand_as(lengths))
    angles = (turned_rate * turned_gravity).sum(dim=2)
    torch.testing.assert_close(angles, (rate @ gravity).expand_as(angles))
    products = torch.linalg.cross(turned_rate, turned_gravity).norm(dim=2)
    torch.testing.assert_close(products, torch.linalg.cross(rate, gravity).norm().expand_as(products))
    assert len(turned_gravity[:, 0].unique(dim=0)) > 5


def test_only_the_given_share_of_windows_is_rotated():
    x = windows()[:1].expand(4000, 16, 9)
    got = prepare(x, torch.zeros(9), torch.ones(9), CHANNELS, Augmentation(any_rotation=0.25), generator())
    same = (got == x).all(dim=2).all(dim=1).float().mean().item()
    assert 0.72 < same < 0.78


def test_a_slower_sensor_preserves_slow_motion_and_loses_fast_motion():
    t = torch.arange(80) / 20
    x = torch.stack([torch.sin(2 * torch.pi * hz * t) for hz in (0.5, 8.0)], dim=1).expand(200, 80, 2)
    got = slow_down(x, 0.5, generator())
    gain = (got.std(dim=1) / x.std(dim=1)).mean(dim=0)
    assert gain[0] > 0.97
    assert gain[1] < 0.85


def test_a_straight_line_survives_any_rate():
    x = torch.linspace(0, 1, 80)[:, None].expand(50, 80, 1)
    got = slow_down(x, 0.6, generator())
    torch.testing.assert_close(got[:, 3:-3], x[:, 3:-3], atol=1e-5, rtol=0)
    assert got.isfinite().all()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.floats(0.01, 0.9), st.integers(0, 1000))
def test_a_slower_sensor_stays_within_the_range_of_the_window(length, most, seed):
    x = torch.randn(4, length, 2, generator=generator(seed))
    got = slow_down(x, most, generator(seed))
    assert got.shape == x.shape
    assert (got <= x.amax(dim=1, keepdim=True) + 1e-5).all()
    assert (got >= x.amin(dim=1, keepdim=True) - 1e-5).all()


VIEWS = InputSpec((*CLIPPED_ACC, *UPRIGHT_ACC, *UPRIGHT_GYRO, *OWN_ACC, UPRIGHT_KNOWN), 20.0, 80, 40, lowpass_hz=None)


def view_windows(n: int = 40) -> torch.Tensor:
    """Windows of a sensor lying on its side, half of them with up known to be its x axis."""
    rng = np.random.default_rng(3)
    stream = rng.normal(size=(n, 80, 6)).astype(np.float32) + np.float32([9, 2, 1, 0, 0, 0.5])
    views = Views(VIEWS)
    return torch.from_numpy(
        np.stack([views.columns(x, (1.0, 0.0, 0.0) if i % 2 else None) for i, x in enumerate(stream)])
    )


def test_a_varied_view_keeps_its_length_its_tilt_and_its_vertical() -> None:
    x = view_windows()
    got = vary_views(x, VIEWS.channels, Augmentation(any_rotation=1), generator())
    upright, was = got[..., 3:6], x[..., 3:6]
    torch.testing.assert_close(upright.norm(dim=2), was.norm(dim=2), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(upright[..., 2], was[..., 2], rtol=1e-4, atol=1e-4)  # only the turn about z is drawn
    assert not torch.allclose(upright[..., 0], was[..., 0])
    torch.testing.assert_close((upright * got[..., 6:9]).sum(2), (was * x[..., 6:9]).sum(2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(got[..., 9:], x[..., 9:], rtol=1e-4, atol=1e-4)


def test_a_dropped_up_looks_like_an_unknown_one() -> None:
    x = view_windows()
    got = vary_views(x, VIEWS.channels, Augmentation(up_dropped=1), generator())
    assert not got[..., -1].any()
    mean = got[..., 3:6].mean(1)
    torch.testing.assert_close(mean[:, :2], torch.zeros(len(x), 2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("read", OWN_ACC)
def test_a_model_may_read_one_column_about_own_gravity_alone(read: str) -> None:
    kept = [VIEWS.channels.index(name) for name in (*UPRIGHT_ACC, read)]
    got = vary_views(view_windows()[..., kept], (*UPRIGHT_ACC, read), Augmentation(gain=0.1, offset=0.5), generator())
    about = torch.from_numpy(about_own_gravity(got[..., :3].numpy()))
    torch.testing.assert_close(got[..., 3], about[..., OWN_ACC.index(read)])


def test_gain_and_offset_change_the_columns_about_own_gravity_too() -> None:
    x = view_windows()
    got = vary_views(x, VIEWS.channels, Augmentation(gain=0.1, offset=0.5), generator())
    about = torch.from_numpy(about_own_gravity(got[..., 3:6].numpy()))
    torch.testing.assert_close(got[..., 9:12], about)
    assert not torch.allclose(got[..., 9:12], x[..., 9:12], atol=0.1)
    torch.testing.assert_close(got[..., 6:9].norm(dim=2), x[..., 6:9].norm(dim=2))  # the gyroscope has neither
