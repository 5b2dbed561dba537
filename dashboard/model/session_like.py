"""What the dashboard asks of a running session, and nothing more; ``kinestream.run.session.Session`` offers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Prediction, SampleChunk
from kinestream.core.source import LinkStatus, Playback
from kinestream.policy import PolicyState


@runtime_checkable
class KnowsActivities(Protocol):
    """A playback that knows where activities begin."""

    def next_activity(self) -> None:
        """Go on from where the next one begins."""
        ...


class CircumstancesLike(Protocol):
    """What a prediction depended on besides the samples."""

    @property
    def state(self) -> PolicyState: ...


class SessionLike(Protocol):
    """Something that runs a stream through a model, tells what happened, and takes commands."""

    @property
    def source_name(self) -> str:
        """What the user asked for, e.g. ``hapt`` or ``wearer://?seed=1``."""
        ...

    @property
    def model_name(self) -> str: ...

    @property
    def table(self) -> OperatingTable: ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of ``Prediction.probs``."""
        ...

    @property
    def deadline_ms(self) -> float | None: ...

    @property
    def policy_text(self) -> str:
        """The policy in force as it is written on the command line, e.g. ``battery:hours=8``."""
        ...

    @property
    def playback(self) -> Playback | None:
        """Speed, pause and position of a recording; None if the source is live."""
        ...

    @property
    def is_live(self) -> bool:
        """The source cannot wait: who is silent there is lost."""
        ...

    @property
    def hop_s(self) -> float:
        """Seconds from one window of a stream to the next."""
        ...

    @property
    def queued(self) -> tuple[int, int]:
        """How many chunks wait for the pipeline, and how many may."""
        ...

    @property
    def circumstances(self) -> CircumstancesLike | None:
        """Of the newest prediction; None before the first."""
        ...

    def links(self) -> Sequence[LinkStatus]:
        """How the links to the sensors stand; none where the source does not tell."""
        ...

    def failures(self) -> list[str]:
        """What has failed for good while the run goes on, a line each."""
        ...

    def notices(self) -> list[str]:
        """What a person should know about the streams, a line each."""
        ...

    def subscribe(
        self,
        on_chunk: Callable[[SampleChunk], None] | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
    ) -> None:
        """Call back from now on for every chunk and prediction, in the event loop's thread."""
        ...

    def set_policy(self, text: str) -> None:
        """Decide by another policy from the next window on.

        Raises:
            ConfigError: no such policy, or a setting of it is wrong.
        """
        ...

    def set_deadline(self, deadline_ms: float | None) -> None: ...

    def set_battery(self, frac: float) -> None:
        """Set the simulated battery's charge, 0 to 1.

        Raises:
            ConfigError: the battery is not simulated.
        """
        ...

    def counts(self) -> Mapping[str, int]:
        """Samples, windows, gaps, lost, dropped, ... so far."""
        ...

    def summary(self) -> Mapping[str, object]: ...

    async def run(self) -> object:
        """Until the source ends or ``stop()``."""
        ...

    def stop(self) -> None: ...
