"""The running policy and its settings, changed with the arrow keys or the mouse."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.binding import Binding
from textual.message import Message

from kinestream.policy import parts_of
from kinestream.policy.settings_text import value_text

from ..drawing import theme
from ..model.policy_settings import settings, shown
from .panel import Panel, Piece

if TYPE_CHECKING:
    from ..model.control import Control

_CURSOR = "›"
_VALUE_WIDTH = 13
"""Cells that names leave for values; the name of a composition's setting is still recognisable when cut."""


class Row(NamedTuple):
    """One line: its name, its value, and the ways to change it."""

    name: str
    value: str
    text: str
    """The text to edit when the user types another value."""
    is_changed: bool
    """It differs from its default."""
    change: Callable[[int], None]
    type: Callable[[str], None]


class PolicyPanel(Panel, can_focus=True):
    """Rows for the kind, the limit, the deadline, and every setting of every part."""

    TITLE = "Policy"
    BINDINGS = [  # noqa: RUF012
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("left", "change(-1)", "less", key_display="←/→"),
        Binding("right", "change(1)", "more", show=False),
        Binding("enter", "type", "type a value"),
        Binding("escape", "leave", "back", show=False),
    ]

    class TypeRequested(Message):
        """The user wants to type the value of a row."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *args, control: Control, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._control = control
        self._place = 0
        self._top = 0
        self._rows: tuple[Hashable, list[Row]] = (None, [])
        self.border_subtitle = "e edits, w saves"

    def drawing_key(self) -> Hashable:
        return self.session.policy_text, self.session.deadline_ms, self._place, self.has_focus

    @property
    def rows(self) -> list[Row]:
        key = self.session.policy_text, self.session.deadline_ms
        if self._rows[0] != key:
            self._rows = key, self._make_rows()
        return self._rows[1]

    def _make_rows(self) -> list[Row]:
        control, text, deadline_ms = self._control, self.session.policy_text, self.session.deadline_ms
        deadline = ("none", "") if deadline_ms is None else (f"{deadline_ms:g} ms", f"{deadline_ms:g}")
        rows = [Row("deadline", *deadline, False, control.change_deadline, control.type_deadline)]
        policy = control.policy
        if policy is None:
            return [Row("kind", text, text, False, control.next_policy, control.set_policy), *rows]
        kinds = [part.kind for part in parts_of(policy)]
        limits = " + ".join(kinds[1:]) or "none"
        rows = [
            Row("kind", kinds[0], text, False, control.next_policy, control.set_policy),
            Row("limited by", limits, text, len(kinds) > 1, control.change_limit, control.set_policy),
            *rows,
        ]
        for setting in settings(policy, self.session.table):
            name = setting.key if len(kinds) == 1 else f"{setting.key}, {setting.kind}"
            text = "" if setting.value is None else value_text(setting.value)
            change, type_ = partial(control.change, setting), partial(control.type, setting)
            rows.append(Row(name, shown(setting.value), text, setting.is_changed, change, type_))
        return rows

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        self._place = min(self._place, len(self.rows) - 1)
        self._top = min(max(self._top, self._place - height + 1), self._place)
        values = min(max(len(row.value) for row in self.rows), _VALUE_WIDTH)
        name_width = min(max(len(row.name) for row in self.rows) + 1, max(1, width - 2 - values))
        lines: list[list[Piece]] = []
        for place, row in list(enumerate(self.rows))[self._top : self._top + height]:
            selected = place == self._place and self.has_focus
            short = row.name if len(row.name) < name_width else f"{row.name[: name_width - 2]}… "
            name = f"{_CURSOR if selected else ' '} {short:<{name_width}}"
            colour = theme.WARN if row.is_changed else theme.TEXT
            value = f"‹ {row.value} ›" if selected else row.value
            lines.append(
                [
                    (name, f"bold {theme.ACCENT}" if selected else theme.MUTED),
                    (value, f"bold {colour}" if selected else colour),
                ]
            )
        return lines

    def action_move(self, step: int) -> None:
        self._place = min(max(self._place + step, 0), len(self.rows) - 1)
        self.tick()

    def action_change(self, step: int) -> None:
        self.rows[self._place].change(step)
        self.tick()

    def action_type(self) -> None:
        self.post_message(self.TypeRequested(self.rows[self._place]))

    def action_leave(self) -> None:
        self.screen.set_focus(None)

    def on_click(self, event: events.Click) -> None:
        """Select a row; a click on the selected row changes its value, on the left half downwards."""
        offset = event.get_content_offset(self)
        if offset is None or not self._top + offset.y < len(self.rows):
            return
        place = self._top + offset.y
        if place == self._place and self.has_focus:
            self.action_change(-1 if offset.x < self.content_size.width // 2 else 1)
        else:
            self._place = place
            self.focus()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        if self.has_focus:
            event.stop()
            self.action_change(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        if self.has_focus:
            event.stop()
            self.action_change(-1)

    def on_focus(self) -> None:
        self.tick()

    def on_blur(self) -> None:
        self.tick()
