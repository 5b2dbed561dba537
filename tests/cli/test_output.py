from __future__ import annotations

import io
import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from kinestream.cli.output import JsonLines, Lines, summary_lines
from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.interpret.episodes import Episode
from kinestream.observe.findings import Notice, warning
from kinestream.run.tally import Tally

PREDICTION = Prediction(
    stream="s",
    session="one",
    index=0,
    t_start_s=0.0,
    t_end_s=3723.54,
    label="walking",
    confidence=0.75,
    probs=np.array([0.75, 0.25], np.float32),
    labels=("walking", "sitting"),
    decision=Decision(Subnet(0.5, 96), "because"),
    latency_ms=0.25,
    energy_mj=math.nan,
    age_ms=12.5,
    coverage=1.0,
    truth="sitting",
    truth_share=0.5,
)


def test_unknown_values_are_null_in_json() -> None:
    out = io.StringIO()
    JsonLines(out).prediction(PREDICTION)
    record = json.loads(out.getvalue())
    assert (record["energy_mj"], record["battery"]) == (None, None)
    assert record["probs"] == {"walking": 0.75, "sitting": 0.25}
    assert record == json.loads(json.dumps(PREDICTION.to_dict()))


def test_a_summary_without_a_known_energy_is_still_json() -> None:
    tally = Tally(PREDICTION.labels)
    tally.add(PREDICTION, None)
    out = io.StringIO()
    JsonLines(out).summary(tally.summary())
    assert json.loads(out.getvalue())["energy_mj"] is None


def test_the_summary_counts_windows_of_unknown_activities() -> None:
    tally = Tally(PREDICTION.labels)
    tally.add(replace(PREDICTION, truth="swimming", truth_share=1.0), None)
    rest = dict.fromkeys(("source", "model", "policy", "signal_s", "wall_s", "realtime_factor"), 1.0)
    text = "\n".join(summary_lines({**tally.summary(), **rest, "counts": {}, "notices": [], "energy_model": ""}))
    assert " accuracy  1 with a label that the model does not know, not judged" in text


@pytest.mark.parametrize(("deadline_ms", "late"), [(0.1, "; 1 of 1 missed the deadline"), (1e3, "")])
def test_the_summary_counts_missed_deadlines(deadline_ms: float, late: str) -> None:
    tally = Tally(PREDICTION.labels)
    tally.add(PREDICTION, deadline_ms)
    rest = dict.fromkeys(("source", "model", "policy", "signal_s", "wall_s", "realtime_factor"), 1.0)
    text = "\n".join(summary_lines({**tally.summary(), **rest, "counts": {}, "notices": [], "energy_model": ""}))
    assert next(line for line in text.splitlines() if "latency" in line).endswith(f" ms{late}")


@pytest.mark.parametrize(("t_end_s", "shown"), [(59.97, " 1:00.0 "), (3599.94, " 59:59.9 "), (3599.96, " 1:00:00.0 ")])
def test_no_minute_has_sixty_seconds(t_end_s: float, shown: str) -> None:
    out = io.StringIO()
    Lines(out).prediction(replace(PREDICTION, t_end_s=t_end_s))
    assert shown in out.getvalue()


def test_a_line_for_people_marks_a_wrong_prediction() -> None:
    out = io.StringIO()
    Lines(out).prediction(PREDICTION)
    assert "1:02:03.5" in out.getvalue()
    assert "! sitting" in out.getvalue()


@pytest.mark.parametrize(
    ("label", "truth", "mark"),
    [("walking", "walking", "="), ("walking", "sitting", "!"), ("unknown", "sitting", "?"), ("still", "sitting", "?")]
    + [(label, "swimming", "-") for label in ("walking", "unknown", "still")],
)
def test_a_line_marks_a_label_as_right_wrong_withheld_or_not_judged(label: str, truth: str, mark: str) -> None:
    out = io.StringIO()
    Lines(out).prediction(replace(PREDICTION, label=label, truth=truth))
    assert out.getvalue().endswith(f"  {mark} {truth}\n")


@pytest.mark.parametrize(("counts", "said"), [({}, False), ({"without_up": 1}, True), ({"worn_otherwise": 1}, True)])
def test_the_summary_says_that_withheld_labels_are_judged_too(counts: dict[str, int], said: bool) -> None:
    tally = Tally(PREDICTION.labels)
    tally.add(replace(PREDICTION, truth_share=1.0), None)
    rest = dict.fromkeys(("source", "model", "policy", "signal_s", "wall_s", "realtime_factor"), 1.0)
    text = "\n".join(summary_lines({**tally.summary(), **rest, "counts": counts, "notices": [], "energy_model": ""}))
    assert ("of the network's own labels, also where still or unknown was shown" in text) is said


def test_an_episode_has_the_streams_clock_and_a_live_one_the_time_of_day() -> None:
    episode = Episode("s", "one", "walking", 3603.54, 3723.54, 60, 0.9)
    played, live = io.StringIO(), io.StringIO()
    Lines(played).episode(episode)
    assert played.getvalue() == "s               1:00:03.5-1:02:03.5  walking\n"
    lines = Lines(live, live=True)
    before_s = time.time()
    lines.prediction(PREDICTION)
    lines.episode(episode)
    start, end = live.getvalue().splitlines()[1].split()[1].split("-")
    ends = {time.strftime("%H:%M:%S", time.localtime(t_s)) for t_s in (before_s, time.time())}
    starts = {time.strftime("%H:%M:%S", time.localtime(t_s)) for t_s in (before_s - 120, time.time() - 120)}
    assert end in ends
    assert start in starts


def test_a_notice_is_an_object_in_json_and_a_line_in_text() -> None:
    notice = Notice("wrist", warning("rate", "rate 48.5 Hz, announced 50", "set the rate"))
    out = io.StringIO()
    JsonLines(out).notice(notice)
    assert json.loads(out.getvalue()) == {
        "notice": "rate 48.5 Hz, announced 50",
        "about": "rate",
        "level": "warning",
        "advice": "set the rate",
        "stream": "wrist",
    }
    out = io.StringIO()
    Lines(out).notice(notice)
    assert out.getvalue() == "   notice  wrist: rate 48.5 Hz, announced 50; set the rate\n"
