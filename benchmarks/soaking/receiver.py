"""The receiving side of the soak: what it saw of each stream, and what it printed and served."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from kinestream.windowing.stream_windows import StreamWindows

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk


class Sink:
    """Standard output of a run that no one reads: counts its lines by their first key.

    >>> sink = Sink()
    >>> sink.write('{"stream":"wrist"}\\n')
    19
    >>> sink.lines["stream"]
    1
    """

    def __init__(self) -> None:
        self.lines = Counter[str]()

    def write(self, text: str) -> int:
        """Count the line."""
        self.lines[text[2 : text.index('"', 2)]] += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


class Seen:
    """What the source handed out, by stream.

    Args:
        flooder: the stream whose sender cannot know what arrived; its windows are counted here.
    """

    def __init__(self, flooder: str, spec: InputSpec) -> None:
        self.samples = Counter[str]()
        self.epochs = 0
        self._epoch: dict[str, str] = {}
        self._flooder = flooder
        self._windows = StreamWindows(spec)

    def chunk(self, chunk: SampleChunk) -> None:
        """Count a chunk."""
        self.samples[chunk.stream] += len(chunk)
        if self._epoch.get(chunk.stream) != chunk.session:
            self._epoch[chunk.stream] = chunk.session
            self.epochs += 1
        if chunk.stream == self._flooder:
            for _ in self._windows.push(chunk):
                pass

    def flooder_counts(self) -> dict[str, int]:
        """Return what windowing says of the flooder's samples."""
        self._windows.flush()
        return self._windows.counts()


async def scrape(port: int) -> dict[str, float]:
    """Return the metrics that are served at a port of this machine, summed over their labels but for ``kind``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    values: dict[str, float] = {}
    for line in text.partition("\r\n\r\n")[2].splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name if "kind=" in name else name.partition("{")[0]
            values[name] = values.get(name, 0.0) + float(value)
    return values
