"""The terminal dashboard: draws the newest state of a session and sends commands back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model.session_like import SessionLike

if TYPE_CHECKING:
    from .app import DashboardApp, run_dashboard
    from .picture import take_picture

__all__ = ["DashboardApp", "SessionLike", "run_dashboard", "take_picture"]


def __getattr__(name: str) -> object:
    # Textual takes a quarter of a second to load, and only those who look at the dashboard need it.
    if name in ("DashboardApp", "run_dashboard"):
        from . import app

        return getattr(app, name)
    if name == "take_picture":
        from .picture import take_picture

        return take_picture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
