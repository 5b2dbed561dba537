"""From the samples of one stream to its windows: first the requested sensing, then the segmenter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .segmenter import Segmenter
from .slower_sensor import Sensed

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk, Sensing, Window


class StreamWindows:
    """The windows of one stream, cut identically in a live run and in the laboratory.

    Args:
        spec: the model's input.
        sensing: how the sensor runs from its first sample on; None for its own settings.

    >>> from kinestream.core.input_spec import InputSpec
    >>> StreamWindows(InputSpec(("acc_x", "acc_y", "acc_z"), fs_hz=50.0, length=128, hop=64)).flush()
    []
    """

    def __init__(self, spec: InputSpec, sensing: Sensing | None = None) -> None:
        self.sensor = Sensed()
        self.segmenter = Segmenter(spec, any_rate=True)
        if sensing:
            self.sensor.ask(sensing, -math.inf)

    def push(self, chunk: SampleChunk) -> Iterator[Window]:
        """Yield the windows that this chunk completes."""
        for part in self.sensor.push(chunk):
            yield from self.segmenter.push(part)

    def flush(self) -> list[Window]:
        """Return the windows still to come when no chunk follows."""
        return self.segmenter.flush()

    def counts(self) -> dict[str, int]:
        """Return the number of samples by what happened to them."""
        rare = {"thinned": self.sensor.thinned, "up_resets": self.segmenter.resets}
        return self.segmenter.counts() | {kind: count for kind, count in rare.items() if count}

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere: plain values and arrays."""
        return {"sensor": self.sensor.state(), "segmenter": self.segmenter.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self.sensor.restore(state["sensor"])
        self.segmenter.restore(state["segmenter"])


def windows_of(spec: InputSpec, chunks: Iterable[SampleChunk], sensing: Sensing | None = None) -> list[Window]:
    """Return all windows of one finite stream.

    >>> from kinestream.inference import find_model, load_model
    >>> from kinestream.replay_data import Wearer
    >>> chunks = [chunk for _, chunk in Wearer(seed=1, duration_s=10).packets()]
    >>> len(windows_of(load_model(find_model("uci_kinet")).input, chunks))
    6
    """
    stream = StreamWindows(spec, sensing)
    return [window for chunk in chunks for window in stream.push(chunk)] + stream.flush()
