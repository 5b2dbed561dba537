"""Lab Streaming Layer, in and out: ``lsl://NAME``. Needs the extra ``lsl`` (pylsl and its liblsl).

An LSL stream names its channels and units in its description (``desc/channels/channel/label`` and ``unit``); what they
are is decided there or in the address, never guessed. LSL's clock is this machine's monotonic clock on Linux and macOS,
and its time stamps are mapped to it. LSL drops the oldest samples of a reader that falls behind, sends a reader nothing
of what was before it came, and throws away what an outlet holds when that closes; it tells nobody, so these losses
cannot be counted: those in the middle show as gaps of time.
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
"""How long one call into liblsl may block a thread."""
_FAREWELL_S = 1.0
"""How long the last samples are given to be read: what an outlet holds is gone with it, and LSL does not tell of it."""

_SCALES: dict[str, dict[str, float]] = {
    "m/s^2": {"m/s^2": 1.0, "m/s2": 1.0, "m/s²": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000},
    "rad/s": {"rad/s": 1.0, "deg/s": math.pi / 180, "dps": math.pi / 180, "°/s": math.pi / 180},
    "uT": {"ut": 1.0, "µt": 1.0, "microtesla": 1.0, "microteslas": 1.0, "mgauss": 0.1, "gauss": 100.0},
}
"""What is multiplied to get SI, by the SI unit and the stream's own, in small letters."""

_SENSORS = ("acc", "gyro", "mag", "body_acc", "gravity")
_KEYS = ("channels", "rate", "once", *_SENSORS)


