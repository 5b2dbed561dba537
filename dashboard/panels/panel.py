"""The base of all panels: a titled frame that redraws only the lines that change."""

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

from kinestream.core.printable import printable

if TYPE_CHECKING:
    from ..model.session_like import SessionLike
    from ..model.state import DashboardState, StreamState

Piece = str | tuple[str, str]
"""Text, or text with its style."""
_ELLIPSIS = "…"


class Panel(Widget):
    """A panel of the dashboard.

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
        self._drawn_key: Hashable = None
        self._drawn_size: Size | None = None
        self._lines: list[list[Piece]] = []
        self._strips: list[Strip] = []

    def set_titles(self, title: Content, subtitle: Content) -> None:
        """Set the frame's titles if they differ: Textual redraws the whole panel for a new title."""
        if self.border_title != title.markup:
            self.border_title = title
        if self.border_subtitle != subtitle.markup:
            self.border_subtitle = subtitle

    @property
    def stream(self) -> StreamState | None:
        """The shown stream; None before the first chunk."""
        return self.state.stream

    def drawing_key(self) -> Hashable:
        """Return a value that changes whenever the drawing changes."""
        raise NotImplementedError

    def draw(self, width: int, height: int) -> Sequence[Sequence[Piece]]:
        """Return the panel's lines; whatever exceeds its size is cut off."""
        raise NotImplementedError

    def tick(self) -> bool:
        """Draw what has changed since the last call. Return whether anything has."""
        key = (self.state.shown, self.drawing_key())
        if key == self._drawn_key:
            return False
        self._drawn_key = key
        if not self.is_on_screen:
            self._drawn_size = None  # drawn when it is back on screen
            return False
        size, before = self._drawn_size, self._strips
        self._draw_strips()
        if self._drawn_size != size:
            self.refresh()
            return True
        changed = [y for y, (old, new) in enumerate(zip(before, self._strips, strict=True)) if old is not new]
        if changed:
            self.refresh(*(Region(0, y, self.content_size.width, 1) for y in changed))
        return bool(changed)

    def notify_style_update(self) -> None:
        self._drawn_size = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        if self._drawn_size != self.content_size:
            self._draw_strips()
        return self._strips[y]

    def _draw_strips(self) -> None:
        """Draw all lines; unchanged lines keep their strips."""
        size, style = self.content_size, self.rich_style
        previous = dict(enumerate(self._lines)) if size == self._drawn_size else {}
        self._drawn_size = size
        lines = [list(line) for line in self.draw(*size)[: size.height]] if size else []
        lines += [[] for _ in range(size.height - len(lines))]
        self._strips = [
            self._strips[y] if line == previous.get(y) else strip_of(line, size.width, style)
            for y, line in enumerate(lines)
        ]
        self._lines = lines


def strip_of(line: Sequence[Piece], width: int, style: Style) -> Strip:
    """Return one line, padded or cut to ``width`` cells; a cut line ends in an ellipsis."""
    segments: list[Segment] = []
    room = width
    for text, piece_style in fit(line, width):
        segments.append(Segment(text, style + Style.parse(piece_style)))
        room -= cell_len(text)
    return Strip([*segments, Segment(" " * room, style)] if room else segments, width)


def fit(line: Sequence[Piece], width: int) -> list[tuple[str, str]]:
    """Return the pieces that fit into ``width`` cells; a cut line ends in an ellipsis.

    >>> fit(["queue ", ("12 of 256", "bold")], 10)
    [('queue ', ''), ('12 …', 'bold')]
    """
    pieces = [(printable(piece), "") if isinstance(piece, str) else (printable(piece[0]), piece[1]) for piece in line]
    if width_of(pieces) <= width:
        return pieces
    fitting: list[tuple[str, str]] = []
    room = max(width, 1) - 1
    for text, style in pieces:
        if cell_len(text) > room:
            return [*fitting, (set_cell_size(text, room) + _ELLIPSIS, style)]
        fitting.append((text, style))
        room -= cell_len(text)
    return fitting


def width_of(line: Sequence[Piece]) -> int:
    """Return the width of a line in cells."""
    return sum(cell_len(piece if isinstance(piece, str) else piece[0]) for piece in line)
