"""Rich's console without markup, for text of strangers in tables and progress bars."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from kinestream.core.printable import printable


class SafeConsole(Console):
    """Escapes the control characters of all text; Rich's own, such as cursor movements, pass.

    >>> console = SafeConsole()
    >>> with console.capture() as captured:
    ...     console.print("[red]walking\x1b[2J")
    >>> captured.get()
    '[red]walking\\\\x1b[2J\\n'
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_printable_lines(segment.text), segment.style)


def _printable_lines(text: str) -> str:
    # Rich splits texts into lines first: these line ends are its own.
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
