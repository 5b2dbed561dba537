"""The panels of the dashboard, one module each."""
