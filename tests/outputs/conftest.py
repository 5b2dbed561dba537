"""Sessions of the built-in wearer, as the dashboard's tests make them."""

from tests.dashboard.conftest import make_session

__all__ = ["make_session"]
