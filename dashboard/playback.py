"""Pause, step, seek, speed and next activity of a recording."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .model import value_steps
from .model.session_like import ActivityPlayback
from .panels.decisions import clock
from .panels.status import speed_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinestream.core.signals import SampleChunk
    from kinestream.core.source import Playback

    from .model.session_like import SessionLike
    from .model.state import DashboardState


class PlaybackControl:
    """Passes playback commands on to a recording; for a live source each does nothing.

    Args:
        session: owns the playback.
        state: its log gets a line for each command.
        refuse: called with the reason if a command is impossible.
    """

    def __init__(self, session: SessionLike, state: DashboardState, refuse: Callable[[str], None]) -> None:
        self._session = session
        self._state = state
        self._refuse = refuse
        self._has_ended = False
        self._step: tuple[str, float] | None = None  # the stream that steps, and its remaining seconds

    @property
    def playback(self) -> Playback | None:
        """The session's playback; None for a live source."""
        return self._session.playback

    def end(self) -> None:
        """Refuse commands from now on: the session has ended."""
        self._has_ended = True

    def _active_playback(self) -> Playback | None:
        """Return the playback; None, with a refusal, after the session's end."""
        if self.playback is not None and self._has_ended:
            self._refuse("the recording has ended; restart kinestream to play it again")
            return None
        return self.playback

    def pause(self) -> None:
        """Pause a playing recording, or resume a paused one."""
        playback = self._active_playback()
        if playback is not None:
            self._step = None
            playback.paused = not playback.paused

    def step(self) -> None:
        """Play to the next window of the shown stream and pause there."""
        playback = self._active_playback()
        if playback is not None:
            self._step = self._state.shown, self._session.hop_s
            playback.paused = False

    def on_chunk(self, chunk: SampleChunk) -> None:
        """Count a played chunk towards the current step, before the next chunk is played."""
        if self._step is None or chunk.stream != self._step[0]:
            return
        left_s = self._step[1] - len(chunk) / chunk.fs_hz
        self._step = (chunk.stream, left_s) if left_s > 1e-6 else None
        if self._step is None and self.playback is not None:
            self.playback.paused = True

    def seek(self, by_s: float) -> None:
        """Jump by so many seconds, at most to the start or the end."""
        playback = self._active_playback()
        if playback is None:
            return
        duration_s = playback.duration_s
        to_s = max(0.0, playback.position_s + by_s)
        playback.seek(to_s if math.isnan(duration_s) else min(to_s, duration_s))
        self._note(f"to {clock(to_s)}")

    def speed(self, step: int) -> None:
        """Play at the next higher (1) or lower (-1) speed."""
        playback = self._active_playback()
        if playback is not None:
            playback.speed = value_steps.stepped(value_steps.SPEEDS, playback.speed, step)
            self._note(f"speed {speed_text(playback.speed)}")

    @property
    def has_activities(self) -> bool:
        """Whether the recording knows where activities begin."""
        return isinstance(self.playback, ActivityPlayback)

    def next_activity(self) -> None:
        """Jump to the start of the next activity."""
        playback = self._active_playback()
        if isinstance(playback, ActivityPlayback):
            playback.next_activity()
            self._note("to the next activity")

    def _note(self, text: str) -> None:
        if self._state.stream is not None:
            self._state.stream.note(text)
