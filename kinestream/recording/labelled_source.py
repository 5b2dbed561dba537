"""A source whose samples a person labels as they arrive."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNLABELLED, SampleChunk
from kinestream.core.source import Noticing, Source

MAX_CHANGES = 1000
"""Label changes that are remembered: a sample gets the last change before it, and none arrives that late."""


class LabelledSource:
    """A source labelled by hand; the first choice replaces the source's own labels from then on.

    Each sample of a live source gets the label in force when it was taken; each chunk of a replay gets the label in
    force when it was played.

    Args:
        source: where the samples come from.
        labels: the labels to choose from.
        at_first: index of the label in force from the start; None keeps the source's own labels until a choice.
        clock: the clock of a live source's times.
    Raises:
        ConfigError: there is no label, or a label is listed twice.

    >>> from kinestream.replay_data import Wearer
    >>> source = LabelledSource(Wearer(seed=1), ["walking", "sitting"])
    >>> source.choose(1)
    >>> source.label
    'sitting'
    """

    def __init__(
        self,
        source: Source,
        labels: Sequence[str],
        at_first: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not labels or len(set(labels)) != len(labels) or not all(labels):
            raise ConfigError(f"labels {', '.join(labels) or '(none)'}: expected at least one, each once")
        self.name, self.live = source.name, source.live
        self.labels = tuple(labels)
        self._source = source
        self._clock = clock
        self._since_s = [-np.inf]
        self._codes = [UNLABELLED if at_first is None else at_first]
        self._chosen = at_first is not None

    @property
    def label(self) -> str | None:
        """The label in force; None where samples are not labelled."""
        code = self._codes[-1]
        return None if code == UNLABELLED else self.labels[code]

    def choose(self, number: int | None) -> None:
        """Label the samples from now on with ``labels[number]``; None leaves them unlabelled.

        Raises:
            ConfigError: there is no label of that number.
        """
        if number is not None and not 0 <= number < len(self.labels):
            raise ConfigError(f"no label number {number + 1}; there are {len(self.labels)}: {', '.join(self.labels)}")
        self._chosen = True
        self._since_s.append(self._clock())
        self._codes.append(UNLABELLED if number is None else number)
        del self._since_s[:-MAX_CHANGES], self._codes[:-MAX_CHANGES]

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        async for chunk in self._source.chunks():
            if not self._chosen:
                yield chunk
                continue
            if self.live:
                at = np.maximum(np.searchsorted(self._since_s, chunk.t, side="right") - 1, 0)
                codes = np.array(self._codes, np.int16)[at]
            else:
                codes = np.full(len(chunk), self._codes[-1], np.int16)
            yield replace(chunk, labels=codes, label_names=self.labels)

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()

    def notices(self) -> Sequence[str]:
        return self._source.notices() if isinstance(self._source, Noticing) else ()

    async def aclose(self) -> None:
        await self._source.aclose()
