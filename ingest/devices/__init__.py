"""Wearable motion sensors over Bluetooth, one module a device: what each says, and what to say to it. No radio here."""

from .registry import find_profile, profiles, recognise

__all__ = ["find_profile", "profiles", "recognise"]
