"""From irregular samples to the windows a model expects."""

from .channel_map import ChannelMap
from .segmenter import Segmenter
from .slower_sensor import Sensed
from .training_windows import TrainingWindows, training_windows

__all__ = ["ChannelMap", "Segmenter", "Sensed", "TrainingWindows", "training_windows"]
