"""Every check of the table speaks when its fault is there, stays silent otherwise, and is documented."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinestream.core.evidence import Reception, StreamFigures
from kinestream.observe.checks import CHECKS, findings, notices
from kinestream.observe.evidence import Evidence, gather

SCRIPT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "docs" / "check_table.py"))
EXAMPLES: dict[str, Evidence] = SCRIPT["EXAMPLES"]
SOUND: Evidence = SCRIPT["SOUND"]
TOGETHER = {"windows": {"gaps", "slow"}, "obedience": {"slow"}}
"""What one fault also shows, where that is another fact about it."""


def abouts(evidence: Evidence) -> list[str]:
    return [finding.about for finding in findings(evidence)]


def stream(**changes: Any) -> Evidence:
    assert SOUND.figures is not None
    return replace(SOUND, figures=replace(SOUND.figures, **changes))


def signal(**changes: Any) -> Evidence:
    return replace(SOUND, signal=replace(SOUND.signal, **changes))


def only(**reception: Any) -> Evidence:
    return Evidence("phone", reception=Reception("phone", **reception), since_start_s=8.0)


def text(evidence: Evidence, about: str) -> str:
    (finding,) = [finding for finding in findings(evidence) if finding.about == about]
    return finding.text


def test_the_page_of_checks_is_that_of_the_table() -> None:
    page = SCRIPT["PAGE"].read_text("utf-8")
    assert SCRIPT["with_table"](page) == page, "run python docs/check_table.py"


def test_every_check_has_its_own_name_and_an_example() -> None:
    assert [check.name for check in CHECKS] == list(EXAMPLES)


def test_a_sound_sensor_has_no_finding() -> None:
    assert abouts(SOUND) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_fault_has_one_message_with_a_remedy(name: str) -> None:
    found = list(findings(EXAMPLES[name]))
    assert name in [finding.about for finding in found]
    assert {finding.about for finding in found} <= {name} | TOGETHER.get(name, set())
    for finding in found:
        assert finding.level in ("warning", "problem")
        assert finding.advice or name == "source"
        assert "\n" not in finding.line


def test_nothing_is_said_before_anything_can_be_known() -> None:
    assert abouts(Evidence("wrist", since_start_s=3.0)) == []
    assert abouts(stream(span_s=1.0, rate_hz=12.5, jitter_ms=400.0, burst_samples=12)) == []
    assert abouts(signal(blocks=2, gravity=0.1, rest_gravity=0.1, moved_blocks=2, gyro_still_blocks=2)) == []


def test_a_wait_says_for_what_and_in_which_state_the_link_is() -> None:
    assert text(Evidence("ble://polar", since_start_s=7.0, link="looking"), "silence") == (
        "nothing arrived in 7 s (link: looking); waiting for samples"
    )
    assert text(stream(silence_s=6.0), "silence") == "nothing arrived for 6 s"


def test_a_recording_has_neither_silence_nor_age() -> None:
    recording = replace(stream(silence_s=60.0, age_ms=-1e9), live=False)
    assert abouts(recording) == []
    assert abouts(Evidence("walk.csv", since_start_s=60.0, live=False)) == []


def test_malformed_packets_are_shown_in_hex_with_the_reason() -> None:
    long = only(packets=9, malformed=9, malformed_example=bytes(20), malformed_reason="no length fits")
    assert text(long, "malformed") == (
        f"all 9 packets are malformed; one begins with {' '.join(['00'] * 16)} ...: no length fits"
    )
    some = replace(SOUND, reception=Reception("wrist", packets=100, samples=950, malformed=5))
    assert text(some, "malformed") == "5 of 100 packets are malformed"
    few = replace(SOUND, reception=Reception("wrist", packets=1000, samples=9990, malformed=1))
    assert abouts(few) == []


def test_other_topics_matter_only_while_nothing_is_read() -> None:
    assert abouts(replace(SOUND, reception=Reception("wrist", 900, 1000, unwanted={"status": 800}))) == []
    many = only(packets=20, unwanted={f"t{i}": 20 - i for i in range(9)})
    assert "t0 (20), t1 (19)" in text(many, "topics")
    assert "and 3 more" in text(many, "topics")


def test_a_sensor_that_never_came_and_one_that_is_slow_are_not_a_matter_of_clocks() -> None:
    alone = only(packets=9, unpaired=90, newest_s={"gyroscope": 4.0}, expected="totalacceleration and gyroscope")
    assert abouts(alone) == ["slow_sensor"]
    assert "only gyroscope comes" in text(alone, "slow_sensor")
    slow = only(packets=9, unpaired=90, sensor_hz={"acc": 50.0, "gyro": 1.0}, newest_s={"acc": 4.0, "gyro": 3.5})
    assert abouts(slow) == ["slow_sensor"]
    apart = only(packets=9, unpaired=90, sensor_hz={"acc": 50.0, "gyro": 50.0}, newest_s={"acc": 4.0, "gyro": -300.0})
    assert text(apart, "unpaired") == (
        "all 90 samples pair with nothing; the newest times are gyro -300.00 s, acc 4.00 s, 304.0 s apart"
    )


def test_a_sensor_that_stops_is_named_although_many_samples_were_paired() -> None:
    received = Reception("wrist", 900, 1000, unpaired=300, newest_s={"acc": 24.0, "gyro": 20.0})
    stopped = replace(stream(silence_s=6.0), reception=received)
    assert abouts(stopped) == ["unpaired"]
    assert text(stopped, "unpaired").startswith("gyro stopped 4.0 s ago, or its clock stepped back: 300 of 1300 ")


def test_a_sensor_that_stops_is_named_although_the_others_wait_for_it() -> None:
    received = Reception("phone", 900, 1000, newest_s={"gyroscope": 24.0, "totalacceleration": 18.0})
    waiting = replace(stream(silence_s=6.0), reception=received)
    assert abouts(waiting) == ["unpaired"]
    assert text(waiting, "unpaired").startswith("totalacceleration stopped 6.0 s ago, or its clock stepped back")
    assert abouts(replace(stream(silence_s=0.1), reception=received)) == []  # left out, because it is too slow to pair
    both = Reception("phone", 900, 1000, newest_s={"gyroscope": 18.1, "totalacceleration": 18.0})
    assert abouts(replace(stream(silence_s=6.0), reception=both)) == ["silence"]


def test_a_few_unpaired_samples_at_the_start_are_no_fault() -> None:
    assert abouts(replace(SOUND, reception=Reception("wrist", 100, 1000, unpaired=30))) == []


def test_a_sensor_that_was_asked_for_a_rate_and_keeps_another_did_not_obey() -> None:
    assert text(EXAMPLES["obedience"], "obedience") == "asked for 50 Hz, measured 12.5: the sensor did not obey"
    lossy = replace(stream(rate_hz=44.0), reception=Reception("wrist", 900, 1000, asked_hz=50.0))
    assert text(lossy, "obedience").endswith("measured 44: the sensor did not obey, or its link loses samples")
    obeyed = replace(stream(rate_hz=51.9), reception=Reception("wrist", 100, 1000, asked_hz=52.0))
    assert abouts(obeyed) == ["rate"]


@pytest.mark.parametrize(("rate_hz", "level"), [(50.9, None), (48.5, "warning"), (57.0, "problem")])
def test_a_rate_is_judged_by_its_distance(rate_hz: float, level: str | None) -> None:
    found = [finding.level for finding in findings(stream(rate_hz=rate_hz))]
    assert found == ([level] if level else [])


def test_a_rate_that_is_low_for_its_holes_is_not_called_a_slow_sensor() -> None:
    lossy = stream(rate_hz=36.7, jitter_ms=40.0, coverage=0.72)
    assert abouts(lossy) == ["coverage"]
    assert text(lossy, "coverage").endswith("straight lines between them (rate 36.7 Hz, announced 50)")
    assert abouts(stream(rate_hz=36.7, jitter_ms=0.5, coverage=0.72)) == ["slow"]
    assert "slow" in abouts(stream(rate_hz=20.0, jitter_ms=40.0, coverage=0.3))
    assert abouts(stream(rate_hz=12.5, jitter_ms=140.0, coverage=0.6)) == ["slow"]  # since a moment ago


def test_a_sensor_that_the_policy_slowed_down_is_not_slow() -> None:
    slowed = stream(rate_hz=25.0, announced_hz=25.0)
    assert abouts(slowed) == ["slow"]
    assert abouts(replace(slowed, bears_hz=25.0)) == []


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (stream(windows=0, samples=50, coverage=None), "only 1.0 s of samples came"),
        (stream(windows=0, epochs=30, coverage=None), "the stream restarted 29 times"),
        (stream(windows=0, longest_hole_s=0.4, coverage=None), "are up to 0.40 s apart"),
        (replace(stream(windows=0, coverage=None), signal=replace(SOUND.signal, not_finite=1.0)), "100% of the"),
        (replace(stream(windows=0, coverage=None), signal=replace(SOUND.signal, not_finite=0.3)), "30% of the"),
        (stream(windows=0, coverage=None), "a window needs 2.56 s without a hole above 0.25 s"),
    ],
)
def test_samples_without_a_window_have_a_reason(evidence: Evidence, why: str) -> None:
    assert why in text(replace(evidence, windowless_s=8.0), "windows")
    assert "windows" not in abouts(replace(evidence, windowless_s=3.0))


@pytest.mark.parametrize(("epochs", "is_named"), [(2, False), (3, True)])
def test_a_stream_that_restarted_once_is_not_said_to_restart_again_and_again(epochs: int, is_named: bool) -> None:
    evidence = stream(epochs=epochs)
    assert ("restarts" in {finding.about for finding in findings(evidence)}) == is_named


def test_a_clock_that_is_slightly_ahead_is_not_another_clock() -> None:
    assert text(stream(age_ms=-400.0), "age") == "samples are stamped 400 ms in the future"
    assert abouts(stream(age_ms=1.7e12)) == ["clock"]


@pytest.mark.parametrize(
    ("gravity", "rest", "spread", "about", "words"),
    [
        (9.8, 9.8, 0.1, None, ""),
        (8.2, 8.2, 0.1, None, ""),
        (5.2, None, 9.0, None, ""),  # a wrist that plays ball
        (1.0, 1.0, 0.01, "units", "in g"),
        (0.8, None, 0.9, "units", "in g"),
        (1003.0, 1003.0, 5.0, "units", "milli-g"),
        (19.5, 19.5, 0.2, "units", "doubled"),
        (700.0, 700.0, 9.0, "units", "not 9.81"),
        (99.9, None, 60.0, "units", "10 times as large, in no known unit"),
        (900.0, None, 500.0, "units", "it may be in milli-g"),
        (0.02, None, 0.03, "gravity", "linear"),
        (0.7, None, 3.0, "gravity", "linear"),
    ],
)
def test_gravity_shows_the_unit(
    gravity: float, rest: float | None, spread: float, about: str | None, words: str
) -> None:
    evidence = signal(gravity=gravity, rest_gravity=rest, spread=spread)
    assert abouts(evidence) == ([about] if about else [])
    if about:
        assert words in text(evidence, about)


def test_a_gyroscope_that_a_stream_lacks_is_not_judged() -> None:
    assert SOUND.figures is not None
    acc_only = replace(
        EXAMPLES["gyroscope"], figures=replace(SOUND.figures, channels=SOUND.figures.channels[:3]), spec=None
    )
    assert abouts(acc_only) == []


def test_each_name_is_judged_once() -> None:
    figures = [StreamFigures("wrist", ("acc_x", "acc_y", "acc_z"), 50.0, samples=9)]
    receptions = [Reception("wrist", packets=3, samples=9), Reception("zmq", packets=3, unwanted={"status": 3})]
    evidence = list(gather("zmq", figures, receptions, since_start_s=9.0, links={"wrist": "streaming"}))
    assert [each.name for each in evidence] == ["wrist", "zmq"]
    assert evidence[0].reception is receptions[0]
    assert evidence[0].link == "streaming"
    assert [str(notice).partition(":")[0] for notice in notices(evidence)] == ["zmq"]
