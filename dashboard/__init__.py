"""The terminal dashboard: draws the newest state of a session and sends commands back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .contract import SessionLike

if TYPE_CHECKING:
    from .app import DashboardApp, run_dashboard
    from .picture import picture

__all__ = ["DashboardApp", "SessionLike", "picture", "run_dashboard"]


def __getattr__(name: str) -> object:
    # Textual takes a quarter of a second to load, and only those who look at the dashboard need it.
    if name in ("DashboardApp", "run_dashboard"):
        from . import app

        return getattr(app, name)
    if name == "picture":
        from .picture import picture

        return picture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
