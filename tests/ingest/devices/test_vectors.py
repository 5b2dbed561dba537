"""Packets from vendors' and libraries' tests, captures and specifications decode to their known values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.ingest.devices import find_profile
from kinestream.ingest.profile import Packet, Settings

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))

SI = {
    "m/s^2": 1.0,
    "g": 9.80665,
    "mg": 0.00980665,
    "g x 0.000244": 0.000244 * 9.80665,
    "g / 1024": 9.80665 / 1024,
    "rad/s": 1.0,
    "dps": math.pi / 180,
    "uT": 1.0,
    "gauss": 100.0,
    "milligauss": 0.1,
    "1": 1.0,
}
"""Factor from a unit in a vector's ``columns`` to SI units."""
AXES = {"acc": "xyz", "gyro": "xyz", "mag": "xyz", "quat": "wxyz"}


def decoded(vector: dict[str, Any]) -> tuple[list[Packet], tuple[str, ...]]:
    decoder = find_profile(vector["profile"]).plan(Settings(**vector["settings"])).decoder()
    packets = [packet for char, data in vector["packets"] for packet in decoder.decode(char, bytes.fromhex(data))]
    channels = {group.name: group.channels for group in (*decoder.groups, *decoder.other_groups)}
    return packets, channels.get(vector["group"], ())


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{vector['profile']}: {vector['name']}" for vector in VECTORS])
def test_a_packet_decodes_to_its_known_values(vector: dict[str, Any]) -> None:
    (packet,), channels = decoded(vector)
    assert packet.group == vector["group"]
    assert channels == tuple(f"{sensor}_{axis}" for sensor, _ in vector["columns"] for axis in AXES[sensor])
    assert packet.samples.dtype == np.float32
    units = np.array([SI[unit] for sensor, unit in vector["columns"] for _ in AXES[sensor]])
    expected = np.array(vector["samples"], float).reshape(len(vector["samples"]), len(units))
    assert packet.samples.shape == expected.shape
    error = np.abs(packet.samples / units - expected)
    assert np.all(error <= vector.get("tolerance", 0) + 1e-6 * np.maximum(np.abs(expected), 1))
    assert packet.device_time == vector.get("device_time")
    assert packet.counter == vector.get("counter")
    assert packet.battery_frac == vector.get("battery_frac")


def test_every_vector_names_its_source() -> None:
    assert all(vector["source"] and vector["provenance"] for vector in VECTORS)
