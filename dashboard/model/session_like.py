"""The interface that the dashboard needs of a running session; ``kinestream.run.session.Session`` implements it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kinestream.core.evidence import StreamFigures
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Prediction, SampleChunk
from kinestream.core.source import LinkStatus, Playback
from kinestream.policy import PolicyState

if TYPE_CHECKING:
    from kinestream.observe.findings import Notice


@runtime_checkable
class ActivityPlayback(Protocol):
    """A playback that knows where activities begin."""

    def next_activity(self) -> None:
        """Jump to the start of the next activity."""
        ...


class CircumstancesLike(Protocol):
    """The inputs of a prediction other than its samples."""

    @property
    def state(self) -> PolicyState:
        """The policy's input."""
        ...


class SessionLike(Protocol):
    """A session: runs a stream through a model, reports events and takes commands."""

    @property
    def source_name(self) -> str:
        """The source as the user named it, e.g. ``hapt`` or ``wearer://?seed=1``."""
        ...

    @property
    def model_name(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def table(self) -> OperatingTable:
        """The model's operating table on this machine."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of ``Prediction.probs``."""
        ...

    @property
    def deadline_ms(self) -> float | None:
        """The deadline in force; None without one."""
        ...

    @property
    def policy_text(self) -> str:
        """The policy in force, as written on the command line, e.g. ``battery:hours=8``."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether a recording names the policy; its files are not run then."""
        ...

    @property
    def playback(self) -> Playback | None:
        """Speed, pause and position of a recording; None for a live source."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether the source cannot wait: a silent sensor counts as disconnected."""
        ...

    @property
    def hop_s(self) -> float:
        """Seconds from one window of a stream to the next."""
        ...

    @property
    def queued(self) -> tuple[int, int]:
        """The number of chunks that wait for the pipeline, and the queue's capacity."""
        ...

    @property
    def circumstances(self) -> CircumstancesLike | None:
        """The circumstances of the newest prediction; None before the first."""
        ...

    def links(self) -> Sequence[LinkStatus]:
        """Return the state of each sensor link; empty where the source keeps no links."""
        ...

    def figures(self) -> Sequence[StreamFigures]:
        """Return the measured figures of each stream over its last seconds."""
        ...

    def failures(self) -> list[str]:
        """Return the permanent failures of the running session, one line each."""
        ...

    def findings(self) -> Sequence[Notice]:
        """Return what is wrong with the streams now."""
        ...

    def notices(self) -> list[str]:
        """Return what the user should know about the streams, one line each."""
        ...

    def subscribe(
        self,
        on_chunk: Callable[[SampleChunk], None] | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
    ) -> None:
        """Call these functions for every later chunk and prediction, in the event loop's thread."""
        ...

    def set_policy(self, text: str) -> None:
        """Use another policy from the next window on.

        Raises:
            ConfigError: the policy is unknown, has an invalid setting, or the session repeats a recorded run.
        """
        ...

    def set_deadline(self, deadline_ms: float | None) -> None:
        """Set the deadline for later windows; None removes it.

        Raises:
            ConfigError: the deadline is not positive, or the session repeats a recorded run.
        """
        ...

    def set_battery(self, frac: float) -> None:
        """Set the simulated battery's charge, 0 to 1.

        Raises:
            ConfigError: the battery is not simulated.
        """
        ...

    def counts(self) -> Mapping[str, int]:
        """Return the counts so far: samples, windows, gaps, lost, dropped, ..."""
        ...

    def summary(self) -> Mapping[str, object]:
        """Return the run's summary so far."""
        ...

    async def run(self) -> object:
        """Run until the source ends or ``stop()`` is called; the result is not used."""
        ...

    def stop(self) -> None:
        """End the run soon, without processing queued chunks."""
        ...
