"""Energy models of devices: what a window, a sensor and a radio cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.lazy import lazy_names

if TYPE_CHECKING:
    from .energy_model import EnergyModel, busy_core, energy_model_names, parse_energy_model, read_energy_model

__all__ = ["EnergyModel", "busy_core", "energy_model_names", "parse_energy_model", "read_energy_model"]

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, ".energy_model"))
