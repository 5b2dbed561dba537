"""Cut irregular samples into the windows that a model reads."""

from .channel_map import ChannelMap
from .segmenter import Segmenter
from .slower_sensor import Sensed
from .stream_windows import StreamWindows, windows_of
from .training_windows import TrainingWindows, training_windows

__all__ = ["ChannelMap", "Segmenter", "Sensed", "StreamWindows", "TrainingWindows", "training_windows", "windows_of"]
