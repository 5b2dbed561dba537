"""Movesense over its GATT sensor data protocol (GSP): one subscription to the combined sensors.

The protocol can subscribe but not configure, so the firmware's ranges apply.
Source: the vendor's GSP sample (GATTSensorDataClient); captures of sensein/movesense-py.
"""

from __future__ import annotations

import struct

from kinestream.core.errors import DecodeError, DeviceRefused
from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import DEGREE, MAX_PACKET_BYTES, Clock, Decoder, Group, Packet, floats, scale, uuid16
from ..profile.dialogue import Dialogue, Subscribe, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMAND = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
ADVERTISED = uuid16("fdf3")

SUBSCRIBE, UNSUBSCRIBE = 1, 2
RESULT, UPDATE, UPDATE_PART2 = 1, 2, 3
REFERENCE = 99
"""Client-chosen number of the only subscription."""

RATES_HZ = (13, 26, 52, 104, 208, 416, 833)
RESOURCES = {
    "Acc": ACC,
    "Gyro": GYRO,
    "Magn": MAG,
    "IMU6": ACC + GYRO,
    "IMU6m": ACC + MAG,
    "IMU9": ACC + GYRO + MAG,
}
"""Channels by resource; an update holds all vectors of one sensor, then all of the next."""

CLOCK = Clock(tick_s=1e-3, time_modulus=2**32, stamps="first")
_TIME = struct.Struct("<I")
_UNIT = {ACC: 1.0, GYRO: DEGREE, MAG: 1.0}


class MovesenseDecoder(Decoder):
    """Decodes updates of one resource; joins an update that spans several packets."""

    def __init__(self, resource: str, rate_hz: float) -> None:
        channels = RESOURCES[resource]
        super().__init__((Group("motion", channels, rate_hz, CLOCK),), {DATA: self._message})
        self._sensors = len(channels) // 3
        self._units = scale(*((_UNIT[channels[k : k + 3]], 1) for k in range(0, len(channels), 3)))
        """One factor per sensor."""
        self._pending = b""

    def _message(self, data: bytes) -> list[Packet]:
        if len(data) < 2 or data[0] not in (RESULT, UPDATE, UPDATE_PART2):
            raise DecodeError(f"a message; expected {RESULT}, {UPDATE} or {UPDATE_PART2} and a reference", data)
        if data[0] == RESULT:  # of a command, already handled by the dialogue
            return []
        if data[0] == UPDATE:
            self.counts["unfinished"] += bool(self._pending)
            update = data[2:]
        elif not self._pending:
            raise DecodeError("the second part of an update without a first part; expected the first part", data)
        else:
            update = self._pending + data[2:]
        self._pending = b""
        n, rest = divmod(len(update) - _TIME.size, 12 * self._sensors)
        if rest or n < 1:
            if len(update) > 4 * MAX_PACKET_BYTES:
                raise DecodeError(
                    f"an update of more than {len(update)} bytes; expected whole samples within "
                    f"{4 * MAX_PACKET_BYTES} bytes",
                    update,
                )
            self._pending = bytes(update)
            return []
        vectors = floats(update, "<f4", self._units.repeat(n * 3), offset=_TIME.size).reshape(self._sensors, n, 3)
        samples = vectors.transpose(1, 0, 2).reshape(n, 3 * self._sensors)
        return [Packet("motion", samples, _TIME.unpack_from(update)[0])]


def plan(settings: Settings) -> Plan:
    """Acceleration, angular rate unless switched off, magnetic field on request."""
    refuse("the Movesense", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    rate_hz = int(choose("the rate of a Movesense", settings.rate_hz, RATES_HZ, default=52))
    gyro = settings.gyro is not False
    resource = ("IMU9" if gyro else "IMU6m") if settings.mag else ("IMU6" if gyro else "Acc")
    return Plan(
        notify=(DATA,),
        decoder=lambda: MovesenseDecoder(resource, float(rate_hz)),
        start=lambda decoder: _start(f"/Meas/{resource}/{rate_hz}"),
        stop=script(Write(COMMAND, bytes([UNSUBSCRIBE, REFERENCE]), "end the subscription")),
    )


def _start(resource: str) -> Dialogue:
    yield Subscribe(DATA)
    answer = yield Write(
        COMMAND,
        bytes([SUBSCRIBE, REFERENCE]) + resource.encode(),
        f"subscribe to {resource}",
        reply_on=DATA,
        reply_prefix=bytes([RESULT, REFERENCE]),
        timeout_s=2.0,
        reply_optional=True,  # older firmware sends data at once, without a result
    )
    status = int.from_bytes(answer[2:4], "little")
    if answer and not 200 <= status < 300:
        raise DeviceRefused(
            f"the Movesense answered the subscription to {resource} with status {status}; expected 200 to 299; "
            "choose another rate, or update its firmware"
        )


PROFILE = Profile(
    name="movesense",
    title="Movesense",
    signature=Signature(("Movesense",), (SERVICE, ADVERTISED), (0x009F,)),
    plan=plan,
    tested_on="packets captured from devices",
)
