"""Parsers of texts: TOML files, addresses, and the values of ``--columns``, ``--axes`` and ``--policy``."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from kinestream.core.axes import parse_axes
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Subnet
from kinestream.energy.energy_model import parse_energy_model
from kinestream.ingest.ble.address import BleAddress
from kinestream.ingest.lsl.address import LslAddress
from kinestream.ingest.phone.address import PhoneAddress
from kinestream.ingest.profile import Settings
from kinestream.ingest.profile.generic import load as load_generic
from kinestream.ingest.zmq.address import ZmqAddress
from kinestream.lab.scenario import parse_scenario
from kinestream.launch.open_source import SourceOptions, open_source
from kinestream.policy import make_policy, write_policy
from kinestream.replay_data import ColumnMap, Wearer
from kinestream.sensor_check.axes_file import read_axes_file
from kinestream.train.recipe.recipe_toml import load_recipe, to_toml

from .judge import Target, as_text
from .live import GENERIC
from .mutations import WORDS, Case, mutate_text

TABLE = OperatingTable(
    "tiny",
    "by hand",
    "none",
    (OperatingPoint(Subnet(0.5, 64), 0.8, 1, 1.0, 1.2, 0.5), OperatingPoint(Subnet(1.0, 128), 0.9, 2, 2.0, 2.2, 1.0)),
)


def _in_file(read: Callable[[Path], Any], suffix: str = ".toml") -> Callable[[Case], Any]:
    def parse(case: Case) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"stranger{suffix}"
            path.write_bytes(case[0])
            return read(path)

    return parse


def _bundled(package: str) -> Callable[[], Sequence[Case]]:
    return cache(lambda: [(item.read_bytes(),) for item in files(package).iterdir() if item.name.endswith(".toml")])


def _read_policy(text: str) -> None:
    policy = make_policy(text, TABLE)
    written = write_policy(policy)
    assert write_policy(make_policy(written, TABLE)) == written


def _parse_policy(case: Case) -> None:
    text = as_text(case[0])
    if ".py" not in text and ".toml" not in text:  # files that the person names are theirs
        _read_policy(text)


def _parse_axes(case: Case) -> None:
    axes = parse_axes(as_text(case[0]))
    assert sorted(axes.axes) == [0, 1, 2]
    assert set(axes.signs) <= {1, -1}
    assert parse_axes(str(axes)) == axes


def _parse_columns(case: Case) -> None:
    columns = ColumnMap.parse(as_text(case[0]))
    full = columns.resolve([as_text(part) for part in case[1:]], "walk.csv")
    assert len(full.acc) in (0, 3)
    assert full.acc or full.gyro
    assert full.rate_hz is None or (math.isfinite(full.rate_hz) and full.rate_hz > 0)


def _read_axes_file(path: Path) -> None:
    content = read_axes_file(path)
    assert math.isfinite(content.channel_map.acc_factor)
    assert all(isinstance(text, str) for text in (content.source, content.model, content.worn, *content.notes))
    assert content.rate_hz is None or 0 < content.rate_hz < math.inf


def _read_profile(path: Path) -> None:
    plan = load_generic(path).plan(Settings())
    assert all(0 < group.fs_hz <= 10_000 for group in plan.decoder().groups)


def _read_recipe(path: Path) -> None:
    to_toml(load_recipe(path))


def _address(parse: Callable[[str], Any], *seeds: str) -> Target:
    name = seeds[0].partition("://")[0]
    return Target(
        f"address {name}",
        lambda: [(seed.encode(),) for seed in seeds],
        lambda case: parse(as_text(case[0])),
        lambda rng, data: mutate_text(rng, data, ADDRESS_WORDS),
    )


def _open_replay(text: str) -> None:
    if text.startswith("replay://"):
        with tempfile.TemporaryDirectory() as folder:
            open_source(text, SourceOptions(data_dir=Path(folder)))


ADDRESS_WORDS = (
    *WORDS,
    b"[::1]",
    b"[",
    b"]:80",
    b"//",
    b"?rate=",
    b"&",
    b"://",
    b"a:b@",
    b":99999999999",
    b"%5B",
    b"\xe2\x84\x80",
)

TEXTS = (
    Target("axes", lambda: [(b"-y x z",), (b"y, x, z mirrored",), (b"+x +y +z",)], _parse_axes, mutate_text),
    Target(
        "columns",
        lambda: [
            (b"time=ts:ms; acc=X,Y,Z:g; gyro=a,b,c:dps; rate=50; label=l; subject=s", *b"ts X Y Z a b c l s".split()),
            (b"rate=50", b"ax", b"ay", b"az"),
            (b"", b"time_ms", b"acc_x (m/s\xc2\xb2)", b"acc_y (m/s\xc2\xb2)", b"acc_z (m/s\xc2\xb2)", b"activity"),
        ],
        _parse_columns,
        mutate_text,
        has_fixed_parts=False,
    ),
    Target(
        "policy",
        lambda: [
            (b"latency:low=0.7,high=1.0,span=5+deadline:ms=20",),
            (b"slowdown+battery:hours=8",),
            (b"fixed:0.5x-64+deadline=20",),
            (b"persistence:thin=0.5x-64",),
        ],
        _parse_policy,
        mutate_text,
    ),
    Target(
        "policy file",
        lambda: [
            (b'kind = "slowdown"\n[[limit]]\nkind = "battery"\nhours = 8.0\n[[limit]]\nkind = "deadline"\nms = 20\n',),
            (b'kind = "fixed"\nsubnet = "0.5x-64"\n',),
        ],
        _in_file(lambda path: _read_policy(str(path))),
        mutate_text,
    ),
    Target(
        "axes file",
        lambda: [
            (
                b'axes = "-y x z"\nacc_factor = 9.81\ngyro_factor = 1\nsource = "ble://polar"\nmodel = "uci_cnn"\n'
                b'worn = "wrist"\nrate_hz = 50.0\ndate = 2025-01-31T12:00:00\nnotes = ["a", "b"]\n',
            )
        ],
        _in_file(_read_axes_file),
        mutate_text,
    ),
    Target("generic profile", lambda: [(GENERIC.encode(),)], _in_file(_read_profile), mutate_text),
    Target(
        "scenario",
        _bundled("kinestream.lab.scenarios"),
        lambda case: parse_scenario("stranger", case[0].decode("utf-8", "replace")),
        mutate_text,
    ),
    Target(
        "energy model",
        _bundled("kinestream.energy.models"),
        lambda case: parse_energy_model("stranger", case[0].decode("utf-8", "replace")),
        mutate_text,
    ),
    Target("recipe", _bundled("kinestream.train.recipes"), _in_file(_read_recipe), mutate_text),
    _address(
        lambda text: ZmqAddress.parse(text, options=("stream",)), "zmq+tcp://127.0.0.1:5556?stream=wrist&server=a"
    ),
    _address(lambda text: ZmqAddress.parse(text, schemes=("relay",)), "relay://[::1]:5557?insecure=1"),
    _address(LslAddress.parse, "lsl://Muse?type=ACC,GYRO&acc=g", "lsl://Muse?channels=acc_x,-&rate=50&once=1"),
    _address(BleAddress.parse, "ble://polar,Left wrist?rate=52&gyro=no&wait=3", "ble://C0:FF:EE:00:11:22?profile=dot"),
    _address(
        PhoneAddress.parse, "phone://192.168.1.5:8080?app=phyphox&start=no", "phone://?port=0&os=ios&token=abcdefgh1"
    ),
    _address(Wearer.from_uri, "wearer://?seed=3&people=2&rate=50&loss=0.01&speed=max"),
    _address(_open_replay, "replay://hapt?speed=10&subject=1&loop=1"),
)
"""All parsers of texts."""
