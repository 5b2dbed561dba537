"""The terminal dashboard: shows the newest state of a session and sends commands to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.lazy import lazy_names

from .model.session_like import SessionLike

if TYPE_CHECKING:
    from .app import DashboardApp, run_dashboard
    from .picture import take_picture

__all__ = ["DashboardApp", "SessionLike", "run_dashboard", "take_picture"]

# Loaded on first use: Textual takes a quarter of a second to import, which only the dashboard needs.
__getattr__, __dir__ = lazy_names(
    __name__,
    {**dict.fromkeys(("DashboardApp", "run_dashboard"), ".app"), "take_picture": ".picture"},
)
