"""All that is known about one stream, link, port or source, gathered for the table of checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kinestream.core.evidence import Reception, StreamFigures
from kinestream.core.input_spec import InputSpec

from .signal import NO_SIGNAL, SignalFigures


@dataclass(frozen=True, slots=True)
class Evidence:
    """What arrived under one name.

    >>> Evidence("wrist", since_start_s=12.0).samples
    0
    """

    name: str
    """The stream's name where there is one, else that of the link, the port or the source."""
    figures: StreamFigures | None = None
    """The stream's figures; None: no sample came under this name."""
    signal: SignalFigures = NO_SIGNAL
    reception: Reception | None = None
    """None: the source does not report what it received under this name."""
    spec: InputSpec | None = None
    """The input of the model; None: no model is chosen yet."""
    bears_hz: float | None = None
    """The rate at which the policy lets the sensor run; None: its own, which the model's input describes."""
    since_start_s: float = 0.0
    """Seconds since the run began, or since a recording's first sample."""
    windowless_s: float = 0.0
    """Seconds without a window although samples came."""
    live: bool = True
    """Whether the samples come as they are measured; a recording's silence and age say nothing."""
    link: str = ""
    """The state of the link to the sensor, in words; empty: there is none."""
    refused: str = ""
    """Why the pipeline refuses the stream, with what to do after a semicolon; empty: it serves it."""

    @property
    def samples(self) -> int:
        """Samples so far."""
        if self.figures is not None:
            return self.figures.samples
        return self.reception.samples if self.reception is not None else 0


def gather(
    source: str,
    figures: Sequence[StreamFigures],
    receptions: Sequence[Reception],
    *,
    signals: Mapping[str, SignalFigures] | None = None,
    spec: InputSpec | None = None,
    bears_hz: Mapping[str, float] | None = None,
    windowless_s: Mapping[str, float] | None = None,
    links: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
    since_start_s: float = 0.0,
    live: bool = True,
) -> Iterator[Evidence]:
    """Yield the evidence for every name: of each stream, and of each reception that is no stream's.

    A source of which nothing is known, because nothing came, counts as one name.

    Args:
        source: its name, for messages.
        signals, bears_hz, windowless_s: by stream.
        links: the state of each link, by name.
        refused: why a stream is refused, by name.

    >>> [evidence.name for evidence in gather("zmq+tcp://127.0.0.1:5556", [], [])]
    ['zmq+tcp://127.0.0.1:5556']
    """
    received = {reception.name: reception for reception in receptions}
    streams = {figure.stream: figure for figure in figures}
    links, refused = links or {}, refused or {}
    for name in dict.fromkeys((*streams, *received, *links, *refused)) or (source,):
        yield Evidence(
            name,
            streams.get(name),
            (signals or {}).get(name, NO_SIGNAL),
            received.get(name),
            spec,
            (bears_hz or {}).get(name),
            since_start_s,
            (windowless_s or {}).get(name, 0.0),
            live,
            links.get(name, ""),
            refused.get(name, ""),
        )
