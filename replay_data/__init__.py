"""Recorded and simulated motion: public datasets, tables, recordings and the wearer, each played as a stream."""

from .datasets.registry import default_data_dir, open_dataset
from .player import Player
from .recording import Dataset, Entry, Recording
from .tables.column_map import ColumnMap
from .wearer.device_effects import DeviceEffects
from .wearer.wearer import Wearer, simulate

__all__ = [
    "ColumnMap",
    "Dataset",
    "DeviceEffects",
    "Entry",
    "Player",
    "Recording",
    "Wearer",
    "default_data_dir",
    "open_dataset",
    "simulate",
]
