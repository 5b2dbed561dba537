"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the original recordings; skips the test if there is no such folder."""
    folder = Path(os.environ.get("KINESTREAM_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings: neither $KINESTREAM_DATA nor {folder.name}/ beside the project")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_user_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's keys: a test finds only the keys it makes, so results do not depend on the machine."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KINESTREAM_KEYS", str(tmp_path_factory.mktemp("no_user") / "keys"))
        yield


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a private system bus; bleak and child processes read it from the environment."""
    if sys.platform != "linux" or shutil.which("dbus-daemon") is None:
        pytest.skip("needs dbus-daemon (Debian: apt install dbus)")
    from tests.ble.daemon import private_bus

    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def bluez(bus: str) -> Iterator[BlueZ]:
    """A BlueZ with a powered adapter and no devices in range."""
    from tests.ble.bluez import BlueZ  # dbus-fast needs Linux

    with BlueZ(bus) as service:
        yield service
