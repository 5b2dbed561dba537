"""A decoder returns packets or raises DecodeError for any bytes.

``KINESTREAM_FUZZ=100000`` sets the packets per device; the default of a few thousand is quick.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import DecodeError
from kinestream.ingest.devices import profiles
from kinestream.ingest.profile import Decoder, Packet, Profile, Settings

PACKETS = int(os.environ.get("KINESTREAM_FUZZ", "2000"))
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))


def decoder_of(profile: Profile) -> Decoder:
    """The profile's decoder, with the magnetometer if the device has one."""
    try:
        return profile.plan(Settings(mag=True)).decoder()
    except Exception:
        return profile.plan(Settings()).decoder()


def decode_checked(decoder: Decoder, characteristic: str, data: bytes) -> list[Packet]:
    """Decode and check packets; none if the bytes are refused."""
    try:
        packets = decoder.decode(characteristic, data)
    except DecodeError:
        return []
    groups = {group.name: group for group in (*decoder.groups, *decoder.other_groups)}
    for packet in packets:
        assert packet.samples.dtype == np.float32
        assert packet.battery_frac is None or 0 <= packet.battery_frac <= 1
        assert packet.device_time is None or packet.device_time >= 0
        if packet.battery_frac is None:
            group = groups[packet.group]
            assert packet.samples.ndim == 2
            assert packet.samples.shape[1] == len(group.channels)
            clock = group.clock
            assert clock.tick_s is None or packet.device_time is not None, "a clock stamps every packet"
            if clock.counter_modulus is not None:
                assert packet.counter is not None
                assert 0 <= packet.counter < clock.counter_modulus
            modulus = clock.time_modulus
            assert packet.device_time is None or modulus is None or packet.device_time < modulus
            assert np.isfinite(packet.samples).all()
    return packets


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A real packet with some bytes changed, removed, doubled or inserted."""
    out = bytearray(data)
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0 if at < len(out):
                out[at] = rng.randrange(256)
            case 1:
                del out[at:]
            case 2:
                del out[:at]
            case 3:
                out[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                out += out[at:]
    return bytes(out[:600])


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_random_and_mutated_packets_are_decoded_or_refused(profile: Profile) -> None:
    decoder = decoder_of(profile)
    rng = random.Random(profile.name)
    real = [
        (characteristic, bytes.fromhex(data))
        for vector in VECTORS
        if vector["profile"] == profile.name
        for characteristic, data in vector["packets"]
    ]
    assert real, "no packet to mutate"
    decoded_count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # catches numpy's overflow warnings
        for k in range(PACKETS):
            characteristic, data = rng.choice(real)
            if k % 3 == 0:
                characteristic, data = rng.choice(decoder.characteristics), rng.randbytes(rng.randrange(64))
            decoded_count += len(decode_checked(decoder, characteristic, mutated(rng, data)))
            if k % 500 == 499:
                decoder = decoder_of(profile)
    assert decoded_count > 0, "no packet survived: the mutations are too strong to test anything"


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_any_bytes_on_any_characteristic_are_decoded_or_refused(profile: Profile) -> None:
    characteristics = decoder_of(profile).characteristics

    @given(st.lists(st.tuples(st.sampled_from(characteristics), st.binary(max_size=80)), max_size=5))
    def holds(notifications: list[tuple[str, bytes]]) -> None:
        decoder = decoder_of(profile)
        for characteristic, data in notifications:
            decode_checked(decoder, characteristic, data)

    holds()


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_a_packet_that_is_too_long_or_from_another_characteristic_is_refused(profile: Profile) -> None:
    decoder = decoder_of(profile)
    for characteristic in decoder.characteristics:
        with pytest.raises(DecodeError):
            decoder.decode(characteristic, bytes(513))
    with pytest.raises(DecodeError, match="expected"):
        decoder.decode("00002a37-0000-1000-8000-00805f9b34fb", b"\0")
