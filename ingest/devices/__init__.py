"""Profiles of wearable motion sensors, one module per device: packet formats and commands. No radio here."""

from .registry import find_profile, profiles, recognise

__all__ = ["find_profile", "profiles", "recognise"]
