"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the original recordings; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("KINESTREAM_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings: neither $KINESTREAM_DATA nor {folder.name}/ beside the project")
    return folder
