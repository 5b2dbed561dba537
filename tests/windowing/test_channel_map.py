from __future__ import annotations

import numpy as np
import pytest

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
    [("x y", "three of x, y, z"), ("x y w", "three of x, y, z"), ("x x z", "once"), ("-x y z", "mirror")],
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


@pytest.mark.parametrize("text", ["x y z", "-y x z", "z -x -y"])
def test_a_map_is_printed_as_it_is_parsed(text: str) -> None:
    assert str(ChannelMap.parse(text)) == text
