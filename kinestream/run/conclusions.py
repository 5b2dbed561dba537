"""From the network's predictions to what is shown: conclusions, withheld labels, episodes, and their tally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinestream.interpret.withhold import withhold

from .tally import ConclusionTally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinestream.core.signals import Prediction
    from kinestream.interpret.concluder import Concluder
    from kinestream.interpret.episodes import Episode, EpisodeFinder


class Conclusions:
    """The last steps before a prediction is shown.

    Args:
        labels: the model's.
        needs_up: those that only the direction of up tells apart.

    >>> Conclusions(("walking", "lying"), needs_up=()).summary()
    {}
    """

    def __init__(self, labels: tuple[str, ...], needs_up: Sequence[str]) -> None:
        self._needs_up = needs_up
        self._tally = ConclusionTally(labels)
        self._concluder: Concluder | None = None
        self._finder: EpisodeFinder | None = None
        self._found = 0

    def use(self, concluder: Concluder | None, finder: EpisodeFinder | None) -> None:
        """Draw conclusions from later predictions, and find episodes in them; None: do not."""
        self._concluder, self._finder = concluder, finder

    def draw(self, prediction: Prediction) -> Prediction:
        """Return the prediction with its conclusion: if one is asked for, or if its label is withheld."""
        if self._concluder is None:
            return withhold(prediction, self._needs_up)
        concluded = self._concluder.conclude(prediction)
        concluded = withhold(concluded, self._needs_up, self._concluder.unknown_below)
        self._tally.add(concluded)
        return concluded

    def episodes(self, prediction: Prediction) -> list[Episode]:
        """Return the episodes that this prediction, as it is shown, completes."""
        return self._counted(self._finder.add(prediction)) if self._finder else []

    def close(self) -> list[Episode]:
        """Return the episodes that are still open."""
        return self._counted(self._finder.close()) if self._finder else []

    def summary(self) -> dict[str, Any]:
        """Return ``concluded`` and ``episodes`` of a run's summary, if they are asked for: plain JSON values."""
        return {
            **({"concluded": self._concluder.settings() | self._tally.summary()} if self._concluder else {}),
            **({"episodes": self._found} if self._finder else {}),
        }

    def _counted(self, episodes: list[Episode]) -> list[Episode]:
        self._found += len(episodes)
        return episodes
