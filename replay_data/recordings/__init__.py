"""Recordings of live sessions: what came in, what was predicted, and why, in a folder that survives a crash."""

from .dataset import open_recording
from .layout import is_recording
from .player import SessionPlayer
from .reader import SessionReader
from .seal import Recovery, recover
from .tables import Event, PredictionRecord
from .writer import SessionWriter

__all__ = [
    "Event",
    "PredictionRecord",
    "Recovery",
    "SessionPlayer",
    "SessionReader",
    "SessionWriter",
    "is_recording",
    "open_recording",
    "recover",
]
