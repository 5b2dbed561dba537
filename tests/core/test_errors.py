"""Messages of errors: one line, however long and strange the texts in them."""

from __future__ import annotations

import pytest

from kinestream.core.errors import ConfigError, DecodeError, KinestreamError
from kinestream.core.uri import split_uri


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "a\u2028b", "\u202e", "half \udc80", "\x85\x1c"])
def test_a_message_is_one_printable_line(text: str) -> None:
    shown = str(KinestreamError(f"no column {text}; it has x"))
    assert shown.isprintable()
    assert shown.startswith("no column ")
    assert shown.endswith("; it has x")


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    strange = "\n" * 1_000_000
    shown = str(KinestreamError(f"unknown key '{strange}'; known: rate"))
    assert len(shown) <= 1500
    assert shown.startswith("unknown key '\\n")
    assert shown.endswith("'; known: rate")


def test_the_bytes_of_a_packet_stay_readable() -> None:
    assert str(DecodeError("a packet of 2 bytes", b"\x0a\x0d")) == "a packet of 2 bytes [0a 0d]"


@pytest.mark.parametrize("uri", ["ble://[", "wearer://]?seed=1", "replay://h[apt", "phone://[::1", "lsl://\u2100"])
def test_an_address_that_cannot_be_split_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"is not an address .* write special characters in hex"):
        split_uri(uri)
