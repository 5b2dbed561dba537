"""The player: the same chunks at every speed, steered while it plays."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, SampleChunk
from kinestream.core.source import Playback, Source
from kinestream.replay_data import Dataset, Entry, Player, Recording, open_dataset
from kinestream.windowing import Segmenter


class Clock:
    """A clock that advances only during sleep or when a test sets it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


def recording(
    name: str = "one", n: int = 500, fs_hz: float = 50.0, segments: tuple[tuple[int, int], ...] = ()
) -> Recording:
    """A ramp, so that a sample's value is its index; each segment's clock jumps back to zero."""
    t = np.arange(n) / fs_hz
    for start, stop in segments:
        t[start:stop] = np.arange(stop - start) / fs_hz
    x = np.repeat(np.arange(n, dtype=np.float32)[:, None], 3, axis=1)
    labels = (np.arange(n) // 100 % 2).astype(np.int16)
    return Recording("test", name, "1", fs_hz, ACC, t, x, labels, ("still", "moving"), segments, {"missing_value": 2})


def make_player(recordings: object, **options: object) -> tuple[Player, Clock]:
    clock = Clock()
    return Player(recordings, clock=clock, sleep=clock.sleep, **options), clock  # type: ignore[arg-type]


async def all_chunks(source: Player) -> list[SampleChunk]:
    return [chunk async for chunk in source.chunks()]


def same(a: list[SampleChunk], b: list[SampleChunk]) -> bool:
    return len(a) == len(b) and all(
        (p.stream, p.session, p.seq, p.received_s) == (q.stream, q.session, q.seq, q.received_s)
        and np.array_equal(p.t, q.t)
        and np.array_equal(p.x, q.x)
        for p, q in zip(a, b, strict=True)
    )


def test_a_player_is_a_source_with_playback_controls() -> None:
    player, _ = make_player([recording()])
    assert isinstance(player, Source)
    assert isinstance(player, Playback)
    assert not player.live


@pytest.mark.parametrize("speed", [1.0, 7.5, math.inf])
async def test_the_same_chunks_come_at_every_speed(speed: float) -> None:
    reference, _ = make_player([recording(), recording("two", 333)], speed=3.0)
    player, _ = make_player([recording(), recording("two", 333)], speed=speed)
    assert same(await all_chunks(player), await all_chunks(reference))


@pytest.mark.parametrize(("speed", "takes_s"), [(1.0, 10.0), (4.0, 2.5), (math.inf, 0.0)])
async def test_playback_takes_the_duration_divided_by_the_speed(speed: float, takes_s: float) -> None:
    player, clock = make_player([recording(n=500)], speed=speed)
    await all_chunks(player)
    assert clock.now_s - 1000 == pytest.approx(takes_s, abs=0.01)
    assert player.position_s == pytest.approx(10.0)


@given(chunk_s=st.floats(0.02, 20), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_every_sample_plays_once_at_any_chunk_length(chunk_s: float, sizes: list[int]) -> None:
    player, _ = make_player([recording(str(i), n) for i, n in enumerate(sizes)], speed=math.inf, chunk_s=chunk_s)
    chunks = asyncio.run(all_chunks(player))
    assert np.concatenate([c.x[:, 0] for c in chunks]).tolist() == [float(i) for n in sizes for i in range(n)]
    assert all(c.received_s == c.t[-1] for c in chunks)


async def test_each_sample_keeps_its_label() -> None:
    player, _ = make_player([recording()], speed=math.inf)
    for chunk in await all_chunks(player):
        assert chunk.label_names == ("still", "moving")
        assert chunk.labels is not None
        assert chunk.labels.tolist() == (chunk.x[:, 0] // 100 % 2).tolist()


async def test_every_segment_is_an_epoch_and_no_window_spans_two() -> None:
    player, _ = make_player([recording("a", 500, segments=((0, 200), (200, 500))), recording("b")], speed=math.inf)
    chunks = await all_chunks(player)
    assert list(dict.fromkeys(c.session for c in chunks)) == ["a#0", "a#1", "b#0"]
    assert {c.stream for c in chunks} == {"recordings"}
    segmenter = Segmenter(InputSpec(ACC, 50.0, 64, 32, lowpass_hz=None))
    windows = [w for c in chunks for w in segmenter.push(c)] + segmenter.flush()
    assert Counter(w.session for w in windows) == {"a#0": 5, "a#1": 8, "b#0": 14}
    assert all(np.ptp(w.x[:, 0]) == 63 for w in windows)
    assert segmenter.counts()["lost"] == 0


async def test_gaps_between_segments_take_no_time() -> None:
    gapped = recording(n=200, segments=((0, 100), (100, 200)))
    gapped.t[100:] += 3600
    player, clock = make_player([gapped])
    await all_chunks(player)
    assert clock.now_s - 1000 == pytest.approx(4.0, abs=0.01)


async def test_recordings_played_together_are_separate_streams_merged_by_time() -> None:
    player, clock = make_player([recording("a", 100), recording("b", 300)], together=True)
    chunks = await all_chunks(player)
    assert {c.stream for c in chunks} == {"a", "b"}
    assert [c.t[-1] for c in chunks] == sorted(c.t[-1] for c in chunks)
    assert [c.stream for c in chunks[:4]] == ["a", "b", "a", "b"]
    assert clock.now_s - 1000 == pytest.approx(6.0, abs=0.01)
    assert player.duration_s == pytest.approx(6.0)


async def test_a_loop_restarts_in_a_new_epoch() -> None:
    player, _ = make_player([recording(n=100)], speed=math.inf, loop=True)
    samples: Counter[str] = Counter()
    async for chunk in player.chunks():
        samples[chunk.session] += len(chunk)
        if sum(samples.values()) >= 300:
            break
    assert samples == {"one#0": 100, "one#0~1": 100, "one#0~2": 100}


async def test_a_loop_over_no_recordings_ends() -> None:
    player, _ = make_player([], speed=math.inf, loop=True)
    assert await all_chunks(player) == []


async def test_a_seek_into_the_next_recording_continues_there_in_a_new_epoch() -> None:
    player, _ = make_player([recording("a", 100), recording("b", 500)], speed=math.inf)
    chunks = []
    async for chunk in player.chunks():
        chunks.append(chunk)
        if len(chunks) == 2:
            player.seek(5.0)
    assert [c.session for c in chunks[:2]] == ["a#0", "a#0"]
    assert {c.session for c in chunks[2:]} == {"b#0~1"}
    assert chunks[2].x[0, 0] == 150
    assert chunks[2].seq == 150
    assert sum(len(c) for c in chunks[2:]) == 350


async def test_a_seek_back_repeats_samples_and_a_seek_past_the_end_ends() -> None:
    player, _ = make_player([recording(n=100)], speed=math.inf)
    seen = []
    async for chunk in player.chunks():
        seen.append(float(chunk.x[0, 0]))
        if len(seen) == 3:
            player.seek(-1.0)
        if len(seen) == 5:
            player.seek(99.0)
    assert seen == [0, 25, 50, 0, 25]
    assert player.position_s == pytest.approx(2.0)


@pytest.mark.parametrize("position_s", [math.nan, math.inf])
def test_a_seek_to_a_position_that_is_not_finite_is_refused(position_s: float) -> None:
    with pytest.raises(ConfigError, match="cannot seek"):
        Player([recording()]).seek(position_s)


async def test_a_pause_holds_the_stream_until_playback_resumes() -> None:
    player, clock = make_player([recording(n=500)])
    player.paused = True
    listening = asyncio.create_task(all_chunks(player))
    while clock.now_s < 1060:
        await asyncio.sleep(0)
    assert player.position_s == 0
    player.paused = False
    resumed_s = clock.now_s
    assert sum(map(len, await listening)) == 500
    assert clock.now_s - resumed_s == pytest.approx(10.0, abs=0.1)


async def test_the_speed_can_change_while_playing() -> None:
    player, clock = make_player([recording(n=500)])
    async for _ in player.chunks():
        if player.position_s >= 5 - 1e-6:
            player.speed = 10.0
    assert clock.now_s - 1000 == pytest.approx(5.5, abs=0.06)


async def test_playback_catches_up_after_a_short_delay_but_not_after_a_long_stop() -> None:
    player, clock = make_player([recording(n=500)])
    gaps_s, last_s = [], clock.now_s
    async for _ in player.chunks():
        gaps_s.append(clock.now_s - last_s)
        clock.now_s += 60.0 if len(gaps_s) == 4 else 0.2
        last_s = clock.now_s
    assert gaps_s[1:4] == pytest.approx([0.3] * 3, abs=0.01)  # the consumer used 0.2 s of each half second
    assert gaps_s[4:6] == pytest.approx([0.0, 0.0], abs=0.01)  # catches up one second, not the minute
    assert gaps_s[6:] == pytest.approx([0.3] * len(gaps_s[6:]), abs=0.31)


async def test_next_activity_jumps_from_label_to_label() -> None:
    player, _ = make_player([recording("a", 250), recording("b", 250)], speed=math.inf)
    first_of_epoch: dict[str, float] = {}
    async for chunk in player.chunks():
        if chunk.session not in first_of_epoch:
            first_of_epoch[chunk.session] = float(chunk.x[0, 0])
            player.next_activity()
    assert first_of_epoch == {"a#0": 0, "a#0~1": 100, "a#0~2": 200, "b#0~3": 0, "b#0~4": 100, "b#0~5": 200}


async def test_only_the_next_recording_is_read_ahead() -> None:
    read: list[int] = []

    def entry(i: int) -> Entry:
        def load() -> Recording:
            read.append(i)
            return recording(str(i), 100)

        return Entry(str(i), "1", load)

    player, _ = make_player(Dataset("lazy", ("still", "moving"), map(entry, range(5))), speed=math.inf)
    assert math.isnan(player.duration_s)
    async for chunk in player.chunks():
        playing = int(chunk.session[0])
        assert max(read, default=0) <= playing + 1
    assert read == [0, 1, 2, 3, 4]
    assert player.duration_s == pytest.approx(10.0)


async def test_an_unreadable_recording_raises_its_error_when_its_turn_comes() -> None:
    def damaged() -> Recording:
        raise DataDamaged("row 7 is cut off")

    entries = [Entry("good", "1", lambda: recording("good", 100)), Entry("bad", "1", damaged)]
    player, _ = make_player(Dataset("half", (), entries), speed=math.inf)
    chunks = player.chunks()
    assert sum([len(await anext(chunks)) for _ in range(4)]) == 100
    with pytest.raises(DataDamaged, match="row 7"):
        await anext(chunks)


async def test_repairs_count_once_per_recording_even_when_it_repeats() -> None:
    player, _ = make_player([recording("a", 100), recording("b", 100)], speed=math.inf)
    assert player.counts() == {}
    jumped = False
    async for chunk in player.chunks():
        if chunk.session == "b#0" and not jumped:
            jumped = True
            player.seek(0)
    assert player.counts() == {"missing_value": 4}


async def test_closing_ends_the_stream_and_can_be_repeated() -> None:
    player, _ = make_player([recording()], speed=math.inf)
    received = 0
    async for _ in player.chunks():
        received += 1
        await player.aclose()
        await player.aclose()
    assert received == 1


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_not_positive_is_refused(speed: float) -> None:
    with pytest.raises(ConfigError, match="speed"):
        Player([recording()], speed=speed)
    player = Player([recording()])
    with pytest.raises(ConfigError, match="speed"):
        player.speed = speed


async def test_a_real_recording_plays_completely(data_dir: Path) -> None:
    dataset = open_dataset("hapt", data_dir).select(["2"])[:1]
    player = Player(dataset, speed=math.inf)
    chunks = await all_chunks(player)
    expected = dataset[0]
    assert np.array_equal(np.concatenate([c.x for c in chunks]), expected.x)
    assert {c.session for c in chunks} == {f"{expected.name}#0"}
    assert player.position_s == pytest.approx(expected.duration_s)
