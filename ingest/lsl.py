"""Lab Streaming Layer, in and out: ``lsl://NAME``. Needs the extra ``lsl`` (pylsl and its liblsl).

An LSL stream names its channels and units in its description (``desc/channels/channel/label`` and ``unit``). The
description or the address determines them; they are never guessed. LSL's clock is this machine's monotonic clock on
Linux and macOS, and its time stamps are mapped to it. LSL drops the oldest samples of a slow reader, never sends
samples from before the reader connected, and discards the samples in an outlet that closes. It does not report these
losses, so they cannot be counted: losses in the middle of a stream appear as gaps in time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from kinestream.core.errors import ConfigError, InputMismatch, MissingExtra
from kinestream.core.signals import CHANNEL_UNITS, STANDARD_GRAVITY, SampleChunk
from kinestream.core.source import Source

from .zmq.wire import MAX_CHANNELS, MAX_FS_HZ, MIN_FS_HZ

MAX_SAMPLES = 1024
_PATIENCE_S = 0.2
"""Maximum time that a call into liblsl blocks a thread."""
_FAREWELL_S = 1.0
"""Time for readers to fetch the last samples: a closing outlet discards them silently."""

_SCALES: dict[str, dict[str, float]] = {
    "m/s^2": {"m/s^2": 1.0, "m/s2": 1.0, "m/s²": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000},
    "rad/s": {"rad/s": 1.0, "deg/s": math.pi / 180, "dps": math.pi / 180, "°/s": math.pi / 180},
    "uT": {"ut": 1.0, "µt": 1.0, "microtesla": 1.0, "microteslas": 1.0, "mgauss": 0.1, "gauss": 100.0},
}
"""Factors to SI, by the SI unit and the stream's unit in lower case."""

_SENSORS = ("acc", "gyro", "mag", "body_acc", "gravity")
_KEYS = ("channels", "rate", "once", *_SENSORS)


