"""A source whose samples carry the label that a person gives them while they come in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNLABELLED, SampleChunk
from kinestream.core.source import Noticing, Source

KEPT_CHANGES = 1000
"""A sample is labelled by the change before it; nothing arrives that late."""


class LabelledSource:
    """Another source, labelled by hand; from the first choice on, labels of its own are replaced.

    Of a live source each sample gets the label in force when it was taken; of a replay, each chunk the label in force
    when it was played.

    Args:
        source: where the samples come from.
        labels: what there is to choose from.
        at_first: the number of the one in force from the start; None: no choice is made yet.
        clock: that of a live source's times.
    Raises:
        ConfigError: no label, or one of them twice.
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
        """The one in force; None: none."""
        code = self._codes[-1]
        return None if code == UNLABELLED else self.labels[code]

    def choose(self, number: int | None) -> None:
        """Label what is taken from now on with ``labels[number]``, or not at all.

        Raises:
            ConfigError: there is no such label.
        """
        if number is not None and not 0 <= number < len(self.labels):
            raise ConfigError(f"no label number {number + 1}; there are {len(self.labels)}: {', '.join(self.labels)}")
        self._chosen = True
        self._since_s.append(self._clock())
        self._codes.append(UNLABELLED if number is None else number)
        del self._since_s[:-KEPT_CHANGES], self._codes[:-KEPT_CHANGES]

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
