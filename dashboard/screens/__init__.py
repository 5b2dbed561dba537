"""Dialogs and pages over the dashboard."""
