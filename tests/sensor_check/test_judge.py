"""Every fault of a sensor is reported, and a sound sensor has none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, SourceLost
from kinestream.core.signals import STANDARD_GRAVITY, SampleChunk
from kinestream.core.source import LinkStatus
from kinestream.inference import Model, find_model, load_model
from kinestream.observe.findings import Finding
from kinestream.observe.rotation import turned_by
from kinestream.observe.signal_checks import scale_text
from kinestream.replay_data import Wearer, open_dataset
from kinestream.sensor_check.axes_file import AxesFile, is_axes_file, read_axes_file, write_axes_file
from kinestream.sensor_check.feed import Feed
from kinestream.sensor_check.judge import OFF_REFUSED_DEG, Report, judge
from kinestream.sensor_check.orientation import HAPT_WAIST, forward_from_bend, nearest_axes, orientation_of
from kinestream.sensor_check.stretch import Stretch, Stretches, part_as_sent
from kinestream.windowing import ChannelMap
from tests.sensor_check.person import RATE_HZ, chunks, matrix_of, performance, smooth

PAUSE = round(RATE_HZ)
"""Samples before each step of a ``performance``."""

Rows = dict[str, np.ndarray]
Chunks = dict[str, list[SampleChunk]]


@cache
def model(name: str = "uci_cnn") -> Model:
    return load_model(find_model(name))


def cut(rows: Rows) -> Chunks:
    """The chunks that a source would send during each step."""
    steps, start = {}, 0
    for key, x in rows.items():
        steps[key] = list(chunks(x[PAUSE:], start + PAUSE))
        start += len(x)
    return steps


def judged(steps: Chunks, **more: object) -> Report:
    stretches = Stretches(**{key: Stretch.of(taken) for key, taken in steps.items()})
    return judge(stretches, model().input, HAPT_WAIST, **more)  # pyright: ignore[reportArgumentType]


def faults(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.level != "ok"]


def turns() -> Iterator[str]:
    """The 24 orientations of a box."""
    for axes in permutations("xyz"):
        for signs in product(("", "-"), repeat=3):
            text = " ".join(sign + axis for sign, axis in zip(signs, axes, strict=True))
            if np.linalg.det(_unchecked(text)) > 0:
                yield text


def _unchecked(text: str) -> np.ndarray:
    matrix = np.zeros((3, 3))
    for row, axis in enumerate(text.split()):
        matrix[row, "xyz".index(axis[-1])] = -1 if axis[0] == "-" else 1
    return matrix


def test_a_sensor_has_24_orientations() -> None:
    assert len(list(turns())) == 24


@pytest.mark.parametrize("axes", turns())
def test_the_orientation_of_a_sound_sensor_is_found(axes: str) -> None:
    report = judged(cut(performance(1, axes)))
    assert report.nearest is not None
    assert str(report.nearest.axes) == axes
    assert faults(report) == []
    assert (report.acc_factor, report.gyro_factor) == (1.0, 1.0)
    assert report.rate_hz == pytest.approx(RATE_HZ)


@pytest.mark.parametrize("seed", range(12))
def test_people_who_wear_the_sensor_as_in_hapt_get_the_same_mapping(seed: int) -> None:
    report = judged(cut(performance(seed, "-z x -y")))
    assert report.nearest is not None
    assert str(report.nearest.axes) == "-z x -y"
    assert report.problems == 0


def acc(rows: Rows, change: Callable[[np.ndarray], np.ndarray]) -> Rows:
    return {key: np.concatenate([change(x[:, :3]), x[:, 3:]], axis=1) for key, x in rows.items()}


def gyro(rows: Rows, change: Callable[[np.ndarray], np.ndarray]) -> Rows:
    return {key: np.concatenate([x[:, :3], change(x[:, 3:])], axis=1) for key, x in rows.items()}


def column(rows: Rows, at: int, change: Callable[[np.ndarray], np.ndarray | float], *keys: str) -> Rows:
    changed = {key: x.copy() for key, x in rows.items()}
    for key in keys or changed:
        changed[key][:, at] = change(changed[key])
    return changed


def step(rows: Rows, key: str, change: Callable[[np.ndarray], np.ndarray]) -> Rows:
    return {**rows, key: change(rows[key])}


def spiked(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[100:105, 0] = 2 * STANDARD_GRAVITY
    return x


WRONG_UNITS: dict[str, tuple[Callable[[Rows], Rows], float, float]] = {
    "g": (lambda r: acc(r, lambda a: a / STANDARD_GRAVITY), STANDARD_GRAVITY, 1.0),
    "milli-g": (lambda r: acc(r, lambda a: a / STANDARD_GRAVITY * 1000), STANDARD_GRAVITY / 1000, 1.0),
    "doubled": (lambda r: acc(r, lambda a: a * 2), 0.5, 1.0),
    "16384 a g": (lambda r: acc(r, lambda a: a / STANDARD_GRAVITY * 16384), STANDARD_GRAVITY / 16384, 1.0),
    "deg/s": (lambda r: gyro(r, np.degrees), 1.0, np.pi / 180),
    "all signs reversed": (lambda r: gyro(r, lambda w: -w), 1.0, -1.0),
}


@pytest.mark.parametrize("named", WRONG_UNITS)
def test_a_wrong_unit_is_reported_and_the_file_corrects_it(named: str) -> None:
    change, acc_factor, gyro_factor = WRONG_UNITS[named]
    right = performance(2, "y -x z")
    report = judged(cut(change(right)))
    (finding,) = faults(report)
    assert (finding.about, finding.level) == ("units" if gyro_factor == 1.0 else "gyroscope_scale", "warning")
    assert named in finding.text
    assert report.nearest is not None
    assert str(report.nearest.axes) == "y -x z"
    corrected = replace(report.nearest.axes, acc_factor=report.acc_factor, gyro_factor=report.gyro_factor)
    (wrong_chunk,), (right_chunk,) = (chunks(rows["turned"], size=1000) for rows in (change(right), right))
    expected = ChannelMap.parse("y -x z").apply(right_chunk)
    np.testing.assert_allclose(corrected.apply(wrong_chunk).x, expected.x, rtol=1e-4, atol=1e-4)
    assert (report.acc_factor, report.gyro_factor) == pytest.approx((acc_factor, gyro_factor))


def test_mirrored_axes_look_like_a_reversed_gyroscope_and_are_mended_by_name() -> None:
    mirrored = {key: x[:, [1, 0, 2, 4, 3, 5]] for key, x in performance(2, "y -x z").items()}
    reversed_signs, turn = faults(judged(cut(mirrored)))
    assert "all signs reversed" in reversed_signs.text
    assert "a turn to the right" in turn.text
    mend = ChannelMap.parse("y x z mirrored")
    mended = {key: mend.apply(next(iter(chunks(x, size=len(x))))).x for key, x in mirrored.items()}
    report = judged(cut(mended))
    assert faults(report) == []
    assert report.nearest is not None
    assert str(report.nearest.axes) == "y -x z"


@pytest.mark.parametrize("share", [0.27, 0.5, 2.0, 4.0])
def test_a_gyroscope_of_another_scale_is_named_and_the_file_corrects_it(share: float) -> None:
    report = judged(cut(gyro(performance(2, "y -x z"), lambda w: share * w)))
    (finding,) = faults(report)
    assert (finding.about, finding.level) == ("gyroscope_scale", "warning")
    assert finding.text == scale_text(1 / report.gyro_factor)
    assert "axes" not in finding.line
    assert report.gyro_factor == pytest.approx(1 / share, rel=0.06)  # the person sways
    assert report.nearest is not None
    assert str(report.nearest.axes) == "y -x z"


FAULTS: dict[str, tuple[Callable[[Rows], Rows], str, str, str]] = {
    "gravity taken out": (lambda r: acc(r, lambda a: (a - a.mean(axis=0)) / 50), "gravity", "problem", "missing"),
    "an unknown unit": (lambda r: acc(r, lambda a: a * 70), "units", "problem", "not 9.81"),
    "columns swapped": (lambda r: {k: x[:, [3, 4, 5, 0, 1, 2]] for k, x in r.items()}, "units", "problem", "swapped"),
    "reads 6 % too much": (lambda r: acc(r, lambda a: a * 1.06), "gravity", "warning", "m/s^2, +6%"),
    "gyroscope turned": (lambda r: gyro(r, lambda w: w[:, [1, 2, 0]]), "gyroscope", "problem", "misses that"),
    "one acc axis mirrored": (lambda r: column(r, 0, lambda x: -x[:, 0]), "gyroscope", "problem", "misses that"),
    "all acc signs reversed": (lambda r: acc(r, lambda a: -a), "turn", "problem", "a turn to the right"),
    "gyroscope off": (lambda r: gyro(r, np.zeros_like), "gyroscope", "problem", "zeros"),
    "bias": (lambda r: gyro(r, lambda w: w + 0.3), "bias", "problem", "0.5"),
    "small bias": (lambda r: gyro(r, lambda w: w + 0.04), "bias", "warning", "0.0"),
    "stuck axis": (lambda r: column(r, 4, lambda x: 0.25), "stuck", "problem", "gyro_y is 0.25"),
    "axis read twice": (lambda r: column(r, 1, lambda x: x[:, 2]), "alike", "problem", "acc_y and acc_z"),
    "not a number": (lambda r: column(r, 2, lambda x: np.nan, "turned"), "values", "problem", "acc_z"),
    "range": (lambda r: step(r, "turned", spiked), "range", "warning", "acc_x is clipped at 19.61"),
    "sent twice": (lambda r: {k: np.repeat(x[::2], 2, axis=0) for k, x in r.items()}, "held", "warning", "50%"),
    "pushed on the table": (
        lambda r: step(r, "table", lambda x: x + 2 * np.sin(np.arange(len(x)) / 5)[:, None]),
        "rest",
        "problem",
        "it moved",
    ),
    "shaking table": (
        lambda r: step(r, "table", lambda x: x + np.random.default_rng(0).normal(0, 0.15, x.shape)),
        "noise",
        "warning",
        "spreads by 0.2",
    ),
    "walked about": (
        lambda r: step(r, "worn", lambda x: x + 3 * np.sin(np.arange(len(x)) / 4)[:, None]),
        "standing",
        "problem",
        "you moved",
    ),
    "an axis of another scale": (
        lambda r: column(r, 1, lambda x: 0.8 * x[:, 1]),
        "gravity",
        "warning",
        "as the sensor",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_samples_is_reported(fault: str) -> None:
    change, about, level, words = FAULTS[fault]
    (finding,) = [f for f in faults(judged(cut(change(performance(1, "y -x z"))))) if f.about == about]
    assert finding.level == level
    assert words in finding.text
    assert finding.advice


def test_a_bend_that_is_too_small_is_reported() -> None:
    report = judged(cut(performance(1, bend=np.radians(8))))
    assert {finding.about for finding in faults(report)} == {"movement", "bend"}
    assert report.nearest is None


@pytest.mark.parametrize(("degrees", "words"), [(4, "you turned by"), (-90, "a turn to the right")])
def test_a_turn_that_is_too_small_or_to_the_right_is_reported(degrees: float, words: str) -> None:
    report = judged(cut(performance(1, turn=np.radians(degrees))))
    (finding,) = faults(report)
    assert words in finding.text
    assert report.nearest is None


def test_a_sensor_between_two_axes_is_refused_and_one_worn_at_an_angle_gets_a_warning() -> None:
    straight = judged(cut(performance(0)))
    assert straight.nearest is not None
    sideways = partial(performance, 0, bend=np.radians(60))
    angled = judged(cut(sideways(sideways=np.radians(35))))
    assert angled.nearest is not None
    assert str(angled.nearest.axes) == "x y z"
    assert [finding.about for finding in faults(angled)] == ["axes"]
    between = judged(cut(sideways(sideways=np.radians(45))))
    (finding,) = faults(between)
    assert (finding.about, finding.level) == ("axes", "problem")
    assert "ambiguous" in finding.text
    assert between.nearest is None


def test_acceleration_alone_is_enough_for_the_mapping() -> None:
    rows = performance(1, "-z x -y")
    steps = cut({key: x[:, :3] for key, x in rows.items() if key != "turned"})
    report = judged(steps)
    assert report.nearest is not None
    assert str(report.nearest.axes) == "-z x -y"
    assert [finding.about for finding in faults(report)] == ["channels"]  # uci_cnn reads a gyroscope too


def test_a_model_without_a_known_place_gets_units_and_no_mapping() -> None:
    rows = gyro(performance(1, "y -x z"), np.degrees)
    stretches = Stretches(**{key: Stretch.of(taken) for key, taken in cut(rows).items() if key in ("table", "moved")})
    report = judge(stretches, model("watch").input, orientation_of(model("watch").card))
    assert report.nearest is None
    assert report.gyro_factor == pytest.approx(np.pi / 180)
    assert report.problems == 0
    assert "needs no axis mapping" in next(f.text for f in report.findings if f.about == "axes")


@pytest.mark.parametrize(
    ("name", "orientation"),
    [("uci_cnn", HAPT_WAIST), ("uci_kinet", HAPT_WAIST), ("watch", None), ("phone_acc", None), ("unimib_falls", None)],
)
def test_a_model_has_a_known_place_if_all_its_people_wore_the_sensor_alike(name: str, orientation: object) -> None:
    assert orientation_of(model(name).card) is orientation


def lost(steps: Chunks) -> Chunks:
    return {**steps, "moved": [chunk for i, chunk in enumerate(steps["moved"]) if i != 2]}


def apart(seconds: float, steps: Chunks) -> Chunks:
    first, *others = steps["table"]
    return {**steps, "table": [first, *(replace(chunk, t=chunk.t + seconds) for chunk in others)]}


def every(steps: Chunks, change: Callable[[SampleChunk], SampleChunk]) -> Chunks:
    return {key: [change(chunk) for chunk in taken] for key, taken in steps.items()}


def restarted(steps: Chunks) -> Chunks:
    return {**steps, "worn": [replace(chunk, session=f"s#{i}", seq=0) for i, chunk in enumerate(steps["worn"])]}


def bursts(chunk: SampleChunk) -> SampleChunk:
    """Stamped on arrival: all samples of a packet at nearly the same time."""
    return replace(chunk, t=chunk.t[-1] + np.arange(len(chunk)) * 1e-4)


def uneven(chunk: SampleChunk) -> SampleChunk:
    return replace(chunk, t=chunk.t + np.random.default_rng(chunk.seq).uniform(0, 0.018, len(chunk)))


STREAM_FAULTS: dict[str, tuple[Callable[[Chunks], Chunks], str, str, str]] = {
    "announces another rate": (lambda s: every(s, lambda c: replace(c, fs_hz=100)), "rate", "problem", "-50%"),
    "runs 5 % fast": (lambda s: every(s, lambda c: replace(c, t=c.t / 1.05)), "rate", "warning", "52.5 Hz"),
    "too slow for the model": (
        lambda s: every(s, lambda c: replace(c, t=c.t * 2, fs_hz=25)),
        "slow",
        "problem",
        "no motion above 12.5 Hz",
    ),
    "loses a packet": (lost, "losses", "warning", "4.2% of the samples were lost, 25 in all"),
    "pauses": (partial(apart, 0.1), "gaps", "warning", "1, the longest 0.12 s"),
    "stays away": (partial(apart, 0.5), "gaps", "problem", "the longest hole is 0.52 s"),
    "restarts": (restarted, "restarts", "warning", "5 times"),
    "runs backwards": (lambda s: {**s, "table": s["table"][::-1]}, "order", "problem", "went back 5 times"),
    "stamps on arrival": (lambda s: every(s, bursts), "bursts", "warning", "25 samples at a time"),
    "stamps unevenly": (lambda s: every(s, uneven), "jitter", "warning", "scatter"),
    "is late": (lambda s: every(s, lambda c: replace(c, received_s=c.received_s + 3)), "age", "problem", "3010 ms"),
    "is from tomorrow": (lambda s: every(s, lambda c: replace(c, received_s=c.t[-1] - 9)), "age", "warning", "future"),
    "drifts": (lambda s: every(s, lambda c: replace(c, t_device=c.t * 1.01)), "drift", "warning", "10000 ppm fast"),
}


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_a_fault_of_the_stream_is_reported(fault: str) -> None:
    change, about, level, words = STREAM_FAULTS[fault]
    findings = [f for f in faults(judged(change(cut(performance(1))))) if f.about == about]
    assert level in [f.level for f in findings]
    assert any(words in f.text for f in findings)


def test_the_drift_of_a_good_device_clock_is_reported() -> None:
    steps = every(cut(performance(1)), lambda c: replace(c, t_device=7 + c.t * (1 - 40e-6)))
    assert "40 ppm slow" in next(f.text for f in judged(steps).findings if f.about == "drift")


def test_link_battery_and_counts_of_the_source_are_reported() -> None:
    link = LinkStatus("s", "streaming", -50, 0.1, 2, 0.0, clock="its own clock", slope_ppm=-40.0)
    report = judged(cut(performance(1)), counts={"malformed": 3, "dropped": 0}, link=link)
    reported = [(f.about, f.text) for f in faults(report)]
    assert reported == [("source", "it counted malformed 3"), ("link", "it broke 2 times"), ("battery", "10%")]
    assert ("clock", "timed by its own clock, 40 ppm fast") in [(f.about, f.text) for f in report.findings]
    assert faults(judged(cut(performance(1)), link=replace(link, battery_frac=0.8, reconnects=0))) == []


def test_angular_rates_integrate_to_their_rotation() -> None:
    angles = smooth(400, 1.2)
    axis = np.array([2.0, -1.0, 2.0]) / 3
    rates = np.gradient(angles)[:, None] * 100 * axis
    total = turned_by(rates, np.arange(400) / 100)
    np.testing.assert_allclose(total @ axis, axis, atol=1e-9)
    assert np.degrees(np.arccos((np.trace(total) - 1) / 2)) == pytest.approx(np.degrees(1.2), abs=0.1)
    square = np.array([1.0, 2.0, 0.0])
    assert np.cross(square, total @ square) @ axis > 0  # by the right-hand rule


def test_gravity_of_standing_and_lying_finds_the_axes_of_most_people_of_hapt(
    data_dir: Path,
) -> None:
    """Lying on the back counts as bending backwards; docs/wear.md quotes these figures."""
    hapt = open_dataset("hapt", data_dir)
    directions: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for entry in hapt.entries:
        if entry.subject not in directions:
            recording = entry.load()
            codes = [recording.label_names.index(activity) for activity in ("standing", "lying")]
            acc = [recording.x[recording.labels == code, :3] for code in codes]
            if all(map(len, acc)):
                upright, lying = (x.mean(axis=0).astype(float) for x in acc)
                directions[entry.subject] = upright / np.linalg.norm(upright), -forward_from_bend(upright, lying)
    nearest = [nearest_axes(upright, forward, HAPT_WAIST) for upright, forward in directions.values()]
    right = [mapping.axes == ChannelMap() for mapping in nearest]
    accepted = [mapping.off_deg <= OFF_REFUSED_DEG for mapping in nearest]
    assert (len(right), sum(right), sum(np.array(right) & accepted), len(right) - sum(accepted)) == (30, 27, 27, 2)
    assert np.median([mapping.off_deg for mapping in nearest]) == pytest.approx(21, abs=0.5)


def test_an_axes_file_reads_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    notes = ('ok: "quoted" \\ and\nbroken', "Umlaut ä \x7f \x01")
    written = AxesFile("-y x z", 9.80665, np.pi / 180, "ble://Polar é", "uci_cnn", "waist", 49.97, None, notes)
    write_axes_file(path, written)
    assert read_axes_file(path) == written
    assert read_axes_file(path).channel_map == ChannelMap((1, 0, 2), (-1, 1, 1), 9.80665, np.pi / 180)
    assert is_axes_file(str(path))
    assert not is_axes_file("-y x z")


def test_an_axes_file_may_mend_a_mirrored_sensor(tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text("axes = 'y x z mirrored'\n")
    assert read_axes_file(path).channel_map == ChannelMap((1, 0, 2), (1, 1, 1))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("axes = 'x y z'\nacc_facter = 2", "did you mean 'acc_factor'"),
        ("acc_factor = 2", "expected axes"),
        ("axes = 'x y z'\nacc_factor = 0", "other than 0"),
        ("axes = 'x y z'\ngyro_factor = nan", "other than 0"),
        ("axes = '-x y z'", "mirror"),
        ("axes = ", "not valid TOML"),
    ],
)
def test_an_invalid_axes_file_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as error:
        read_axes_file(path)
    assert str(path) in str(error.value)


def test_a_missing_axes_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_axes_file(tmp_path / "none.toml")


def test_a_part_of_a_chunk_has_the_age_of_the_whole() -> None:
    (whole,) = chunks(performance(1)["table"][:25])
    piece = part_as_sent(whole, 5, 15)
    assert (piece.seq, len(piece)) == (whole.seq + 5, 10)
    assert piece.received_s - piece.t[-1] == pytest.approx(whole.received_s - whole.t[-1])


async def test_each_step_continues_where_the_last_one_ended() -> None:
    feed = Feed(Wearer(1, speed=float("inf")))
    await feed.begin()
    shown: list[tuple[float, float]] = []
    first = await feed.take(1.01, lambda *done: shown.append(done))
    second = await feed.take(2.0, lambda *done: None)
    await feed.aclose()
    t = np.concatenate([chunk.t for chunk in first + second])
    assert np.diff(t) == pytest.approx(np.full(len(t) - 1, 1 / RATE_HZ))
    assert (sum(map(len, first)), len(t)) == (51, 151)
    assert second[0].seq == 51
    assert shown[-1] == (1.01, 1.01)


async def test_samples_are_discarded_while_waiting_for_a_person() -> None:
    feed = Feed(Wearer(1, speed=float("inf")))
    await feed.begin()
    pressed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, pressed.set)
    await feed.until(pressed)
    later = await feed.take(1.0, lambda *done: None)
    await feed.aclose()
    assert later[0].t[0] > 1
    assert sum(map(len, later)) in (49, 50)  # the end of the last discarded chunk belongs to the wait


async def test_a_source_that_ends_too_early_is_refused_and_one_of_just_the_length_is_enough() -> None:
    feed = Feed(Wearer(1, speed=float("inf"), duration_s=4.0))
    await feed.begin()
    await feed.take(2.0, lambda *done: None)
    assert sum(map(len, await feed.take(2.0, lambda *done: None))) == 100
    with pytest.raises(SourceLost, match=r"ended after 4\.0 s"):
        await feed.take(2.0, lambda *done: None)
    await feed.aclose()


async def test_two_sensors_at_once_are_refused() -> None:
    feed = Feed(Wearer(1, people=2, speed=float("inf")))
    await feed.begin()
    with pytest.raises(ConfigError, match="one at a time"):
        await feed.take(2.0, lambda *done: None)
    await feed.aclose()


def test_the_mapping_undoes_the_turn_of_the_performance() -> None:
    (upright,) = chunks(performance(3, noise=0, bias=0)["moved"], size=1000)
    (turned,) = chunks(performance(3, "z -x -y", noise=0, bias=0)["moved"], size=1000)
    np.testing.assert_allclose(ChannelMap.parse("z -x -y").apply(turned).x, upright.x, atol=1e-5)
    assert np.linalg.det(matrix_of("z -x -y")) == pytest.approx(1)


@pytest.mark.parametrize("line", ["source = 1e308", "notes = [1]", "rate_hz = true", "date = 1", "worn = []"])
def test_an_axes_file_with_a_value_of_another_type_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "axes.toml"
    path.write_text(f'axes = "-y x z"\n{line}\n')
    with pytest.raises(ConfigError, match=f"{line.split()[0]} is .*; expected a"):
        read_axes_file(path)
