"""setup.cfg names every package folder, so that an installed kinestream is complete."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from tests.test_arrows import files, module_of

REPOSITORY = Path(__file__).resolve().parent.parent


def test_setup_cfg_lists_every_package_and_no_other() -> None:
    config = ConfigParser()
    config.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    listed = config["options"]["packages"].split()
    assert sorted(listed) == sorted({module_of(path.parent / "__init__.py") for path in files()})
