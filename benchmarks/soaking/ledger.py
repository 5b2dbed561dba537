"""What one stream sent and harmed, as its sender knows it: the counts that an exact receiver must arrive at."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from kinestream.windowing.stream_windows import StreamWindows

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk


class Ledger:
    """The counts of one stream, message by message.

    Samples that were measured and not sent are ``not_received`` where a later number of the same stream proves it: a
    jump within an epoch (``lost``, too), or the missing head of a later epoch. The rest is ``unproven``: no receiver
    can know of it. Windows and repairs are what windowing says of the sent pieces.

    >>> import numpy as np
    >>> from kinestream.core.input_spec import InputSpec
    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> ledger = Ledger(InputSpec(ACC, fs_hz=50.0, length=128, hop=64))
    >>> t, x = np.arange(10) / 50, np.zeros((10, 3), np.float32)
    >>> ledger.sent(SampleChunk("wrist", "a", t, x, ACC, 50.0, 0, 0.2))
    >>> ledger.left_out(10)
    >>> ledger.sent(SampleChunk("wrist", "a", t + 0.4, x, ACC, 50.0, 20, 0.6))
    >>> counts = ledger.close()
    >>> counts["samples"], counts["not_received"], counts["lost"]
    (20, 10, 10)
    """

    def __init__(self, spec: InputSpec) -> None:
        self.counts = Counter[str]()
        self.harms = Counter[str]()
        """How often each kind of harm was done."""
        self.epochs = 0
        """Epochs of which at least one message was sent."""
        self._windows = StreamWindows(spec)
        self._names = Counter[str]()
        self._epoch = ""
        self._missing = 0  # samples left out since the last that was sent
        self._is_new, self._joins_late = True, True

    def begin(self, epoch: str) -> None:
        """Begin an epoch; the same name again is another epoch. It shows with its first message."""
        self.counts["unproven"] += self._missing
        self._missing, self._is_new = 0, True
        self._epoch = epoch

    def left_out(self, samples: int) -> None:
        """Note samples that were measured and never sent."""
        self.counts["left_out"] += samples
        self._missing += samples

    def sent(self, chunk: SampleChunk) -> None:
        """Note a message that must arrive."""
        self.counts["samples"] += len(chunk)
        self.counts["messages"] += 1
        if self._missing:
            if self._is_new and self._joins_late:
                self.counts["unproven"] += self._missing
            else:
                self.counts["not_received"] += self._missing
                self.counts["lost"] += 0 if self._is_new else self._missing
            self._missing = 0
        if self._is_new:
            self.epochs += 1
            self._names[self._epoch] += 1
            self.counts["restarted"] += self._names[self._epoch] > 1
        self._is_new = self._joins_late = False
        session = f"{self._epoch} {self._names[self._epoch]}"
        for _ in self._windows.push(replace(chunk, session=session)):
            pass

    def repeated(self) -> None:
        """Note a message that was sent before."""
        self.counts["repeated"] += 1

    def ended(self) -> None:
        """Note an end of stream, which names the last number sent; the epoch after it is joined like a first one."""
        self.counts["unproven"] += self._missing
        self._missing, self._joins_late = 0, True

    def close(self) -> dict[str, int]:
        """Return all counts, with those of windowing. Raises ValueError: the two disagree on what was lost."""
        self._windows.flush()
        windowed = self._windows.counts()
        for kind in ("samples", "lost"):
            if windowed[kind] != self.counts[kind]:
                raise ValueError(f"{kind}: windowing says {windowed[kind]}, the ledger {self.counts[kind]}")
        return {**windowed, **self.counts}
