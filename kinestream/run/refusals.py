"""Streams that cannot be served: each is refused with its reason, its samples are counted, and all others go on."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from kinestream.core.chunk_form import flaw_of
from kinestream.core.errors import ConfigError, InputMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk
    from kinestream.windowing import ChannelMap

Kind = Literal["channels", "rate", "layout", "numbers", "too_many"]
REFUSED = "refused"
"""The count of samples of refused streams; ``refused_`` and the kind counts those of one kind."""
MOST = 64
"""Refused streams that are known by name; the samples of all are counted."""

MOST_REPORTED = 256
"""Refusals that are reported one by one; more are a flood of made-up names."""


class Unfit(InputMismatch):
    """A stream cannot be served.

    Args:
        kind: what does not fit.
        reason: what was found, what was expected, and what to do.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        self.kind: Kind = kind
        super().__init__(reason)


@dataclass(slots=True)
class Refusal:
    """A stream that is refused until its next epoch, or until it sends in another form."""

    stream: str
    kind: Kind
    reason: str
    """What was found, what was expected, and what to do."""
    epoch: str
    channels: tuple[str, ...]
    fs_hz: float
    chunks: int = 0
    samples: int = 0

    def holds_for(self, chunk: SampleChunk) -> bool:
        """Return whether nothing has changed that could make the stream fit."""
        same_rate = chunk.fs_hz == self.fs_hz or chunk.fs_hz != chunk.fs_hz
        return chunk.session == self.epoch and chunk.channels == self.channels and same_rate

    def to_dict(self) -> dict[str, Any]:
        """Return the refusal as plain JSON values, for the summary of a run."""
        return {
            "stream": self.stream,
            "kind": self.kind,
            "reason": self.reason,
            "chunks": self.chunks,
            "samples": self.samples,
        }


class Refusals:
    """The refused streams of a pipeline.

    >>> refusals = Refusals()
    >>> refusals.counts(), refusals.present()
    ({}, [])
    """

    def __init__(self) -> None:
        self._streams: OrderedDict[str, Refusal] = OrderedDict()
        self._samples: dict[str, int] = {}  # by kind
        self._told = 0

    def of(self, chunk: SampleChunk) -> Refusal | None:
        """Return the refusal that still holds for a chunk's stream."""
        refusal = self._streams.get(chunk.stream) if self._streams else None
        return refusal if refusal is not None and refusal.kind != "too_many" and refusal.holds_for(chunk) else None

    def get(self, stream: str) -> Refusal | None:
        """Return the refusal of a stream, whether or not it would fit by now."""
        return self._streams.get(stream)

    def refuse(self, chunk: SampleChunk, unfit: Unfit) -> Refusal | None:
        """Refuse a chunk's stream and count its samples; return the refusal if it is new and worth a line."""
        known = self._streams.get(chunk.stream)
        if known is None or known.kind != unfit.kind or not known.holds_for(chunk):
            before = (known.chunks, known.samples) if known else (0, 0)
            form = (chunk.session, chunk.channels, float(chunk.fs_hz))
            self._streams[chunk.stream] = Refusal(chunk.stream, unfit.kind, str(unfit), *form, *before)
            self._streams.move_to_end(chunk.stream)
            if len(self._streams) > MOST:
                self._streams.popitem(last=False)
        self.count(self._streams[chunk.stream], chunk)
        if known is not None or self._told >= MOST_REPORTED:
            return None
        self._told += 1
        return self._streams[chunk.stream]

    def count(self, refusal: Refusal, chunk: SampleChunk) -> None:
        """Count a further chunk of a refused stream."""
        refusal.chunks += 1
        refusal.samples += len(chunk)
        self._samples[refusal.kind] = self._samples.get(refusal.kind, 0) + len(chunk)

    def lift(self, stream: str) -> None:
        """Serve the stream from now on."""
        self._streams.pop(stream, None)

    def present(self) -> list[Refusal]:
        """Return the refusals that hold, the newest last; may be asked from another thread."""
        return list(self._streams.values())

    def counts(self) -> dict[str, int]:
        """Return the samples of refused streams, in all and by kind; nothing where there are none."""
        by_kind = {f"{REFUSED}_{kind}": samples for kind, samples in list(self._samples.items())}
        return {REFUSED: sum(by_kind.values()), **by_kind} if by_kind else {}

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere, as plain values."""
        return {"streams": [astuple(refusal) for refusal in self._streams.values()], "samples": dict(self._samples)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        refusals = [
            Refusal(stream, kind, reason, epoch, tuple(channels), fs_hz, chunks, samples)
            for stream, kind, reason, epoch, channels, fs_hz, chunks, samples in state.get("streams", ())
        ]
        self._streams = OrderedDict((refusal.stream, refusal) for refusal in refusals)
        self._samples = dict(state.get("samples", {}))


def check_form(chunk: SampleChunk) -> None:
    """Check that a chunk is what it says: its shape and its numbers.

    Raises:
        Unfit: it is not.
    """
    flaw = flaw_of(chunk)
    if flaw is not None:
        raise Unfit(flaw.kind, flaw.reason)


def turned(chunk: SampleChunk, channel_map: ChannelMap | None) -> SampleChunk:
    """Return a chunk with the model's axes.

    Raises:
        Unfit: it lacks the axis that replaces another.
    """
    if channel_map is None:
        return chunk
    try:
        return channel_map.apply(chunk)
    except ConfigError as error:
        raise Unfit("channels", f"{error}; send all three axes, or leave --axes out") from None


def check_fit(chunk: SampleChunk, spec: InputSpec) -> None:
    """Check that the model can read a new stream.

    Raises:
        Unfit: it lacks a channel, or is too slow.
    """
    try:
        spec.needed_from(chunk.channels)
    except InputMismatch as error:
        raise Unfit("channels", str(error)) from None
    check_rate(chunk, spec)


def check_rate(chunk: SampleChunk, spec: InputSpec) -> None:
    """Check that a stream is fast enough for the model.

    Raises:
        Unfit: it is not.
    """
    try:
        spec.check_rate(chunk.fs_hz)
    except InputMismatch as error:
        raise Unfit("rate", str(error)) from None
