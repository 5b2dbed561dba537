"""Every fault a sensor may have is named, and none is named that it has not."""

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
from kinestream.replay_data import Wearer, open_dataset
from kinestream.sensor_check.axes_file import AxesFile, is_axes_file, read_axes_file, write_axes_file
from kinestream.sensor_check.feed import Feed
from kinestream.sensor_check.judge import OFF_REFUSED_DEG, Report, judge
from kinestream.sensor_check.orientation import HAPT_WAIST, forward_from_bend, nearest_axes, orientation_of, turned_by
from kinestream.sensor_check.stream_checks import Finding
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
    """What a source would have brought during each step."""
    found, start = {}, 0
    for key, x in rows.items():
        found[key] = list(chunks(x[PAUSE:], start + PAUSE))
        start += len(x)
    return found


def judged(steps: Chunks, **more: object) -> Report:
    stretches = Stretches(**{key: Stretch.of(one) for key, one in steps.items()})
    return judge(stretches, model().input, HAPT_WAIST, **more)  # pyright: ignore[reportArgumentType]


def faults(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.level != "ok"]


def turns() -> Iterator[str]:
    """All 24 ways in which a box can be put down."""
    for axes in permutations("xyz"):
        for signs in product(("", "-"), repeat=3):
            text = " ".join(sign + axis for sign, axis in zip(signs, axes, strict=True))
            if np.linalg.det(_unchecked(text)) > 0:
                yield text


def _unchecked(text: str) -> np.ndarray:
    matrix = np.zeros((3, 3))
    for row, part_ in enumerate(text.split()):
        matrix[row, "xyz".index(part_[-1])] = -1 if part_[0] == "-" else 1
    return matrix


def test_there_are_24_ways_to_turn_a_sensor() -> None:
    assert len(list(turns())) == 24


@pytest.mark.parametrize("axes", turns())
def test_a_sound_sensor_gives_back_how_it_is_turned(axes: str) -> None:
    report = judged(cut(performance(1, axes)))
    assert report.nearest is not None
    assert str(report.nearest.axes) == axes
    assert faults(report) == []
    assert (report.acc_factor, report.gyro_factor) == (1.0, 1.0)
    assert report.rate_hz == pytest.approx(RATE_HZ)


@pytest.mark.parametrize("seed", range(12))
def test_other_people_who_wear_it_like_those_of_hapt_get_the_same_mapping(seed: int) -> None:
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
    "signs are all reversed": (lambda r: gyro(r, lambda w: -w), 1.0, -1.0),
}


@pytest.mark.parametrize("named", WRONG_UNITS)
def test_a_wrong_unit_is_named_and_the_file_corrects_it(named: str) -> None:
    change, acc_factor, gyro_factor = WRONG_UNITS[named]
    right = performance(2, "y -x z")
    report = judged(cut(change(right)))
    (found,) = faults(report)
    assert (found.about, found.level) == ("units", "warning")
    assert named in found.text
    assert report.nearest is not None
    assert str(report.nearest.axes) == "y -x z"
    corrected = replace(report.nearest.axes, acc_factor=report.acc_factor, gyro_factor=report.gyro_factor)
    (wrong_chunk,), (right_chunk,) = (chunks(rows["turned"], size=1000) for rows in (change(right), right))
    expected = ChannelMap.parse("y -x z").apply(right_chunk)
    np.testing.assert_allclose(corrected.apply(wrong_chunk).x, expected.x, rtol=1e-4, atol=1e-4)
    assert (report.acc_factor, report.gyro_factor) == pytest.approx((acc_factor, gyro_factor))