class LslSource:
    """Source that waits without a time limit for the LSL stream of a name.

    It continues when the stream comes back (liblsl reconnects), and ends on ``aclose``.

    Args:
        uri: ``channels=acc_x,acc_y,acc_z,-`` names the columns, and ``-`` skips one (default: the stream's labels).
            ``acc=g``, ``gyro=dps`` etc. give the unit of a sensor whose channels have none. ``rate=50`` is the rate of
            a stream without a nominal rate. ``once=1`` ends the source when the stream disappears.
    Raises:
        ConfigError: the address is malformed.
        MissingExtra: pylsl or liblsl is not installed.
    """

    live = True

    def __init__(self, uri: str) -> None:
        self.name = uri
        parts = urlsplit(uri)
        self._query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        unknown = sorted(set(self._query) - set(_KEYS))
        self._stream = unquote(parts.netloc)
        if not self._stream or parts.path.strip("/") or unknown:
            problem = f"unknown {', '.join(unknown)}" if unknown else "no name"
            raise ConfigError(f"'{uri}': {problem}; expected lsl://NAME, with {', '.join(_KEYS)}")
        self._lsl = load()
        self._inlet: Any = None
        self._samples = 0
        self._closed = False
        self._call_running: asyncio.Future[Any] | None = None

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks.

        Raises:
            InputMismatch: neither the stream nor the address says what the columns are.
        """
        lsl = self._lsl
        streams: list[Any] = []
        while not streams and not self._closed:
            streams = await self._call(lsl.resolve_byprop, "name", self._stream, 1, _PATIENCE_S)
        if self._closed:
            return
        recover, lost = self._query.get("once") != "1", _lost_error(lsl)
        self._inlet = inlet = lsl.StreamInlet(streams[0], recover=recover, processing_flags=lsl.proc_clocksync)
        info = await self._call(inlet.info, 5.0)
        columns, scales, channels = self._columns(info)
        fs_hz = self._rate(info.nominal_srate())
        epoch = f"{self._stream}-{info.uid()[:8]}"
        while not self._closed:
            try:
                rows, stamps = await self._call(self._pull)
            except lost:
                return
            if stamps:
                x = np.asarray(rows, np.float64)[:, columns] * scales
                t = np.array(stamps)
                seq, self._samples = self._samples, self._samples + len(t)
                received_s = lsl.local_clock()
                yield SampleChunk(self._stream, epoch, t, x.astype(np.float32), channels, fs_hz, seq, received_s)

    def counts(self) -> Mapping[str, int]:
        """Return an empty mapping: LSL does not report the samples it drops."""
        return {}

    async def aclose(self) -> None:
        """Close the inlet; may be called twice."""
        self._closed = True
        if self._call_running is not None:  # liblsl must not be closed in the middle of a call
            await asyncio.wait([self._call_running])
        if self._inlet is not None:
            inlet, self._inlet = self._inlet, None
            await asyncio.to_thread(inlet.close_stream)

    async def _call(self, function: Any, *arguments: Any) -> Any:
        """Call ``function`` in a thread, which outlives a cancelled task; ``aclose`` waits for it."""
        self._call_running = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
        return await asyncio.shield(self._call_running)

    def _pull(self) -> tuple[list[list[float]], list[float]]:
        """Return the available samples and their time stamps; empty if none arrives in time."""
        first, stamp = self._inlet.pull_sample(timeout=_PATIENCE_S)
        if first is None:
            return [], []
        rows, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=MAX_SAMPLES)
        return [first, *rows], [stamp, *stamps]

    def _columns(self, info: Any) -> tuple[list[int], np.ndarray, tuple[str, ...]]:
        """Return the indices of the used columns, their factors to SI, and their channel names."""
        if info.channel_format() == self._lsl.cf_string or not 1 <= info.channel_count() <= MAX_CHANNELS:
            raise InputMismatch(
                f"{self.name} has {info.channel_count()} columns; expected 1 to {MAX_CHANNELS} columns of numbers"
            )
        labels, units = _labels_and_units(info)
        names = self._query["channels"].split(",") if "channels" in self._query else labels
        if len(names) != info.channel_count() or not set(names) <= {*CHANNEL_UNITS, "-"}:
            raise InputMismatch(
                f"{self.name} has {info.channel_count()} columns with the names {', '.join(names) or '(none)'}; "
                "name the columns, e.g. ?channels=acc_x,acc_y,acc_z,-"
            )
        columns = [k for k, name in enumerate(names) if name != "-"]
        channels = tuple(names[k] for k in columns)
        if not channels or len(set(channels)) != len(channels):
            raise InputMismatch(f"{self.name}: columns {', '.join(names)}; expected each channel once")
        scales = [self._scale(names[k], units[k] if k < len(units) else "") for k in columns]
        return columns, np.array(scales), channels

    def _scale(self, channel: str, described_unit: str) -> float:
        sensor = channel.rpartition("_")[0]
        unit = self._query.get(sensor) or described_unit
        scale = _SCALES[CHANNEL_UNITS[channel]].get(unit.strip().lower())
        if scale is None:
            known = ", ".join(_SCALES[CHANNEL_UNITS[channel]])
            raise InputMismatch(
                f"{self.name}: {channel} has {f'the unit {unit!r}' if unit else 'no unit'}; "
                f"set ?{sensor}=UNIT to one of {known}"
            )
        return scale

    def _rate(self, nominal_hz: float) -> float:
        try:
            fs_hz = float(self._query.get("rate", nominal_hz))
        except ValueError:
            fs_hz = math.nan
        if not MIN_FS_HZ <= fs_hz <= MAX_FS_HZ:
            raise InputMismatch(
                f"{self.name} has a rate of {fs_hz:g} Hz; expected {MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz: set e.g. ?rate=50"
            )
        return fs_hz


class LslOutlets:
    """Sender of chunks to LSL, with one outlet per stream.

    Args:
        to: ``lsl://NAME``, the LSL name of the first stream; further streams are called NAME-STREAM.
    Raises:
        ConfigError: the address is malformed.
        MissingExtra: pylsl or liblsl is not installed.
    """

    def __init__(self, to: str) -> None:
        parts = urlsplit(to)
        self._name = unquote(parts.netloc)
        if not self._name or parts.query or parts.path.strip("/"):
            raise ConfigError(f"'{to}': expected lsl://NAME")
        self._lsl = load()
        self._names: dict[str, str] = {}
        self._outlets: dict[str, tuple[tuple[tuple[str, ...], float], Any]] = {}
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
        ``samples`` and ``messages``, and the counts of the source.
    """
    outlets = LslOutlets(to)
    counts = {"messages": 0, "samples": 0}
    try:
        async for chunk in source.chunks():
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
        await source.aclose()
    return {**source.counts(), **counts}


def load() -> Any:
    """Import and return pylsl.

    Raises:
        MissingExtra: pylsl or liblsl is not installed.
    """
    try:
        return import_module("pylsl")
    except (ImportError, RuntimeError, OSError) as error:  # without liblsl, pylsl raises RuntimeError
        raise MissingExtra("lsl", "lsl://") from error


def _lost_error(lsl: Any) -> type[Exception]:
    """Return the exception for a stream that has gone: in pylsl's first module up to 1.17, later in ``util``."""
    return getattr(lsl, "LostError", None) or import_module("pylsl.util").LostError


def _labels_and_units(info: Any) -> tuple[Sequence[str], Sequence[str]]:
    """Return the channel labels and units in a stream's description, which may have neither."""
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty() and len(labels) < MAX_CHANNELS:
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    return labels, units
