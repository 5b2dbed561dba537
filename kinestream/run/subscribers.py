"""The functions that a session calls back, in the event loop's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kinestream.core.signals import Prediction, SampleChunk
    from kinestream.interpret.episodes import Episode
    from kinestream.observe.findings import Notice


class Subscribers:
    """Everyone who wants to hear of chunks, predictions, episodes or notices.

    >>> subscribers = Subscribers()
    >>> subscribers.add(on_notice=print)
    >>> subscribers.notices(["wrist: rate 48.5 Hz, announced 50"])
    wrist: rate 48.5 Hz, announced 50
    """

    def __init__(self) -> None:
        self._on_chunk: list[Callable[[SampleChunk], None]] = []
        self._on_prediction: list[Callable[[Prediction], None]] = []
        self._on_episode: list[Callable[[Episode], None]] = []
        self._on_notice: list[Callable[[Notice], None]] = []

    def add(
        self,
        on_chunk: Callable[[SampleChunk], None] | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
        on_episode: Callable[[Episode], None] | None = None,
        on_notice: Callable[[Notice], None] | None = None,
    ) -> None:
        """Call back from now on."""
        if on_chunk:
            self._on_chunk.append(on_chunk)
        if on_prediction:
            self._on_prediction.append(on_prediction)
        if on_episode:
            self._on_episode.append(on_episode)
        if on_notice:
            self._on_notice.append(on_notice)

    def chunk(self, chunk: SampleChunk) -> None:
        for on_chunk in self._on_chunk:
            on_chunk(chunk)

    def prediction(self, prediction: Prediction) -> None:
        for on_prediction in self._on_prediction:
            on_prediction(prediction)

    def episodes(self, episodes: Iterable[Episode]) -> None:
        for episode in episodes:
            for on_episode in self._on_episode:
                on_episode(episode)

    def notices(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            for on_notice in self._on_notice:
                on_notice(notice)
