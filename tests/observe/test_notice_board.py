"""Each notice comes up once, holds while its finding does, and is over after it."""

from __future__ import annotations

from kinestream.observe.findings import Finding, Notice, problem, warning
from kinestream.observe.notice_board import HOLD_S, MOST, OVER_S, NoticeBoard


def notice(text: str = "rate 48.5 Hz", about: str = "rate", stream: str = "wrist") -> Notice:
    return Notice(stream, Finding(about, "warning", text))


def test_a_finding_that_does_not_last_is_not_announced() -> None:
    board = NoticeBoard()
    assert board.see(0.0, [notice()]) == []
    assert board.see(1.0, []) == []
    assert board.see(HOLD_S + 1, [notice()]) == []
    assert board.present() == []
    assert board.past() == []


def test_a_notice_comes_up_once_with_the_figures_of_that_moment_and_keeps_the_newest() -> None:
    board = NoticeBoard()
    board.see(0.0, [notice("rate 48.5 Hz")])
    assert board.see(HOLD_S, [notice("rate 48.6 Hz")]) == [notice("rate 48.6 Hz")]
    assert board.see(HOLD_S + 1, [notice("rate 48.7 Hz")]) == []
    assert board.present() == [notice("rate 48.7 Hz")]


def test_a_finding_that_flickers_is_one_notice() -> None:
    board = NoticeBoard()
    announced = [len(board.see(float(s), [notice()] if s % 4 else [])) for s in range(100)]
    assert sum(announced) == 1
    assert board.past() == []


def test_a_finding_that_is_over_becomes_past_and_one_that_returns_is_present_again() -> None:
    board = NoticeBoard()
    for s in range(11):
        board.see(float(s), [notice()])
    board.see(10.0 + OVER_S, [])
    assert board.present() == []
    assert board.past() == ["wrist: rate 48.5 Hz (over after 10 s)"]
    assert [len(board.see(40.0 + s, [notice()])) for s in range(4)] == [0, 0, 0, 0]
    assert board.present() == [notice()]
    assert board.past() == []


def test_streams_and_checks_have_their_own_notices() -> None:
    board = NoticeBoard()
    found = [notice(), notice(about="jitter"), notice(stream="chest")]
    board.see(0.0, found)
    assert board.see(HOLD_S, found) == found


def test_remarks_of_a_source_are_told_apart_by_their_words() -> None:
    board = NoticeBoard()
    mapped, even = notice("stamps are mapped", "source"), notice("bursts are laid evenly", "source")
    board.see(0.0, [mapped])
    assert board.see(HOLD_S, [mapped, even]) == [mapped]
    assert board.see(2 * HOLD_S, [mapped, even]) == [even]


def test_at_the_end_of_a_run_a_finding_need_not_last() -> None:
    board = NoticeBoard()
    assert board.close(0.4, [notice()]) == [notice()]
    assert board.present() == [notice()]


def test_made_up_names_do_not_fill_the_memory() -> None:
    board = NoticeBoard()
    for s in range(40):
        board.see(10.0 * s, [notice(stream=f"{s}-{i}") for i in range(50)])
    assert len(board.present()) + len(board.past()) <= MOST


def test_a_notice_reads_as_one_line() -> None:
    assert str(Notice("wrist", problem("gravity", "gravity is missing", "choose another"))) == (
        "wrist: gravity is missing; choose another"
    )
    assert str(Notice("wrist", warning("source", "mapped", ""))) == "wrist: mapped"
