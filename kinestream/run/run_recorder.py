"""The protocol of a session's recorder; ``kinestream.recording.Recorder`` implements it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction, SampleChunk

    from .pipeline import Circumstances


class RunRecorder(Protocol):
    """Stores a run's chunks and predictions as they pass. A failing disk never stops the run."""

    failure: str | None
    """Why recording ended before the run, in words; None while it works."""

    def report_durable(self, on_durable: Callable[[int, int], None]) -> None:
        """Force data to disk soon, for a source whose sender waits for that; call this in the running event loop.

        Args:
            on_durable: called in the event loop with the numbers of further chunks, and of further notes of dropped
                chunks, that a power cut no longer loses; with zeros, once, when recording has failed.
        """
        ...

    async def take(self, chunk: SampleChunk) -> None:
        """Store a chunk; wait where the source can wait and the disk cannot keep up."""
        ...

    def predicted(self, prediction: Prediction, circumstances: Circumstances) -> None:
        """Store a prediction; called in the pipeline's thread."""
        ...

    def dropped(self, chunk: SampleChunk) -> None:
        """Note that the pipeline was too late for a chunk already taken."""
        ...

    async def close(self, computed_chunks: int, counts: Mapping[str, int]) -> None:
        """Write all pending data and close the recording."""
        ...

    def notices(self) -> list[str]:
        """Facts about the recording that the user should know, one line each."""
        ...

    def summary(self) -> dict[str, Any]:
        """Plain JSON values."""
        ...
