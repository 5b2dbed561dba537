"""LSL addresses, and which streams they mean."""

from __future__ import annotations

import pytest

from kinestream.core.errors import ConfigError, InputMismatch
from kinestream.ingest.lsl.address import LslAddress
from kinestream.ingest.lsl.columns import Description

EEG = Description("Muse", "EEG", 5, 256.0, "Muse00:11EEG", "laptop")
ACC = Description("Muse", "ACC", 3, 52.0, "Muse00:11ACC", "laptop")
GYRO = Description("Muse", "GYRO", 3, 52.0, "Muse00:11GYRO", "laptop")
OTHER = Description("Band", "ACC", 3, 50.0, "", "phone")
TWIN = Description("Band", "ACC", 3, 50.0, "", "tablet")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("lsl://", "no name; expected lsl://NAME, with type, source_id"),
        ("lsl://a/b", "no name; expected lsl://NAME"),
        ("lsl://a?chanels=acc_x", r"unknown key 'chanels' \(did you mean 'channels'\?\)"),
        ("lsl://?once=1", "no name"),
        ("lsl://Muse#2", "write special characters of a name in hex: # as %23"),
        ("lsl://Muse[2]", "write special characters of a name in hex"),
        ("lsl://a?rate=fast", "rate=fast; expected 0.01 to 100000 Hz"),
        ("lsl://a?rate=0", "rate=0; expected"),
        ("lsl://a?type=ACC,acc", "expected each type once"),
        ("lsl://a?type=ACC,GYRO&channels=acc_x", "belong to one stream"),
    ],
)
def test_a_bad_address_is_rejected(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LslAddress.parse(uri)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("lsl://Muse?type=ACC", ACC),
        ("lsl://Muse?type=gyro", GYRO),
        ("lsl://Muse?source_id=Muse00:11ACC", ACC),
        ("lsl://?type=EEG", EEG),
        ("lsl://?source_id=Muse00%3A11GYRO", GYRO),
        ("lsl://?type=ACC&host=phone", OTHER),
        ("lsl://Band", OTHER),
        ("lsl://Nobody", None),
        ("lsl://Muse?type=PPG", None),
    ],
)
def test_an_address_means_one_stream(uri: str, expected: Description | None) -> None:
    address = LslAddress.parse(uri)
    assert address.choose([EEG, ACC, GYRO, OTHER], (*address.types, "")[0]) == expected


@pytest.mark.parametrize(
    ("uri", "streams", "how"),
    [
        ("lsl://Muse", [EEG, ACC, GYRO], r"choose one with \?type=TYPE, or join them with \?type=ACC,GYRO$"),
        ("lsl://Muse", [EEG, ACC], r"choose one with \?type=TYPE$"),
        ("lsl://?type=ACC", [ACC, OTHER], "choose one by its name, lsl://NAME$"),
        ("lsl://Band", [OTHER, TWIN], r"choose one with \?host=HOST$"),
        ("lsl://Band", [OTHER, OTHER], "give each outlet a source_id of its own"),
        ("lsl://Muse", [ACC, Description("Muse", "ACC", 3, 52.0, "second")], r"choose one with \?source_id=ID$"),
    ],
)
def test_several_streams_are_listed_and_never_chosen_at_random(uri: str, streams: list[Description], how: str) -> None:
    address = LslAddress.parse(uri)
    with pytest.raises(InputMismatch, match=how) as refused:
        address.choose(streams, (*address.types, "")[0])
    text = str(refused.value)
    assert text.startswith(f"{uri} means {len(streams)} streams: ")
    assert all(stream.line() in text for stream in streams)
    assert "\n" not in text


def test_a_stream_in_one_line_has_all_that_tells_it_apart() -> None:
    assert EEG.line() == "Muse (type EEG, 5 channels, 256 Hz, source_id 'Muse00:11EEG', on laptop)"
    assert (
        Description("Notes", "", 1, 0.0, is_text=True).line()
        == "Notes (type (none), 1 channel, irregular, text, no source_id)"
    )
