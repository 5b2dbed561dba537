"""``kinestream decode`` on the command line."""

from __future__ import annotations

import json
import shlex

import pytest

from kinestream.cli import main
from kinestream.cli.decode import EXAMPLES

FACE_UP = "ce ff ce ff 00 fc"
FACTOR = "fb005c81=f00205000005010000803f"
GYRO_FRAME = "05ffffffffffffff7f80eaff08000d000301df00"


@pytest.fixture
def decode(capsys: pytest.CaptureFixture[str]):
    """A function that runs the command and returns exit status, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["decode", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    "words",
    [
        (FACE_UP,),
        ("ceffceff00fc",),
        ("CE:FF:CE:FF:00:FC",),
        ("0xce 0xff 0xce 0xff 0x00 0xfc",),
        ("ce,ff,ce,ff,00,fc",),
        tuple(FACE_UP.split()),
        ("--char", "e95dca4b", FACE_UP),
        ("e95dca4b-251d-470a-a062-fa1922dfa9a8=ceffceff00fc",),
    ],
)
def test_bytes_are_accepted_in_every_common_notation(decode, words: tuple[str, ...]) -> None:
    status, out, err = decode("microbit", "--json", *words)
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "group": "motion",
        "channels": ["acc_x", "acc_y", "acc_z"],
        "units": ["m/s^2", "m/s^2", "m/s^2"],
        "samples": [[-0.4903325, -0.4903325, -10.04201]],
        "device_time": None,
        "tick_s": None,
        "counter": None,
        "battery": None,
    }


def test_a_battery_level_has_no_samples(decode) -> None:
    _, out, _ = decode("thingy52", "57", "--char", "2A19", "--json")
    record = json.loads(out)
    assert record["battery"] == 0.87
    assert record["samples"] == record["channels"] == record["units"] == []
    assert decode("thingy52", "57", "--char", "0x2a19")[1] == "battery 87 %\n"


def test_an_earlier_packet_scales_a_later_frame(decode) -> None:
    _, out, err = decode("polar", "--json", FACTOR, GYRO_FRAME)
    record = json.loads(out)
    assert record["samples"][0][0] == pytest.approx(-22 * 3.14159265 / 180)
    assert record["device_time"] == 2**63 - 1
    assert record["tick_s"] == 1e-9
    assert err == ""
    assert decode("polar", GYRO_FRAME)[2] == "factor_assumed: 1\n"


def test_without_json_the_samples_are_a_table(decode) -> None:
    _, out, _ = decode("dot", "faffffff0000003f0ae81cc10000803e000020410000a0c10000f04100000000")
    first, heads, row = out.splitlines()
    assert first == "motion: 1 sample, the first at 4294.967290 s of the device's clock"
    assert heads.split()[:2] == ["acc_x", "m/s^2"]
    assert [float(value) for value in row.split()] == [0.5, -9.80665, 0.25, 0.17453, -0.34907, 0.5236]


def test_several_packets_give_several_lines(decode) -> None:
    _, out, _ = decode("microbit", "ceffceff00fc", "c8ffdcff0004", "--json")
    assert [json.loads(line)["samples"][0][2] for line in out.splitlines()] == [-10.04201, 10.04201]


def test_the_range_option_scales_samples_whose_packets_carry_no_range(decode) -> None:
    packet = "03:04:16:c4:94:a2:2a:d0"
    values = [json.loads(decode("metamotion", packet, "--json", "--acc-range", g)[1])["samples"][0][0] for g in "48"]
    assert values[1] == pytest.approx(2 * values[0], rel=1e-6)


def test_the_number_of_values_in_a_line_of_text_gives_its_channels(decode) -> None:
    status, out, _ = decode("nus", "--json", b"0,0,1,10,20,30\n".hex())
    assert status == 0
    record = json.loads(out)
    assert record["channels"] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    assert len(record["samples"][0]) == 6


def test_bytes_without_a_complete_sample_are_reported(decode) -> None:
    assert decode("movesense", "0263aabb")[1] == "no samples and no battery level in these bytes\n"
    record = json.loads(decode("movesense", "0263aabb", "--json")[1])
    assert record["samples"] == []
    assert record["group"] is None


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("micropit", "00"), 2, "did you mean 'microbit'?"),
        (("microbit", "xyz"), 2, "'xyz' is not a packet; write its bytes in hexadecimal"),
        (("microbit", "abc"), 2, "two digits each"),
        (("microbit", "ceff"), 1, "a packet of 2 bytes; expected 6 [ce ff]"),
        (("microbit", ""), 1, "a packet of 0 bytes; expected 6"),
        (("microbit", "ceffceff00fc", "ceff00"), 1, "packet 2: a packet of 3 bytes"),
        (
            ("microbit", "00", "--char", "beef"),
            2,
            "'beef' matches 0 characteristics of this device; name one of 0000",
        ),
        (("dot", "00", "--char", "1517"), 2, "'1517' matches 2 characteristics"),
        (("metamotion", "00", "--acc-range", "3"), 2, "cannot be 3; choose one of 2, 4, 8, 16"),
        (("thingy52", "00", "--acc-range", "4"), 2, "has no setting acc_range_g; leave it out"),
    ],
)
def test_a_mistake_is_reported_in_one_line(decode, words: tuple[str, ...], status: int, message: str) -> None:
    returned, _, err = decode(*words)
    assert returned == status
    assert message in err
    assert err.count("\n") == 1


def test_every_example_in_the_help_runs(decode) -> None:
    commands = [
        line for line in EXAMPLES.replace("\\\n", "").splitlines() if line.strip().startswith("kinestream decode")
    ]
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command.split("  the ")[0].split("  at ")[0])[2:]
        status, out, err = decode(*words)
        assert status == 0, err
        assert out
