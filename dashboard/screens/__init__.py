"""Dialogs and full screens over the dashboard."""
