"""Recordings on disk: samples, predictions and the reasons for them, in a folder that survives a crash."""

from .dataset import open_recording
from .layout import is_recording
from .player import RecordingPlayer
from .reader import RecordingReader
from .recover import Recovery, recover
from .schema import Event, PredictionRecord
from .writer import RecordingWriter

__all__ = [
    "Event",
    "PredictionRecord",
    "RecordingPlayer",
    "RecordingReader",
    "RecordingWriter",
    "Recovery",
    "is_recording",
    "open_recording",
    "recover",
]
