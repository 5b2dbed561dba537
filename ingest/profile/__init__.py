"""The framework for Bluetooth device profiles: decoders, dialogues, profiles from TOML. No radio here."""

from .decoder import Clock, Decoder, Group, Packet
from .dialogue import Await, Dialogue, Find, Periodic, Read, Step, Subscribe, Wait, Write
from .profile import Advertisement, Plan, Profile, Settings, Signature
from .slower_settings import slower_settings

__all__ = [
    "Advertisement",
    "Await",
    "Clock",
    "Decoder",
    "Dialogue",
    "Find",
    "Group",
    "Packet",
    "Periodic",
    "Plan",
    "Profile",
    "Read",
    "Settings",
    "Signature",
    "Step",
    "Subscribe",
    "Wait",
    "Write",
    "slower_settings",
]
