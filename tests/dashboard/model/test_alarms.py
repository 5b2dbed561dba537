"""What is told at once, and what is told once."""

from __future__ import annotations

import pytest

from kinestream.core.source import LinkStatus
from kinestream.dashboard.model.alarms import QUIET_S, SILENT_S, STANDING_S, Watch, alarms
from kinestream.dashboard.model.state import DashboardState

from ..synthetic import SyntheticSession


def link(state: str, *, clock: str = "device clock, fitted", reconnects: int = 0) -> LinkStatus:
    return LinkStatus("wrist", state, -60, 0.8, reconnects, None, clock)


def told(session: SyntheticSession, *, state: DashboardState | None = None, dropped: int = 0, now_s: float = 0.0):
    return alarms(session, state or DashboardState(), dropped, now_s)


def test_nothing_is_wrong_in_a_quiet_run() -> None:
    assert told(SyntheticSession()) == []


def test_what_has_failed_for_good_stands_first() -> None:
    session = SyntheticSession()
    session.broken = ["recording ended: no space left"]
    session.linked = [link("lost")]
    assert told(session)[0] == "recording ended: no space left"


@pytest.mark.parametrize("state", ["lost", "looking", "connecting"])
def test_a_link_that_was_there_and_is_not_is_an_alarm(state: str) -> None:
    session = SyntheticSession()
    session.linked = [link(state)]
    assert told(session) == [f"wrist: link {state}; what it measures now is not seen"]


@pytest.mark.parametrize(
    "awaited", [link("looking", clock=""), link("connecting", clock=""), link("streaming", reconnects=3)]
)
def test_a_link_that_is_awaited_or_back_is_none(awaited: LinkStatus) -> None:
    session = SyntheticSession()
    session.linked = [awaited]
    assert told(session) == []


@pytest.mark.parametrize("live", [True, False])
def test_a_live_stream_that_falls_silent_is_an_alarm_and_a_paused_recording_none(live: bool) -> None:
    session, state = SyntheticSession(live=live), DashboardState()
    session.subscribe(state.on_chunk, state.on_prediction)
    session.play(0)
    heard_s = state.streams["left wrist"].health.heard_s
    assert heard_s is not None
    assert told(session, state=state, now_s=heard_s + SILENT_S / 2) == []
    later = told(session, state=state, now_s=heard_s + 7)
    assert later == (["left wrist: nothing came for 7 s"] if live else [])


def test_samples_dropped_since_the_last_look_are_told() -> None:
    assert "25 samples dropped just now" in told(SyntheticSession(), dropped=25)[0]


def test_an_alarm_that_only_counts_on_is_new_once_and_again_after_a_quiet_time() -> None:
    watch = Watch()
    assert watch.new_alarms(["nothing came for 3 s"], 0.0) == ["nothing came for 3 s"]
    for now_s in range(1, 60):
        assert watch.new_alarms([f"nothing came for {now_s + 3} s"], float(now_s)) == []
    assert watch.new_alarms([], 60.0) == []
    assert watch.new_alarms(["nothing came for 3 s"], 60.0 + 2 * QUIET_S) == ["nothing came for 3 s"]


def test_a_notice_is_told_once_when_it_has_stood_for_a_while() -> None:
    watch = Watch()
    assert watch.new_notices(["50.1 Hz measured"], 0.0) == []
    assert watch.new_notices([], 1.0) == []
    assert watch.new_notices(["50.2 Hz measured"], 2.0) == []
    assert watch.new_notices(["50.3 Hz measured"], 2.0 + STANDING_S) == ["50.3 Hz measured"]
    assert watch.new_notices(["50.4 Hz measured"], 60.0) == []
