"""A megabyte made to cost minutes: inputs on which the time or memory of a careless parser grows with a square."""

from __future__ import annotations

import pytest

from .judge import judge
from .mutations import Case
from .targets import TARGETS

PUSH = b'{"messageId":1,"deviceId":"d","sessionId":"s","payload":[%s]}'
READING = b'{"name":"gyroscope","time":%d,"values":{"x":1,"y":1,"z":1}}'
ROWS = b"".join(b"%d,0,0,9.8,l%d\n" % (20 * k, k) for k in range(40_000))

LARGE: list[tuple[str, str, Case]] = [
    ("csv", "blank rows", (b"t,ax,ay,az\n" + b"\n" * 1_000_000,)),
    ("csv", "a label for each row", (b"t,ax,ay,az,label\n" + ROWS,)),
    ("csv", "a person for each row", (b"t,ax,ay,az,user\n" + ROWS,)),
    ("csv", "comments", (b"#\n" * 500_000,)),
    ("csv", "quotes", (b"t,ax,ay,az\n" + b'"' * 1_000_000,)),
    ("policy", "parts", (b"+".join([b"battery"] * 20_000),)),
    ("policy", "settings", (b"fixed:" + b",".join(b"a%d=1" % k for k in range(100_000)),)),
    ("axes", "letters", (b"x " * 500_000,)),
    ("columns", "names", (b"acc=" + b"," * 1_000_000, b"ax")),
    ("columns", "a name", (b"", b"gyro_" + b"_" * 1_000_000)),
    ("policy file", "parts of a key", (b"a." * 100_000 + b"b=1",)),
    ("policy file", "parts of a key in quotes", (b'x={"a".' + b'"a".' * 30_000 + b"b=1}",)),
    ("policy file", "a name", (b"a" * 250_000,)),
    ("policy file", "brackets", (b"x=" + b"[" * 100_000,)),
    ("policy file", "tables", (b'[[limit]]\nkind="battery"\n' * 9000,)),
    ("address lsl", "keys", (b"lsl://M?" + b"&".join(b"a%d=1" % k for k in range(100_000)),)),
    ("address ble", "devices", (b"ble://" + b",".join(b"a%d" % k for k in range(100_000)),)),
    ("address zmq+tcp", "places", (b"zmq+tcp://" + b",".join(b"a:%d" % k for k in range(60_000)),)),
    ("sensor logger", "readings", (PUSH % b",".join([READING % 1_700_000_000_000_000_000] * 40_000),)),
    ("sensor logger", "sensors", (PUSH % b",".join(b'{"name":"g%d"}' % k for k in range(50_000)),)),
    ("sensor logger", "years", (PUSH % b",".join(READING % (17 * 10**17 + k * 10**14) for k in range(20_000)),)),
    ("lsl", "spaces in a unit", (b"M", b"ACC", b"1", b"50", b"", b"acc_x", b"/ " * 300_000)),
    ("lsl", "dots in a label", (b"M", b"ACC", b"1", b"50", b"", b"." * 300_000 + b"q", b"g")),
    ("lsl", "channels", (b"M", b"ACC", b"1000", b"50", b"", *[b"acc_x", b"g"] * 1000)),
    ("xdf", "chunks without an end", (b"XDF:" + b"\x01\xff\x09\x00" * 250_000,)),
    ("xdf", "empty chunks", (b"XDF:" + b"\x01\x02\x09\x00" * 250_000,)),
]


@pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=f"{name}: {what}") for name, what, case in LARGE]
)
def test_a_large_input_costs_bounded_time_and_memory(name: str, case: Case) -> None:
    if name == "xdf":
        pytest.importorskip("pyxdf")
    judge(TARGETS[name], case)
