"""The page that lists the streams."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ..drawing import theme
from ..model.state import DashboardState, StreamState, conclusion_of
from ..panels.prediction import readable

REFRESH_S = 1.0


class StreamScreen(ModalScreen[None]):
    """Enter or a click shows a stream; the lines keep updating."""

    AUTO_FOCUS = "OptionList"
    BINDINGS = [("escape,l,q", "dismiss", "close")]  # noqa: RUF012

    def __init__(self, state: DashboardState) -> None:
        super().__init__()
        self._state = state

    def compose(self) -> ComposeResult:
        streams = OptionList(*self._options(), id="streams")
        streams.border_title = "Streams"
        streams.border_subtitle = "enter shows, esc closes"
        yield streams

    def on_mount(self) -> None:
        streams = self.query_one(OptionList)
        streams.highlighted = max(0, list(self._state.streams).index(self._state.shown) if self._state.shown else 0)
        self.set_interval(REFRESH_S, self._refresh_options)

    def _options(self) -> list[Option]:
        return [Option(_line(stream, name == self._state.shown)) for name, stream in self._state.streams.items()]

    def _refresh_options(self) -> None:
        streams = self.query_one(OptionList)
        place = streams.highlighted
        streams.set_options(self._options())
        streams.highlighted = place

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._state.shown = list(self._state.streams)[event.option_index]
        self.dismiss()


def _line(stream: StreamState, is_shown: bool) -> Content:
    prediction, figures = stream.prediction, stream.figures
    rate = "" if figures is None or figures.rate_hz is None else f"{figures.rate_hz:.1f} Hz"
    lost = figures.lost_share if figures else 0.0
    return Content.assemble(
        ("▸ " if is_shown else "  ", theme.ACCENT),
        (f"{stream.name:<24.24}", f"bold {theme.TEXT}"),
        f" {readable(conclusion_of(prediction).label) if prediction else 'no window yet':<20.20}",
        (f" {rate:>9}", theme.MUTED),
        (f" {lost:>6.1%} lost", theme.level(1 - lost, 0.99, 0.9)),
    )
