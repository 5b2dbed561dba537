"""Recorded motion: the datasets as their authors distribute them, and tables of one's own."""

from .datasets import default_data_dir, open_dataset
from .recording import Dataset, Entry, Recording

__all__ = ["Dataset", "Entry", "Recording", "default_data_dir", "open_dataset"]