class LslSource:
    """The LSL stream of a name, waited for as long as it takes.

    It goes on when the stream comes back (LSL does that), and ends on ``aclose``.

    Args:
        uri: ``channels=acc_x,acc_y,acc_z,-`` names the columns, ``-`` leaves one out (default: the stream's labels).
            ``acc=g`` and the like say the unit of a sensor whose channels come without one. ``rate=50`` is the rate of
            a stream that says none. ``once=1``: end when the stream goes away.
    Raises:
        ConfigError: the address is malformed.
        MissingExtra: pylsl or liblsl is not there.
    """

    live = True

    def __init__(self, uri: str) -> None:
        self.name = uri
        parts = urlsplit(uri)
        self._query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        unknown = sorted(set(self._query) - set(_KEYS))
        self._stream = unquote(parts.netloc)
        if not self._stream or parts.path.strip("/") or unknown:
            found = f"unknown {', '.join(unknown)}" if unknown else "no name"
            raise ConfigError(f"'{uri}': {found}; expected lsl://NAME, with {', '.join(_KEYS)}")
        self._lsl = load()
        self._inlet: Any = None
        self._samples = 0
        self._closed = False
        self._call_running: asyncio.Future[Any] | None = None

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk.

        Raises:
            InputMismatch: the stream does not say what its columns are, and the address neither.
        """
        lsl = self._lsl
        found: list[Any] = []
        while not found and not self._closed:
            found = await self._call(lsl.resolve_byprop, "name", self._stream, 1, _PATIENCE_S)
        if self._closed:
            return
        recover, lost = self._query.get("once") != "1", _lost_error(lsl)
        self._inlet = inlet = lsl.StreamInlet(found[0], recover=recover, processing_flags=lsl.proc_clocksync)
        info = await self._call(inlet.info, 5.0)
        columns, scales, channels = self._columns(info)
        fs_hz = self._rate(info.nominal_srate())
        session = f"{self._stream}-{info.uid()[:8]}"
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
                yield SampleChunk(self._stream, session, t, x.astype(np.float32), channels, fs_hz, seq, received_s)

    def counts(self) -> Mapping[str, int]:
        """Nothing: LSL does not tell what it drops."""
        return {}

    async def aclose(self) -> None:
        self._closed = True
        if self._call_running is not None:  # liblsl must not be closed in the middle of a call
            await asyncio.wait([self._call_running])
        if self._inlet is not None:
            inlet, self._inlet = self._inlet, None
            await asyncio.to_thread(inlet.close_stream)

    async def _call(self, function: Any, *arguments: Any) -> Any:
        """In a thread, which a cancelled task leaves behind: ``aclose`` waits for it."""
        self._call_running = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
        return await asyncio.shield(self._call_running)

    def _pull(self) -> tuple[list[list[float]], list[float]]:
        """What is there, and at least one sample unless none comes in time."""
        first, stamp = self._inlet.pull_sample(timeout=_PATIENCE_S)
        if first is None:
            return [], []
        rows, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=MAX_SAMPLES)
        return [first, *rows], [stamp, *stamps]

    def _columns(self, info: Any) -> tuple[list[int], np.ndarray, tuple[str, ...]]:
        """Which columns are taken, what they are multiplied by, and what they are called."""
        if info.channel_format() == self._lsl.cf_string or not 1 <= info.channel_count() <= MAX_CHANNELS:
            raise InputMismatch(
                f"{self.name}: {info.channel_count()} columns of numbers expected, at most {MAX_CHANNELS}"
            )
        labels, units = _described(info)
        names = self._query["channels"].split(",") if "channels" in self._query else labels
        if len(names) != info.channel_count() or not set(names) <= {*CHANNEL_UNITS, "-"}:
            raise InputMismatch(
                f"{self.name} has {info.channel_count()} columns, named {', '.join(names) or 'nothing'}; "
                "say which is which: ?channels=acc_x,acc_y,acc_z,-"
            )
        columns = [k for k, name in enumerate(names) if name != "-"]
        taken = tuple(names[k] for k in columns)
        if not taken or len(set(taken)) != len(taken):
            raise InputMismatch(f"{self.name}: columns {', '.join(names)}; expected each channel once")
        scales = [self._scale(names[k], units[k] if k < len(units) else "") for k in columns]
        return columns, np.array(scales), taken

    def _scale(self, channel: str, described: str) -> float:
        sensor = channel.rpartition("_")[0]
        unit = self._query.get(sensor) or described
        scale = _SCALES[CHANNEL_UNITS[channel]].get(unit.strip().lower())
        if scale is None:
            known = ", ".join(_SCALES[CHANNEL_UNITS[channel]])
            raise InputMismatch(f"{self.name}: {channel} in {unit or 'no unit'}; say ?{sensor}=UNIT, one of {known}")
        return scale

    def _rate(self, nominal_hz: float) -> float:
        try:
            fs_hz = float(self._query.get("rate", nominal_hz))
        except ValueError:
            fs_hz = math.nan
        if not MIN_FS_HZ <= fs_hz <= MAX_FS_HZ:
            raise InputMismatch(f"{self.name} comes at {fs_hz:g} Hz; say its rate: ?rate=50")
        return fs_hz


class LslOutlets:
    """Sends chunks on LSL, each stream through an outlet of its own.

    Args:
        to: ``lsl://NAME``: the first stream's name there; others are called NAME-STREAM.
    Raises:
        ConfigError: the address is malformed.
        MissingExtra: pylsl or liblsl is not there.
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
        """What is added to the times of each stream."""

    def send(self, chunk: SampleChunk) -> None:
        """Push one chunk. Times that are not on this machine's clock, as a recording's, are moved to it."""
        outlet = self.open(chunk)
        offset_s = self._offsets_s.get(chunk.stream)
        if offset_s is None:
            now_s = self._lsl.local_clock()
            offset_s = 0.0 if abs(now_s - chunk.received_s) < 5 else now_s - float(chunk.t[-1])
            self._offsets_s[chunk.stream] = offset_s
        outlet.push_chunk(np.ascontiguousarray(chunk.x), (chunk.t + offset_s).tolist())

    def open(self, chunk: SampleChunk) -> Any:
        """The outlet of a chunk's stream, from now on there for readers to find."""
        shape = (chunk.channels, chunk.fs_hz)
        known = self._outlets.get(chunk.stream)
        if known is None or known[0] != shape:
            known = self._outlets[chunk.stream] = (shape, self._outlet(chunk))
            self._offsets_s.pop(chunk.stream, None)
        return known[1]

    def have_consumers(self) -> bool:
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
    """Send all that a source gives, at the source's own pace, until it ends.

    Args:
        to: ``lsl://NAME``.
        wait: hold the first chunk back until somebody reads; what was sent before is lost to who comes later.
    Returns:
        ``samples`` and ``messages``, and the source's own counts.
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
    """The module pylsl.

    Raises:
        MissingExtra: it or liblsl is not there.
    """
    try:
        return import_module("pylsl")
    except (ImportError, RuntimeError, OSError) as error:  # without liblsl it raises RuntimeError
        raise MissingExtra("lsl", "lsl://") from error


def _lost_error(lsl: Any) -> type[Exception]:
    """What pylsl raises when a stream has gone: in its first module until 1.17, in ``util`` since."""
    return getattr(lsl, "LostError", None) or import_module("pylsl.util").LostError


def _described(info: Any) -> tuple[Sequence[str], Sequence[str]]:
    """The labels and units in a stream's description, as far as they are there."""
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty() and len(labels) < MAX_CHANNELS:
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    return labels, units
