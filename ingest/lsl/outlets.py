"""Senders of chunks to LSL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from kinestream.core.chunk_form import flaw_of, signal_s
from kinestream.core.errors import ConfigError
from kinestream.core.live_streams import MAX_STREAMS, LiveStreams
from kinestream.core.signals import CHANNEL_UNITS, SampleChunk
from kinestream.core.source import Source
from kinestream.core.uri import split_uri

from .library import load

_LOG = logging.getLogger(__name__)

MAX_SAMPLES = 1024
MAX_NAMES = 1024
"""Streams whose outlet's name is remembered."""
_FAREWELL_S = 1.0
"""Time for readers to fetch the last samples: a closing outlet discards them silently."""


class LslOutlets:
    """Sender of chunks to LSL, with one outlet per stream.

    Args:
        to: ``lsl://NAME``, the LSL name of the first stream; further streams are called NAME-STREAM.
    Raises:
        ConfigError: the address is malformed.
        MissingExtra: pylsl or liblsl is not installed.
    """

    def __init__(self, to: str) -> None:
        parts = split_uri(to)
        self._name = unquote(parts.netloc)
        if not self._name or parts.query or parts.path.strip("/"):
            raise ConfigError(f"'{to}': expected lsl://NAME")
        self._lsl = load()
        self._names: dict[str, str] = {}
        self._outlets: dict[str, tuple[tuple[tuple[str, ...], float], Any]] = {}
        self._places = LiveStreams(on_forget=self._forget)
        self.refused = 0
        """Samples of streams that cannot have an outlet."""
        self._offsets_s: dict[str, float] = {}
        """Offset from each stream's times to this machine's clock."""

    def send(self, chunk: SampleChunk) -> None:
        """Send a chunk; times on another clock, such as a recording's, are shifted to this machine's clock."""
        outlet = self.open(chunk)
        offset_s = self._offsets_s.get(chunk.stream)
        if offset_s is None:
            now_s = self._lsl.local_clock()
            offset_s = 0.0 if abs(now_s - chunk.received_s) < 5 else now_s - float(chunk.t[-1])
            self._offsets_s[chunk.stream] = offset_s
        outlet.push_chunk(np.ascontiguousarray(chunk.x), (chunk.t + offset_s).tolist())

    def open(self, chunk: SampleChunk) -> Any:
        """Return the outlet of the chunk's stream; readers can find it from now on."""
        shape = (chunk.channels, chunk.fs_hz)
        entry = self._outlets.get(chunk.stream)
        if entry is None or entry[0] != shape:
            entry = self._outlets[chunk.stream] = (shape, self._outlet(chunk))
            self._offsets_s.pop(chunk.stream, None)
        return entry[1]

    def take(self, chunk: SampleChunk) -> bool:
        """Return whether a chunk can be sent; if not, count its samples.

        The outlet of a silent stream makes room for another's.
        """
        if flaw_of(chunk) is None and len(chunk) and self._places.touch(chunk.stream, signal_s(chunk)):
            return True
        if not self.refused and len(chunk):
            flaw = flaw_of(chunk)
            reason = flaw.reason if flaw else f"{MAX_STREAMS} streams are sent already"
            _LOG.warning("stream %s: %s; the other streams go on", ascii(chunk.stream), reason)
        self.refused += len(chunk)
        return False

    def _forget(self, stream: str) -> None:
        for streams in (self._outlets, self._offsets_s):
            streams.pop(stream, None)
        if len(self._names) > MAX_NAMES:
            del self._names[next(name for name in reversed(self._names) if name not in self._outlets)]

    def close(self) -> None:
        """Close all outlets; their readers notice it."""
        self._outlets.clear()

    def have_consumers(self) -> bool:
        """Return whether any outlet has a reader."""
        return any(outlet.have_consumers() for _, outlet in self._outlets.values())

    def _outlet(self, chunk: SampleChunk) -> Any:
        lsl = self._lsl
        name = self._names.setdefault(chunk.stream, f"{self._name}-{chunk.stream}" if self._names else self._name)
        source_id = f"kinestream-{name}"
        info = lsl.StreamInfo(name, "IMU", len(chunk.channels), chunk.fs_hz, lsl.cf_float32, source_id)
        channels = info.desc().append_child("channels")
        for label in chunk.channels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", CHANNEL_UNITS.get(label, ""))
        return lsl.StreamOutlet(info, MAX_SAMPLES)


async def publish_lsl(source: Source, to: str, *, wait: bool = False) -> Mapping[str, int]:
    """Send all samples of a source, at the pace of the source, until it ends.

    Args:
        to: ``lsl://NAME``.
        wait: wait for the first reader, because LSL never sends readers earlier samples.
    Returns:
        ``samples`` and ``messages``, samples ``refused`` if there are any, and the counts of the source.
    """
    outlets = LslOutlets(to)
    counts = {"messages": 0, "samples": 0}
    try:
        async for chunk in source.chunks():
            if not outlets.take(chunk):
                continue
            outlets.open(chunk)
            while wait and not outlets.have_consumers():
                await asyncio.sleep(0.01)
            outlets.send(chunk)
            counts["messages"] += 1
            counts["samples"] += len(chunk)
            await asyncio.sleep(0)
        if outlets.have_consumers():
            await asyncio.sleep(_FAREWELL_S)
    finally:
        outlets.close()
        await source.aclose()
    return {**source.counts(), **counts, **({"refused": outlets.refused} if outlets.refused else {})}
