"""What all parts of the dashboard have in common: a titled frame, drawn again only when it would look different."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from .contract import SessionLike
    from .state import DashboardState, StreamState

Piece = str | Content | tuple[str, str]
"""Text, or text with its style."""


class Panel(Widget):
    """A part of the dashboard.

    A subclass draws ``stream`` in ``draw`` and names in ``seen`` what the drawing depends on.
    """

    TITLE = ""

    def __init__(self, session: SessionLike, state: DashboardState) -> None:
        super().__init__()
        self.session = session
        self.state = state
        self.border_title = self.TITLE
        self._drawn: Hashable = None

    @property
    def stream(self) -> StreamState | None:
        return self.state.stream

    def seen(self) -> Hashable:
        """Differs whenever the drawing would differ."""
        raise NotImplementedError

    def draw(self, width: int, height: int) -> Sequence[Sequence[Piece]]:
        """The lines of the panel, at most ``height`` of them, each at most ``width`` cells wide."""
        raise NotImplementedError

    def tick(self) -> None:
        """Called ten times a second."""
        seen = (self.state.shown, self.seen())
        if seen != self._drawn:
            self._drawn = seen
            self.refresh()

    def render(self) -> Content:
        width, height = self.content_size
        if width < 1 or height < 1:
            return Content()
        lines = self.draw(width, height)[:height]
        return Content("\n").join([Content.assemble(*line).truncate(width, ellipsis=True) for line in lines])
