"""Lab Streaming Layer, in and out: ``lsl://NAME``. Needs the extra ``lsl`` (pylsl and its liblsl).

An LSL stream names its type, channels and units in its description. The description or the address determines them;
they are never guessed. LSL's clock is this machine's monotonic clock on Linux and macOS, and its time stamps are mapped
to it. LSL drops the oldest samples of a slow reader, never sends samples from before the reader connected, and discards
the samples in an outlet that closes. It does not report these losses, so they cannot be counted: losses in the middle
of a stream appear as gaps in time.
"""

from .library import load
from .outlets import LslOutlets, publish_lsl
from .source import LslSource

__all__ = ["LslOutlets", "LslSource", "load", "publish_lsl"]
