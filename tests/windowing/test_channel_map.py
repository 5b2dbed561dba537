from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from kinestream.core.axes import AxisMap
from kinestream.core.errors import ConfigError
from kinestream.windowing import ChannelMap
from tests.windowing.streams import regular


def test_axes_of_acceleration_and_rotation_are_turned_together() -> None:
    chunk = regular(3)
    turned = ChannelMap.parse("-y x z").apply(chunk)
    np.testing.assert_array_equal(turned.x[:, :3], chunk.x[:, [1, 0, 2]] * np.array([-1, 1, 1], np.float32))
    np.testing.assert_array_equal(turned.x[:, 3:], chunk.x[:, [4, 3, 5]] * np.array([-1, 1, 1], np.float32))


def test_unchanged_axes_return_the_same_chunk() -> None:
    chunk = regular(3)
    assert ChannelMap.parse("x, y, z").apply(chunk) is chunk


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x y", "three of x, y, z"),
        ("x y w", "three of x, y, z"),
        ("x x z", "once"),
        ("-x y z", "mirror"),
        ("y x z", "write 'y x z mirrored'"),
        ("-y x z mirrored", "only turn the sensor"),
        ("x y mirrored", "three of x, y, z"),
        ("x x z mirrored", "once"),
        ("y x z mirored", "three of x, y, z"),
        ("mirrored", "three of x, y, z"),
    ],
)
def test_a_mirror_image_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ChannelMap.parse(text)


def test_factors_scale_to_si_units_with_the_turn() -> None:
    chunk = regular(3)
    scaled = ChannelMap((1, 0, 2), (-1, 1, 1), acc_factor=2.0, gyro_factor=0.5).apply(chunk)
    turned = ChannelMap.parse("-y x z").apply(chunk)
    np.testing.assert_array_equal(scaled.x[:, :3], turned.x[:, :3] * np.float32(2))
    np.testing.assert_array_equal(scaled.x[:, 3:], turned.x[:, 3:] * np.float32(0.5))


@pytest.mark.parametrize("text", ["x y z", "-y x z", "z -x -y", "y x z mirrored", "-x -y -z mirrored"])
def test_a_map_is_printed_as_it_is_parsed(text: str) -> None:
    assert str(ChannelMap.parse(text)) == text


def test_a_mirrored_sensor_is_mended_when_the_user_says_so() -> None:
    chunk = regular(3)
    mended = ChannelMap.parse("y, x, z, mirrored").apply(chunk)
    np.testing.assert_array_equal(mended.x, chunk.x[:, [1, 0, 2, 4, 3, 5]])


def test_every_axis_map_is_a_turn_or_a_mirror_image() -> None:
    for axes in permutations((0, 1, 2), 3):
        for signs in product((1, -1), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), axes] = signs
            assert AxisMap(axes, (signs[0], signs[1], signs[2])).mirrored == (np.linalg.det(matrix) < 0)
