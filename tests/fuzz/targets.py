"""Every parser that takes the bytes of strangers; ``tests/inference/test_hostile_model.py`` attacks model files."""

from __future__ import annotations

from .files import FILES
from .live import LIVE
from .texts import TEXTS

TARGETS = {target.name: target for target in (*LIVE, *FILES, *TEXTS)}
