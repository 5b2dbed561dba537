"""Messages that arrived from a phone, whether or not they gave samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from kinestream.core.evidence import Reception

if TYPE_CHECKING:
    from .sensor_logger import Message

EXPECTED = (
    "totalacceleration, or accelerometer and gravity, or accelerometeruncalibrated; gyroscope; wristmotion of a watch"
)
MAX_SENSORS = 64
"""Maximum number of sensors that are counted by name."""


class Heard:
    """Counts messages, those with a malformed reading, and those with a sensor that is not read, by the sensor.

    >>> Heard().reception(Reception("phone-1")).packets
    0
    """

    def __init__(self) -> None:
        self.packets = 0
        self.malformed = 0
        self.example, self.reason = b"", ""
        self.unwanted: Counter[str] = Counter()

    def add(self, message: Message) -> None:
        """Count a message."""
        self.packets += 1
        for sensor in message.unwanted:
            if sensor in self.unwanted or len(self.unwanted) < MAX_SENSORS:
                self.unwanted[sensor] += 1
        if message.reason:
            self.malformed += 1
            self.example, self.reason = message.example, message.reason

    def reception(self, of: Reception) -> Reception:
        """Return a stream's reception with the messages."""
        return replace(
            of,
            packets=self.packets,
            malformed=self.malformed,
            malformed_example=self.example,
            malformed_reason=self.reason,
            unwanted={**self.unwanted, **{name: n or self.packets for name, n in of.unwanted.items()}},
            expected=EXPECTED,
        )
