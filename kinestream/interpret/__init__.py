"""Turns the probabilities of single windows into conclusions: calibration, smoothing, ``unknown``, episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.lazy import lazy_names

if TYPE_CHECKING:
    from .calibration import Calibration
    from .concluder import Concluder
    from .episodes import Episode, EpisodeFinder
    from .markov_filter import MarkovFilter

__all__ = ["Calibration", "Concluder", "Episode", "EpisodeFinder", "MarkovFilter"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Calibration": ".calibration",
        "Concluder": ".concluder",
        "Episode": ".episodes",
        "EpisodeFinder": ".episodes",
        "MarkovFilter": ".markov_filter",
    },
)
