"""The errors of kinestream: one root class, and one subclass for each thing a caller can do about it.

A message is one line with three parts: what was found, what was expected, and what to do next.
"""

from __future__ import annotations

from .printable import one_line


class KinestreamError(Exception):
    """The root of all errors that kinestream raises on purpose; the command line prints its message and exits.

    >>> import kinestream
    >>> try:
    ...     kinestream.Subnet.parse("wide")
    ... except KinestreamError as error:
    ...     print(error)
    'wide' is not ...
    """

    exit_status = 1

    def __str__(self) -> str:
        """Return the message on one line of at most 1500 characters: names and values in it come from strangers."""
        return one_line(super().__str__())


class ConfigError(KinestreamError):
    """A setting, option or recipe is wrong: correct it and start again."""

    exit_status = 2


class DataMissing(KinestreamError):
    """A dataset or file is not in the expected place: fetch it or name its folder."""


class DataDamaged(KinestreamError):
    """A file does not follow its format."""


class ModelError(KinestreamError):
    """A model file is missing, damaged, or not a kinestream model."""


class InputMismatch(KinestreamError):
    """The source cannot feed this model: choose another model or another source."""


class DecodeError(KinestreamError):
    """A packet from a device or a socket is malformed.

    Args:
        packet: the bytes that were received; the message shows the first 64 in hex.

    >>> print(DecodeError("a packet of 2 bytes; expected 10", bytes([0x55, 0x61])))
    a packet of 2 bytes; expected 10 [55 61]
    """

    def __init__(self, message: str, packet: bytes = b"") -> None:
        self.reason = message
        self.packet = packet
        super().__init__(f"{message} [{packet[:64].hex(' ')}]" if packet else message)


class BluetoothUnavailable(KinestreamError):
    """This machine's Bluetooth cannot be used: it is absent, switched off, or not permitted."""


class DeviceRefused(KinestreamError):
    """A Bluetooth device was not found, did not connect, or did not answer as its profile expects."""


class NotEnoughMemory(KinestreamError):
    """The task does not fit into this machine's memory: ask for less."""


class NoGauge(KinestreamError):
    """This machine does not report its power: state the figure yourself."""


class SourceLost(KinestreamError):
    """A live source disconnected and did not return within the allowed time."""


class MissingExtra(KinestreamError):
    """An optional part of kinestream is not installed.

    >>> print(MissingExtra("train", "kinestream train"))
    kinestream train needs the 'train' extra: pip install '.[train]' in the checkout
    """

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(f"{needed_for} needs the '{extra}' extra: pip install '.[{extra}]' in the checkout")


class MissingPackage(KinestreamError):
    """A Python package that kinestream does not depend on is needed for this and not installed.

    >>> print(MissingPackage("pandas", "a table of predictions"))
    a table of predictions needs pandas, which is not installed: pip install pandas
    """

    def __init__(self, package: str, needed_for: str) -> None:
        self.package = package
        super().__init__(f"{needed_for} needs {package}, which is not installed: pip install {package}")
