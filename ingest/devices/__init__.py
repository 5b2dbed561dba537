"""Wearable motion sensors over Bluetooth: what each says, and what to say to it. No radio here."""

from .packet import Clock, Decoder, Group, Packet
from .profile import Advertisement, Plan, Profile, Settings, Signature
from .registry import find_profile, profiles, recognise
from .sparing import spared
from .steps import Await, Dialogue, Find, Periodic, Read, Step, Subscribe, Wait, Write

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
    "find_profile",
    "profiles",
    "recognise",
    "spared",
]
