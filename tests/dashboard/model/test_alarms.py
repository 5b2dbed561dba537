"""Current faults, and the announcement of new ones."""

from __future__ import annotations

import pytest

from kinestream.core.source import LinkStatus
from kinestream.dashboard.model.alarms import QUIET_S, SILENT_S, STANDING_S, AlarmWatch, alarms
from kinestream.dashboard.model.state import DashboardState
from kinestream.observe.findings import Notice, problem, warning

from ..synthetic import SyntheticSession


def link(state: str, *, clock: str = "device clock, fitted", reconnects: int = 0) -> LinkStatus:
    return LinkStatus("wrist", state, -60, 0.8, reconnects, None, clock)


def current_alarms(session: SyntheticSession, *, state: DashboardState | None = None, dropped: int = 0) -> list[str]:
    return alarms(session, state or DashboardState(), dropped)


def test_a_healthy_run_has_no_alarms() -> None:
    assert current_alarms(SyntheticSession()) == []


def test_permanent_failures_come_first() -> None:
    session = SyntheticSession()
    session.failure_lines = ["recording ended: no space left"]
    session.link_list = [link("lost")]
    assert current_alarms(session)[0] == "recording ended: no space left"


@pytest.mark.parametrize("state", ["lost", "looking", "connecting"])
def test_a_link_that_goes_down_is_an_alarm(state: str) -> None:
    session = SyntheticSession()
    session.link_list = [link(state)]
    assert current_alarms(session) == [f"wrist: link {state}; its samples are missing now"]


@pytest.mark.parametrize(
    "status", [link("looking", clock=""), link("connecting", clock=""), link("streaming", reconnects=3)]
)
def test_a_first_connection_or_a_reconnected_link_is_not_an_alarm(status: LinkStatus) -> None:
    session = SyntheticSession()
    session.link_list = [status]
    assert current_alarms(session) == []


@pytest.mark.parametrize("live", [True, False])
def test_a_silent_live_stream_is_an_alarm_and_a_paused_recording_is_not(live: bool) -> None:
    session, state = SyntheticSession(live=live), DashboardState()
    session.subscribe(state.on_chunk, state.on_prediction)
    session.play(0)
    session.silence_s = SILENT_S / 2
    state.on_figures(session.figures())
    assert current_alarms(session, state=state) == []
    session.silence_s = 7.0
    state.on_figures(session.figures())
    later = current_alarms(session, state=state)
    assert later == (["left wrist: no samples for 7 s"] if live else [])


def test_a_problem_of_a_stream_is_an_alarm_and_a_warning_is_not() -> None:
    session = SyntheticSession()
    gravity = Notice("wrist", problem("gravity", "gravity is missing", "choose the raw accelerometer"))
    session.finding_list = [gravity, Notice("wrist", warning("rate", "rate 48.5 Hz, announced 50", ""))]
    assert current_alarms(session) == ["wrist: gravity is missing; choose the raw accelerometer"]


def test_a_silence_has_one_alarm() -> None:
    session = SyntheticSession()
    session.link_list = [link("lost")]
    session.finding_list = [Notice("wrist", problem("silence", "nothing arrived for 9 s", ""))]
    assert len(current_alarms(session)) == 1
    session.link_list = []
    assert current_alarms(session) == ["wrist: nothing arrived for 9 s"]


def test_newly_dropped_samples_are_an_alarm() -> None:
    assert "25 samples dropped just now" in current_alarms(SyntheticSession(), dropped=25)[0]


def test_an_alarm_is_new_once_and_again_after_a_quiet_time() -> None:
    watch = AlarmWatch()
    assert watch.new_alarms(["no samples for 3 s"], 0.0) == ["no samples for 3 s"]
    for now_s in range(1, 60):
        assert watch.new_alarms([f"no samples for {now_s + 3} s"], float(now_s)) == []
    assert watch.new_alarms([], 60.0) == []
    assert watch.new_alarms(["no samples for 3 s"], 60.0 + 2 * QUIET_S) == ["no samples for 3 s"]


def test_a_notice_is_announced_once_after_it_has_stood_for_a_while() -> None:
    watch = AlarmWatch()
    assert watch.new_notices(["50.1 Hz measured"], 0.0) == []
    assert watch.new_notices([], 1.0) == []
    assert watch.new_notices(["50.2 Hz measured"], 2.0) == []
    assert watch.new_notices(["50.3 Hz measured"], 2.0 + STANDING_S) == ["50.3 Hz measured"]
    assert watch.new_notices(["50.4 Hz measured"], 60.0) == []