FAULTS: dict[str, tuple[Callable[[Rows], Rows], str, str, str]] = {
    "gravity taken out": (lambda r: acc(r, lambda a: (a - a.mean(axis=0)) / 50), "gravity", "problem", "missing"),
    "an unknown unit": (lambda r: acc(r, lambda a: a * 70), "units", "problem", "no unit that is known"),
    "columns swapped": (lambda r: {k: x[:, [3, 4, 5, 0, 1, 2]] for k, x in r.items()}, "units", "problem", "swapped"),
    "reads 6 % too much": (lambda r: acc(r, lambda a: a * 1.06), "gravity", "warning", "m/s^2, +6%"),
    "gyroscope turned": (lambda r: gyro(r, lambda w: w[:, [1, 2, 0]]), "gyroscope", "problem", "elsewhere"),
    "one acc axis mirrored": (lambda r: column(r, 0, lambda x: -x[:, 0]), "gyroscope", "problem", "elsewhere"),
    "all acc signs reversed": (lambda r: acc(r, lambda a: -a), "turn", "problem", "turned right"),
    "gyroscope off": (lambda r: gyro(r, np.zeros_like), "gyroscope", "problem", "zeros"),
    "bias": (lambda r: gyro(r, lambda w: w + 0.3), "bias", "problem", "0.5"),
    "small bias": (lambda r: gyro(r, lambda w: w + 0.04), "bias", "warning", "0.0"),
    "stuck axis": (lambda r: column(r, 4, lambda x: 0.25), "stuck", "problem", "gyro_y is 0.25"),
    "axis read twice": (lambda r: column(r, 1, lambda x: x[:, 2]), "alike", "problem", "acc_y and acc_z"),
    "not a number": (lambda r: column(r, 2, lambda x: np.nan, "turned"), "values", "problem", "acc_z"),
    "range": (lambda r: step(r, "turned", spiked), "range", "warning", "acc_x is cut off at 19.61"),
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
def test_a_fault_is_named(fault: str) -> None:
    change, about, level, words = FAULTS[fault]
    found = [one for one in faults(judged(cut(change(performance(1, "y -x z"))))) if one.about == about]
    assert [one.level for one in found] == [level]
    assert words in found[0].text
    assert found[0].advice


def test_a_bend_that_was_none_asks_for_another() -> None:
    report = judged(cut(performance(1, bend=np.radians(8))))
    assert {one.about for one in faults(report)} == {"movement", "bend"}
    assert report.nearest is None


@pytest.mark.parametrize(("degrees", "words"), [(4, "you turned by"), (-90, "turned right")])
def test_a_turn_that_was_none_or_the_wrong_way_round_asks_for_another(degrees: float, words: str) -> None:
    report = judged(cut(performance(1, turn=np.radians(degrees))))
    (found,) = faults(report)
    assert words in found.text
    assert report.nearest is None


def test_a_sensor_between_two_axes_is_refused_and_one_askew_is_told() -> None:
    straight = judged(cut(performance(0)))
    assert straight.nearest is not None
    sideways = partial(performance, 0, bend=np.radians(60))
    askew = judged(cut(sideways(sideways=np.radians(35))))
    assert askew.nearest is not None
    assert str(askew.nearest.axes) == "x y z"
    assert [one.about for one in faults(askew)] == ["axes"]
    between = judged(cut(sideways(sideways=np.radians(45))))
    (found,) = faults(between)
    assert (found.about, found.level) == ("axes", "problem")
    assert "ambiguous" in found.text
    assert between.nearest is None


def test_acceleration_alone_is_enough_for_the_mapping() -> None:
    rows = performance(1, "-z x -y")
    steps = cut({key: x[:, :3] for key, x in rows.items() if key != "turned"})
    report = judged(steps)
    assert report.nearest is not None
    assert str(report.nearest.axes) == "-z x -y"
    assert [one.about for one in faults(report)] == ["channels"]  # uci_cnn reads a gyroscope too


def test_a_model_that_knows_no_place_gets_units_and_no_mapping() -> None:
    rows = gyro(performance(1, "y -x z"), np.degrees)
    stretches = Stretches(**{key: Stretch.of(one) for key, one in cut(rows).items() if key in ("table", "moved")})
    report = judge(stretches, model("watch").input, orientation_of(model("watch").card))
    assert report.nearest is None
    assert report.gyro_factor == pytest.approx(np.pi / 180)
    assert report.problems == 0
    assert "no orientation" in next(one.text for one in report.findings if one.about == "axes")


@pytest.mark.parametrize(
    ("name", "orientation"),
    [("uci_cnn", HAPT_WAIST), ("uci_kinet", HAPT_WAIST), ("watch", None), ("phone_acc", None), ("unimib_falls", None)],
)
def test_a_model_knows_its_place_where_all_its_people_wore_the_sensor_alike(name: str, orientation: object) -> None:
    assert orientation_of(model(name).card) is orientation


def lost(steps: Chunks) -> Chunks:
    return {**steps, "moved": [one for i, one in enumerate(steps["moved"]) if i != 2]}


def apart(seconds: float, steps: Chunks) -> Chunks:
    first, *others = steps["table"]
    return {**steps, "table": [first, *(replace(one, t=one.t + seconds) for one in others)]}


def every(steps: Chunks, change: Callable[[SampleChunk], SampleChunk]) -> Chunks:
    return {key: [change(one) for one in found] for key, found in steps.items()}


def anew(steps: Chunks) -> Chunks:
    return {**steps, "worn": [replace(one, session=f"s#{i}", seq=0) for i, one in enumerate(steps["worn"])]}


def bursts(chunk: SampleChunk) -> SampleChunk:
    """Stamped on arrival: all of a packet at once, or nearly."""
    return replace(chunk, t=chunk.t[-1] + np.arange(len(chunk)) * 1e-4)


def uneven(chunk: SampleChunk) -> SampleChunk:
    return replace(chunk, t=chunk.t + np.random.default_rng(chunk.seq).uniform(0, 0.018, len(chunk)))


STREAM_FAULTS: dict[str, tuple[Callable[[Chunks], Chunks], str, str, str]] = {
    "announces another rate": (lambda s: every(s, lambda c: replace(c, fs_hz=100)), "rate", "problem", "-50%"),
    "runs 5 % fast": (lambda s: every(s, lambda c: replace(c, t=c.t / 1.05)), "rate", "warning", "52.50 Hz"),
    "too slow for the model": (
        lambda s: every(s, lambda c: replace(c, t=c.t * 2, fs_hz=25)),
        "rate",
        "problem",
        "carries no motion above 12.5 Hz",
    ),
    "loses a packet": (lost, "losses", "warning", "25 of 600"),
    "pauses": (partial(apart, 0.1), "gaps", "warning", "1, the longest 0.12 s"),
    "stays away": (partial(apart, 0.5), "gaps", "problem", "the longest 0.52 s"),
    "starts anew": (anew, "link", "warning", "5 times"),
    "runs backwards": (lambda s: {**s, "table": s["table"][::-1]}, "clock", "problem", "ran back 5 times"),
    "stamps on arrival": (lambda s: every(s, bursts), "gaps", "problem", "the longest"),
    "stamps unevenly": (lambda s: every(s, uneven), "jitter", "warning", "20."),
    "is late": (lambda s: every(s, lambda c: replace(c, received_s=c.received_s + 3)), "age", "problem", "3010 ms"),
    "is from tomorrow": (lambda s: every(s, lambda c: replace(c, received_s=c.t[-1] - 9)), "age", "warning", "future"),
    "drifts": (lambda s: every(s, lambda c: replace(c, t_device=c.t * 1.01)), "drift", "warning", "10000 ppm fast"),
}


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_a_fault_of_the_stream_is_named(fault: str) -> None:
    change, about, level, words = STREAM_FAULTS[fault]
    found = [one for one in faults(judged(change(cut(performance(1))))) if one.about == about]
    assert level in [one.level for one in found]
    assert any(words in one.text for one in found)


def test_a_device_clock_that_keeps_time_is_told_its_drift() -> None:
    steps = every(cut(performance(1)), lambda c: replace(c, t_device=7 + c.t * (1 - 40e-6)))
    assert "40 ppm slow" in next(one.text for one in judged(steps).findings if one.about == "drift")


def test_link_battery_and_what_the_source_counted_are_told() -> None:
    link = LinkStatus("s", "streaming", -50, 0.1, 2, 0.0, clock="its own clock", slope_ppm=-40.0)
    report = judged(cut(performance(1)), counts={"malformed": 3, "dropped": 0}, link=link)
    told = [(one.about, one.text) for one in faults(report)]
    assert told == [("source", "it counted malformed 3"), ("link", "it broke 2 times"), ("battery", "10%")]
    assert ("clock", "timed by its own clock, 40 ppm fast") in [(one.about, one.text) for one in report.findings]
    assert faults(judged(cut(performance(1)), link=replace(link, battery_frac=0.8, reconnects=0))) == []


def test_angular_rates_add_up_to_the_rotation_they_describe() -> None:
    angles = smooth(400, 1.2)
    axis = np.array([2.0, -1.0, 2.0]) / 3
    rates = np.gradient(angles)[:, None] * 100 * axis
    total = turned_by(rates, np.arange(400) / 100)
    np.testing.assert_allclose(total @ axis, axis, atol=1e-9)
    assert np.degrees(np.arccos((np.trace(total) - 1) / 2)) == pytest.approx(np.degrees(1.2), abs=0.1)
    square = np.array([1.0, 2.0, 0.0])
    assert np.cross(square, total @ square) @ axis > 0  # the right hand's way round


def test_gravity_of_standing_and_lying_gives_most_people_of_hapt_the_axes_they_were_recorded_with(
    data_dir: Path,
) -> None:
    """Lying on the back is a bend backwards; the figures are those of docs/wear.md."""
    hapt = open_dataset("hapt", data_dir)
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for entry in hapt.entries:
        if entry.subject not in found:
            one = entry.load()
            read = [one.x[one.labels == one.label_names.index(what), :3] for what in ("standing", "lying")]
            if all(map(len, read)):
                upright, lying = (x.mean(axis=0).astype(float) for x in read)
                found[entry.subject] = upright / np.linalg.norm(upright), -forward_from_bend(upright, lying)
    nearest = [nearest_axes(*directions, HAPT_WAIST) for directions in found.values()]
    right = [one.axes == ChannelMap() for one in nearest]
    taken = [one.off_deg <= OFF_REFUSED_DEG for one in nearest]
    assert (len(right), sum(right), sum(np.array(right) & taken), len(taken) - sum(taken)) == (30, 27, 27, 2)
    assert np.median([one.off_deg for one in nearest]) == pytest.approx(21, abs=0.5)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    notes = ('ok: "quoted" \\ and\nbroken', "Umlaut ä \x7f \x01")
    written = AxesFile("-y x z", 9.80665, np.pi / 180, "ble://Polar é", "uci_cnn", "waist", 49.97, None, notes)
    write_axes_file(path, written)
    assert read_axes_file(path) == written
    assert read_axes_file(path).channel_map == ChannelMap((1, 0, 2), (-1, 1, 1), 9.80665, np.pi / 180)
    assert is_axes_file(str(path))
    assert not is_axes_file("-y x z")


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
def test_a_file_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as error:
        read_axes_file(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_axes_file(tmp_path / "none.toml")


def test_a_part_of_a_chunk_is_as_old_as_the_whole() -> None:
    (whole,) = chunks(performance(1)["table"][:25])
    piece = part_as_sent(whole, 5, 15)
    assert (piece.seq, len(piece)) == (whole.seq + 5, 10)
    assert piece.received_s - piece.t[-1] == pytest.approx(whole.received_s - whole.t[-1])


async def test_what_one_step_takes_the_next_goes_on_from() -> None:
    feed = Feed(Wearer(1, speed=float("inf")))
    await feed.begin()
    told: list[tuple[float, float]] = []
    first = await feed.take(1.01, lambda *done: told.append(done))
    second = await feed.take(2.0, lambda *done: None)
    await feed.aclose()
    t = np.concatenate([chunk.t for chunk in first + second])
    assert np.diff(t) == pytest.approx(np.full(len(t) - 1, 1 / RATE_HZ))
    assert (sum(map(len, first)), len(t)) == (51, 151)
    assert second[0].seq == 51
    assert told[-1] == (1.01, 1.01)


async def test_what_comes_while_a_person_is_awaited_is_let_go() -> None:
    feed = Feed(Wearer(1, speed=float("inf")))
    await feed.begin()
    pressed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, pressed.set)
    await feed.until(pressed)
    later = await feed.take(1.0, lambda *done: None)
    await feed.aclose()
    assert later[0].t[0] > 1
    assert sum(map(len, later)) in (49, 50)  # what the last chunk let go ended with belongs to the waiting


async def test_a_source_that_ends_too_early_is_told_and_one_cut_to_fit_is_enough() -> None:
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


def test_the_helper_turns_what_the_mapping_turns_back() -> None:
    (upright,) = chunks(performance(3, noise=0, bias=0)["moved"], size=1000)
    (turned,) = chunks(performance(3, "z -x -y", noise=0, bias=0)["moved"], size=1000)
    np.testing.assert_allclose(ChannelMap.parse("z -x -y").apply(turned).x, upright.x, atol=1e-5)
    assert np.linalg.det(matrix_of("z -x -y")) == pytest.approx(1)
