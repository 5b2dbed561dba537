"""What all parts of the dashboard have in common: a titled frame, of which only lines that change are drawn again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from ..model.session_like import SessionLike
    from ..model.state import DashboardState, StreamState

Piece = str | tuple[str, str]
"""Text, or text with its style."""
_ELLIPSIS = "…"


class Panel(Widget):
    """A part of the dashboard.

    A subclass draws ``stream`` in ``draw`` and returns from ``drawing_key`` everything that the drawing depends on. The
    widget serves its lines itself (Textual's line API) and keeps the strip of every line that has not changed: on a
    dashboard that refreshes ten times a second, most lines stay the same.
    """

    TITLE = ""

    def __init__(self, session: SessionLike, state: DashboardState) -> None:
        super().__init__()
        self.session = session
        self.state = state
        self.border_title = self.TITLE
        self._drawn: Hashable = None
        self._made_for: Size | None = None
        self._lines: list[list[Piece]] = []
        self._strips: list[Strip] = []

    def entitle(self, title: Content, subtitle: Content) -> None:
        """Write both into the frame, where they differ: Textual draws a whole panel again for that."""
        if self.border_title != title.markup:
            self.border_title = title
        if self.border_subtitle != subtitle.markup:
            self.border_subtitle = subtitle

    @property
    def stream(self) -> StreamState | None:
        return self.state.stream

    def drawing_key(self) -> Hashable:
        """Differs whenever the drawing would differ."""
        raise NotImplementedError

    def draw(self, width: int, height: int) -> Sequence[Sequence[Piece]]:
        """The lines of the panel; what is wider or lower than it is cut off."""
        raise NotImplementedError

    def tick(self) -> bool:
        """Draw what has changed since the last time. Whether anything has."""
        seen = (self.state.shown, self.drawing_key())
        if seen == self._drawn:
            return False
        self._drawn = seen
        if not self.is_on_screen:
            self._made_for = None  # drawn when it comes back
            return False
        size, before = self._made_for, self._strips
        self._make()
        if self._made_for != size:
            self.refresh()
            return True
        changed = [y for y, (old, new) in enumerate(zip(before, self._strips, strict=True)) if old is not new]
        if changed:
            self.refresh(*(Region(0, y, self.content_size.width, 1) for y in changed))
        return bool(changed)

    def notify_style_update(self) -> None:
        self._made_for = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        if self._made_for != self.content_size:
            self._make()
        return self._strips[y]

    def _make(self) -> None:
        """Draw all lines; those that are as they were stay the same strips."""
        size, style = self.content_size, self.rich_style
        known = dict(enumerate(self._lines)) if size == self._made_for else {}
        self._made_for = size
        lines = [list(line) for line in self.draw(*size)[: size.height]] if size else []
        lines += [[] for _ in range(size.height - len(lines))]
        self._strips = [
            self._strips[y] if line == known.get(y) else strip_of(line, size.width, style)
            for y, line in enumerate(lines)
        ]
        self._lines = lines


def strip_of(line: Sequence[Piece], width: int, style: Style) -> Strip:
    """One line, filled or cut to ``width`` cells; where something is cut off it ends in an ellipsis."""
    segments: list[Segment] = []
    room = width
    for text, own in fitted(line, width):
        segments.append(Segment(text, style + Style.parse(own)))
        room -= cell_len(text)
    return Strip([*segments, Segment(" " * room, style)] if room else segments, width)


def fitted(line: Sequence[Piece], width: int) -> list[tuple[str, str]]:
    """The pieces that fit into ``width`` cells; where something is cut off they end in an ellipsis."""
    pieces = [(piece, "") if isinstance(piece, str) else piece for piece in line]
    if cells(line) <= width:
        return pieces
    kept: list[tuple[str, str]] = []
    room = max(width, 1) - 1
    for text, style in pieces:
        if cell_len(text) > room:
            return [*kept, (set_cell_size(text, room) + _ELLIPSIS, style)]
        kept.append((text, style))
        room -= cell_len(text)
    return kept


def cells(line: Sequence[Piece]) -> int:
    """How wide a line is."""
    return sum(cell_len(piece if isinstance(piece, str) else piece[0]) for piece in line)
