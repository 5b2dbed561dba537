"""The relay's messages: the example in docs/wire.md, and the round trip."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import DecodeError
from kinestream.ingest.relay.wire import Kind, RelayMessage, WrongVersion, pack, unpack

PAGE = Path(__file__).resolve().parents[3] / "docs" / "wire.md"


def test_the_example_of_the_docs_page_is_packed_and_unpacked() -> None:
    block = dict(re.findall(r"```hex (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL))["relay_data"]
    head = bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines()))
    message = RelayMessage(Kind.DATA, bytes(range(16)), 7, 6, frames=(b"imu/a", b"header", b"payload"))
    assert pack(message) == [head, b"imu/a", b"header", b"payload"]
    assert unpack(pack(message)) == message


def test_another_version_is_distinguished_from_nonsense() -> None:
    head = pack(RelayMessage(Kind.HELLO, bytes(16), turn=1))[0]
    with pytest.raises(WrongVersion, match="version 2; expected 1"):
        unpack([head[:4] + b"\x02" + head[5:]])
    with pytest.raises(DecodeError, match="a reason of 500 bytes"):
        unpack(pack(RelayMessage(Kind.REFUSED, bytes(16), frames=(bytes(500),))))


@given(st.lists(st.binary(max_size=80), max_size=5))
@settings(deadline=None)
def test_random_frames_raise_a_decode_error(frames: list[bytes]) -> None:
    with pytest.raises(DecodeError):
        unpack(frames)


@given(
    st.sampled_from(Kind),
    st.binary(min_size=16, max_size=16),
    st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3),
    st.binary(max_size=50),
)
@settings(deadline=None)
def test_a_relay_message_survives_the_round_trip(kind: Kind, journal: bytes, numbers: list[int], text: bytes) -> None:
    frames = {Kind.DATA: (b"imu/a", text, text), Kind.REFUSED: (text,)}.get(kind, ())
    message = RelayMessage(kind, journal, *numbers, frames=frames)
    assert unpack(pack(message)) == message
