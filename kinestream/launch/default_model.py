"""The model of a run that names none: by the source, and by what its user says about the place of the sensor."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from kinestream.core.chunk_form import flaw_of
from kinestream.core.errors import InputMismatch, ModelError
from kinestream.core.recent import Recent
from kinestream.core.signals import ACC, SampleChunk
from kinestream.core.source import Announcing, Gathering, Linked, Offer, Source
from kinestream.inference import Choice, choose_model, find_model
from kinestream.inference.choose_model import model_for_dataset
from kinestream.inference.zoo_table import ANYWHERE
from kinestream.sensor_check.axes_file import is_axes_file, read_axes_file

OTHERS_S = 10.0
"""Time that the other sensors of a source have, after the first one, to deliver before the model is chosen."""
MOST_WAITING = 4096
"""Chunks that wait for the choice of the model; of more, the oldest are of streams that no model fits."""
ASSUMED = Offer(ACC, 50.0)
"""A source that nothing is known of: every sensor has an accelerometer, and nearly every one reaches 50 Hz."""


def default_model(source: Source, worn: str | None, axes: str | None, offer: Offer | None = None) -> Choice | None:
    """Return the model for a source; None where its samples must be seen first.

    In this order: the place that the user names; the model that an axes file was made for; the model that ran when
    a recording was made; the model that learned from a dataset's people; what the source offers.

    Args:
        worn: the place, see ``choose_model``; None: unknown.
        axes: the value of ``--axes``.
        offer: the source's samples, for a source that cannot announce them.

    Raises:
        InputMismatch: no bundled model fits the source.
        ConfigError: the place or the axes file is wrong.

    >>> from kinestream.replay_data import Wearer
    >>> print(default_model(Wearer(seed=1), None, None))
    model uci_cnn: it learned from the people whom the synthetic wearer imitates
    """
    named = worn is not None and worn != ANYWHERE
    if not named and (choice := _made_for(axes) or _recorded(source)):
        return choice
    if offer is None and isinstance(source, Announcing):
        offer = source.offer() or ASSUMED
    if offer is None:
        return None
    dataset = source.dataset if isinstance(source, Announcing) and not named else ""
    if choice := model_for_dataset(dataset, offer.channels, offer.fs_hz):
        return choice
    return choose_model(offer.channels, offer.fs_hz, worn or ANYWHERE)


def assumed_model(worn: str | None) -> Choice:
    """Return the model for a source whose samples are not known and cannot be waited for.

    >>> assumed_model("waist").reason
    'assumed: an accelerometer at 50 Hz or more, since the source has not started; ...'
    """
    choice = choose_model(ASSUMED.channels, ASSUMED.fs_hz, worn or ANYWHERE)
    return Choice(
        choice.name,
        f"assumed: an accelerometer at {ASSUMED.fs_hz:g} Hz or more, since the source has not started; "
        "name a model, or wait for its first samples",
    )


@dataclass(frozen=True, slots=True)
class BegunSource:
    """A source that has started: its samples so far, and those to come."""

    offer: Offer | None
    """What all its sensors offer; None: it ended without a sample."""
    chunks: AsyncIterator[SampleChunk]
    """All its chunks, from the first on."""


async def begin(
    source: Source,
    on_chunk: Callable[[SampleChunk], None] | None = None,
    on_unfit: Callable[[str, str], None] | None = None,
) -> BegunSource:
    """Start a source and wait for the first samples of each of its sensors.

    Of a source that gathers streams, one that no bundled model fits is passed over while others may come.

    Args:
        on_chunk: called with each chunk that comes meanwhile.
        on_unfit: called once with each such stream, and the reason.
    Raises:
        KinestreamError: the source cannot start.
    """
    chunks = source.chunks()
    seen: deque[SampleChunk] = deque(maxlen=MOST_WAITING)
    streams: dict[str, SampleChunk] = {}
    unfit = Recent[str, bool]()
    gathers = isinstance(source, Gathering) and source.gathers
    first_s = 0.0
    async for chunk in chunks:
        first_s = first_s or time.monotonic()
        seen.append(chunk)
        if on_chunk:
            on_chunk(chunk)
        if gathers and chunk.stream not in streams and (reason := _why_unfit(chunk)):
            if on_unfit and unfit.get(chunk.stream) is None:
                on_unfit(chunk.stream, reason)
            unfit[chunk.stream] = True
            continue
        streams.setdefault(chunk.stream, chunk)
        sensors = len(source.status()) if isinstance(source, Linked) else 1
        if len(streams) >= sensors or time.monotonic() - first_s > OTHERS_S:
            break
    return BegunSource(_common(list(streams.values())), _all_chunks(seen, chunks))


def _why_unfit(chunk: SampleChunk) -> str:
    """Why no bundled model can read a stream; empty if one can."""
    if flaw := flaw_of(chunk):
        return flaw.reason
    try:
        choose_model(chunk.channels, chunk.fs_hz, ANYWHERE)
    except InputMismatch as error:
        return str(error)
    return ""


def _common(firsts: list[SampleChunk]) -> Offer | None:
    """What every sensor offers: their common channels, at the lowest of their rates."""
    if not firsts:
        return None
    shared = set.intersection(*(set(chunk.channels) for chunk in firsts))
    channels = tuple(name for name in firsts[0].channels if name in shared)
    return Offer(channels, min(chunk.fs_hz for chunk in firsts))


async def _all_chunks(seen: deque[SampleChunk], rest: AsyncIterator[SampleChunk]) -> AsyncIterator[SampleChunk]:
    for chunk in seen:
        yield chunk
    seen.clear()
    async for chunk in rest:
        yield chunk


def _made_for(axes: str | None) -> Choice | None:
    """The model that an axes file was made for."""
    if not axes or not is_axes_file(axes):
        return None
    model = read_axes_file(Path(axes)).model
    return Choice(model, f"{axes} was made for it") if _exists(model) else None


def _recorded(source: Source) -> Choice | None:
    """The model that ran when a recording was made."""
    from kinestream.replay_data.recordings import RecordingPlayer

    if not isinstance(source, RecordingPlayer):
        return None
    model = (source.reader.manifest.get("model") or {}).get("found_as", "")
    return Choice(model, f"it ran when {source.name} was recorded") if _exists(model) else None


def _exists(model: str) -> bool:
    try:
        return bool(model) and find_model(model).is_file()
    except ModelError:
        return False
