from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from kinestream.core.signals import MAG, SampleChunk
from kinestream.launch.default_model import begin
from tests.windowing.streams import cut, regular


class Senders:
    name = "zmq+tcp://127.0.0.1:1"
    live = False
    gathers = True

    def __init__(self, chunks: list[SampleChunk]) -> None:
        self._chunks = chunks

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        for chunk in self._chunks:
            yield chunk

    def counts(self) -> Mapping[str, int]:
        return {}

    async def aclose(self) -> None: ...


async def test_a_stream_that_no_model_fits_does_not_choose_the_model() -> None:
    good = cut(regular(200), 20)
    poison = [replace(chunk, stream="poison", channels=MAG, x=chunk.x[:, :3]) for chunk in good]
    flawed = replace(good[0], stream="flawed", fs_hz=float("nan"))
    skipped: list[tuple[str, str]] = []
    begun = await begin(Senders([*poison, flawed, *good]), None, lambda stream, why: skipped.append((stream, why)))
    assert begun.offer is not None
    assert begun.offer.channels == good[0].channels
    assert [stream for stream, _ in skipped] == ["poison", "flawed"]
    assert "no bundled model fits" in skipped[0][1]
    assert len([chunk async for chunk in begun.chunks]) == 21
