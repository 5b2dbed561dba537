"""One root, and one error for each thing a caller can act on.

A message says what was found, what was expected and what to do next, in one line.
"""

from __future__ import annotations


class KinestreamError(Exception):
    """Anything kinestream refuses to do; the command line prints its one line and exits."""

    exit_status = 1


class ConfigError(KinestreamError):
    """A setting, option or recipe is wrong: correct it and start again."""

    exit_status = 2


class DataMissing(KinestreamError):
    """A dataset or file is not where it was looked for: fetch it or name its folder."""


class DataDamaged(KinestreamError):
    """A file is there but its content is not what its format promises."""


class ModelError(KinestreamError):
    """A model file is missing, damaged, or not one of ours."""


class InputMismatch(KinestreamError):
    """The source cannot feed this model: choose another model or another source."""


class DecodeError(KinestreamError):
    """A packet from a device or a socket is malformed."""

    def __init__(self, message: str, packet: bytes = b"") -> None:
        self.packet = packet
        super().__init__(f"{message} [{packet[:64].hex(' ')}]" if packet else message)


class BluetoothUnavailable(KinestreamError):
    """This machine's Bluetooth cannot be used: absent, off, or not allowed."""


class DeviceRefused(KinestreamError):
    """A Bluetooth device was not found, did not connect, or did not do what its profile asked of it."""


class NotEnoughMemory(KinestreamError):
    """What was asked for does not fit into this machine's memory: ask for less."""


class NoGauge(KinestreamError):
    """This machine tells nobody what it draws: give the figure yourself."""


class SourceLost(KinestreamError):
    """A live source went away and did not come back in the time allowed."""


class MissingExtra(KinestreamError):
    """An optional part of kinestream is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(f"{needed_for} needs the '{extra}' extra: pip install '.[{extra}]' in the checkout")


class MissingPackage(KinestreamError):
    """A Python package that kinestream does not depend on is needed here, and not installed."""

    def __init__(self, package: str, needed_for: str) -> None:
        self.package = package
        super().__init__(f"{needed_for} needs {package}, which is not installed: pip install {package}")
