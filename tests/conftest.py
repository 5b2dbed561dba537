"""What every test may ask for."""

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
    """The folder of the original recordings; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("KINESTREAM_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings: neither $KINESTREAM_DATA nor {folder.name}/ beside the project")
    return folder


@pytest.fixture(scope="session", autouse=True)
def nobodys_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No keys are found but those a test makes: what holds here must not hang on whose machine this is."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KINESTREAM_KEYS", str(tmp_path_factory.mktemp("nobody") / "keys"))
        yield


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a system bus of the test's own; bleak and child processes find it in the environment."""
    if sys.platform != "linux" or shutil.which("dbus-daemon") is None:
        pytest.skip("needs dbus-daemon (Debian: apt install dbus)")
    from tests.ble.daemon import private_bus

    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def bluez(bus: str) -> Iterator[BlueZ]:
    """An empty air around a powered adapter."""
    from tests.ble.bluez import BlueZ  # dbus-fast is for Linux only

    with BlueZ(bus) as service:
        yield service
