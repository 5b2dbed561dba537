"""The simulated wearer: reproducible bit by bit, with the motion of people."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNLABELLED, SampleChunk
from kinestream.core.source import Playback, Source
from kinestream.replay_data import DeviceEffects, Recording, Wearer, simulate
from kinestream.replay_data.wearer.body import ACTIVITIES, MODEL_PATH, Person
from kinestream.replay_data.wearer.day_plan import DWELL_S, DayPlan
from kinestream.replay_data.wearer.device_effects import PACKET
from kinestream.replay_data.wearer.motion import turn
from kinestream.windowing import Segmenter

SPEC = InputSpec((*ACC, *GYRO), 50.0, 128, 64)


async def played(wearer: Wearer) -> list[SampleChunk]:
    return [chunk async for chunk in wearer.chunks()]


def signal(chunks: list[SampleChunk]) -> np.ndarray:
    return np.concatenate([chunk.x for chunk in chunks])


def test_a_wearer_is_a_source_with_playback_controls() -> None:
    assert isinstance(Wearer(), Source)
    assert isinstance(Wearer(), Playback)
    assert math.isinf(Wearer().duration_s)


def test_the_fitted_parameters_are_small_and_finite_without_pickle() -> None:
    assert MODEL_PATH.stat().st_size < 300_000
    with np.load(MODEL_PATH, allow_pickle=False) as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


async def test_the_same_seed_gives_the_same_samples_streamed_pulled_or_simulated() -> None:
    recorded = simulate(7, 90)
    streamed = await played(Wearer(7, speed=math.inf, duration_s=90))
    pulled = [packet for _, packet in islice(Wearer(7).packets(), 450)]
    assert np.array_equal(signal(streamed), recorded.x)
    assert np.array_equal(signal(pulled), recorded.x)
    assert recorded.labels is not None
    assert np.array_equal(np.concatenate([c.labels for c in streamed if c.labels is not None]), recorded.labels)


@pytest.fixture(scope="module")
def long_recording() -> Recording:
    return simulate(3, 420, effects=DeviceEffects(jitter_ms=3))


@given(position_s=st.floats(0, 400))
@settings(max_examples=25, deadline=None)
def test_a_seek_lands_on_the_samples_of_the_unbroken_stream(long_recording: Recording, position_s: float) -> None:
    _, packet = next(Wearer(3, effects=DeviceEffects(jitter_ms=3)).packets(position_s))
    assert packet.seq % PACKET == 0
    assert 0 <= packet.seq / 50 - position_s < PACKET / 50 + 1e-9
    assert np.array_equal(packet.x, long_recording.x[packet.seq : packet.seq + PACKET])
    assert np.array_equal(packet.t, long_recording.t[packet.seq : packet.seq + PACKET])


def test_every_seed_is_another_person_and_every_person_a_stream() -> None:
    assert not np.allclose(simulate(1, 20).x[:500], simulate(2, 20).x[:500], atol=0.5)
    packets = [packet for _, packet in islice(Wearer(5, people=3).packets(), 30)]
    assert Counter(p.stream for p in packets) == {"wearer-5": 10, "wearer-6": 10, "wearer-7": 10}
    assert np.array_equal(signal([p for p in packets if p.stream == "wearer-6"]), simulate(6, 2).x)


def test_a_day_shows_every_activity_in_plausible_bouts_and_transitions() -> None:
    plan = DayPlan(0, 50.0)
    bouts = [plan[i] for i in range(200)]
    assert {ACTIVITIES[b.activity] for b in bouts} == set(ACTIVITIES)
    assert all(DWELL_S[0] - 0.02 <= (b.stop - b.start) / 50 <= DWELL_S[1] + 0.02 for b in bouts)
    pairs = {(ACTIVITIES[a.activity], ACTIVITIES[b.activity]) for a, b in pairwise(bouts)}
    assert ("lying", "walking") not in pairs
    assert all(a.stop == b.start for a, b in pairwise(bouts))


def test_a_script_is_followed_with_unlabelled_transitions() -> None:
    recording = simulate(4, 60, script=[("sitting", 20), ("standing", 20), ("walking", 20)])
    assert recording.labels is not None
    order = [ACTIVITIES.index(name) for name in ("sitting", "standing", "walking")]
    runs = recording.labels[np.r_[True, np.diff(recording.labels) != 0]]
    assert runs.tolist() == [order[0], UNLABELLED, order[1], UNLABELLED, order[2]]
    between_s = np.count_nonzero(recording.labels == UNLABELLED) / 50
    assert 2 < between_s < 10


def test_at_rest_the_sensor_reads_gravity_and_barely_turns() -> None:
    for seed in range(10):
        recording = simulate(seed, 30, script=[("lying", 30)])
        assert np.linalg.norm(recording.x[:, :3].mean(axis=0)) == pytest.approx(STANDARD_GRAVITY, rel=0.06)
        assert recording.x[:, 3:].std() < 0.2


def test_walking_has_the_frequency_and_strength_of_steps() -> None:
    for seed in range(5):
        recording = simulate(seed, 40, script=[("walking", 40)])
        vertical = recording.x[:, 0] - recording.x[:, 0].mean()
        spectrum = np.abs(np.fft.rfft(vertical * np.hanning(len(vertical)))) ** 2
        f_hz = np.fft.rfftfreq(len(vertical), 1 / 50)
        assert 1.3 < f_hz[1:][np.argmax(spectrum[1:])] < 2.3
        assert recording.x[:, :3].std(axis=0).max() > 1.0


@given(
    start=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    end=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
)
def test_the_angular_rate_of_a_turn_matches_the_motion_of_gravity(
    start: tuple[float, ...], end: tuple[float, ...]
) -> None:
    a, b = (np.array(v) / np.linalg.norm(v) for v in (start, end))
    up, rate = turn(a, b, 400, 100.0)
    assert np.allclose(np.linalg.norm(up, axis=1), 1)
    assert np.allclose(up[0], a, atol=1e-3)
    assert np.allclose(up[-1], b, atol=1e-3)
    # In the body's axes, a fixed direction turns opposite to the body.
    moved = np.gradient(up, axis=0)[1:-1] * 100
    assert np.allclose(moved, -np.cross(rate, up)[1:-1], atol=0.02)


def test_a_change_of_posture_is_smooth() -> None:
    recording = simulate(11, 45, script=[("standing", 15), ("lying", 30)])
    up = recording.x[:, :3]
    slow = np.stack([np.convolve(column, np.ones(25) / 25, "valid") for column in up.T], axis=1)
    assert np.linalg.norm(np.diff(slow, axis=0), axis=1).max() < 0.5
    # The integral of the angular rate from standing to lying is about a quarter turn.
    assert recording.labels is not None
    change = recording.labels == UNLABELLED
    assert 0.7 < np.linalg.norm(recording.x[change, 3:].sum(axis=0)) / 50 < 2.4


def test_a_slower_rate_gives_the_same_motion_without_aliasing() -> None:
    slow, fast = (simulate(2, 60, rate_hz=rate, script=[("walking", 60)]) for rate in (20.0, 100.0))
    assert len(slow) == 1200
    assert len(fast) == 6000
    assert slow.x[:, 0].std() == pytest.approx(fast.x[:, 0].std(), rel=0.3)
    spectrum = np.abs(np.fft.rfft(fast.x[:, 0] - fast.x[:, 0].mean())) ** 2
    assert spectrum[np.fft.rfftfreq(6000, 0.01) > 30].sum() < 0.05 * spectrum.sum()


def test_the_receiver_counts_the_same_lost_samples_as_the_wearer() -> None:
    wearer = Wearer(1, duration_s=600, effects=DeviceEffects(loss=0.05, gaps_per_hour=30))
    segmenter = Segmenter(SPEC)
    sent = 0
    for _, packet in wearer.packets():
        sent += len(packet)
        segmenter.push(packet)
    segmenter.flush()
    counts = wearer.counts()
    assert sent + counts["not_sent"] == 30_000
    assert counts["not_sent"] > 0.03 * 30_000
    assert counts["radio_pauses"] > 0
    assert 0 <= counts["not_sent"] - segmenter.counts()["lost"] <= 20 * 50  # losses at either end cause no jump
    assert segmenter.counts()["gaps"] >= counts["radio_pauses"] - 1


def test_without_effects_every_packet_arrives_on_time() -> None:
    packets = [packet for _, packet in Wearer(9, duration_s=60).packets()]
    assert np.allclose(np.concatenate([p.t for p in packets]), np.arange(3000) / 50)
    assert [p.seq for p in packets] == list(range(0, 3000, PACKET))


def test_drift_changes_the_rate_and_jitter_keeps_the_order() -> None:
    recording = simulate(1, 200, effects=DeviceEffects(drift_ppm=10_000, jitter_ms=30))
    assert len(recording) == pytest.approx(200 * 50 * 1.01, abs=PACKET)
    steps_s = np.diff(recording.t)
    assert steps_s.min() > 0
    assert steps_s.std() > 0.005
    assert steps_s.mean() == pytest.approx(0.02 / 1.01, rel=1e-3)


async def test_a_live_wearer_uses_the_hosts_clock() -> None:
    now_s = 5000.0

    def clock() -> float:
        return now_s

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        await asyncio.sleep(0)

    wearer = Wearer(1, live=True, duration_s=4, clock=clock, sleep=sleep)
    assert wearer.live
    chunks = [(chunk, now_s) async for chunk in wearer.chunks()]
    assert chunks[0][0].t[0] == pytest.approx(5000.0)
    assert all(arrived_s == pytest.approx(chunk.received_s, abs=0.01) for chunk, arrived_s in chunks)


async def test_next_activity_jumps_to_the_start_of_the_next_bout() -> None:
    wearer = Wearer(1, speed=math.inf, script=[("sitting", 20), ("walking", 20)])
    starts_s: dict[str, float] = {}
    async for chunk in wearer.chunks():
        if chunk.session not in starts_s:
            starts_s[chunk.session] = chunk.t[0]
            wearer.next_activity()
        if len(starts_s) == 4:
            break
    assert list(starts_s.values()) == pytest.approx([0, 20, 40, 60])


def test_an_address_sets_all_options() -> None:
    wearer = Wearer.from_uri(
        "wearer://?seed=3&people=2&rate=25&loss=0.01&jitter_ms=5&drift_ppm=40&duration=9&speed=max"
    )
    assert math.isinf(wearer.speed)
    assert wearer.duration_s == 9
    packets = [packet for _, packet in wearer.packets()]
    assert {p.stream for p in packets} == {"wearer-3", "wearer-4"}
    assert {p.fs_hz for p in packets} == {25.0}
    assert Wearer.from_uri("wearer://?speed=2", speed=8).speed == 8
    assert np.array_equal(next(Wearer.from_uri("wearer://").packets())[1].x, simulate(0, 1).x[:PACKET])


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("wearer://?sed=3", "did you mean 'seed'"),
        ("wearer://?colour=red", "unknown key 'colour'"),
        ("wearer://?seed=1.5", "seed=1.5"),
        ("wearer://?seed=-1", "seed -1"),
        ("wearer://?people=0", "0 people"),
        ("wearer://?people=1e12", "people"),
        ("wearer://?loss=2", "loss 2"),
        ("wearer://?loss=inf", "loss inf"),
        ("wearer://?jitter_ms=-1", "jitter_ms"),
        ("wearer://?rate=0", "rate 0"),
        ("wearer://?rate=fast", "rate=fast"),
        ("wearer://?speed=0", "speed 0"),
        ("wearer://?duration=0", "duration 0"),
        ("wearer://?live=1&speed=5", "live"),
        ("wearer://somebody", "expected wearer://"),
        ("bearer://?seed=1", "expected wearer://"),
    ],
)
def test_an_invalid_address_is_refused_naming_the_fault(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        Wearer.from_uri(uri)


def test_a_script_of_an_unknown_activity_is_refused() -> None:
    with pytest.raises(ConfigError, match="flying"):
        simulate(1, 10, script=[("flying", 5)])


def test_the_direction_of_gravity_varies_more_between_people_than_within_one() -> None:
    standing, walking = ACTIVITIES.index("standing"), ACTIVITIES.index("walking")
    rng = np.random.default_rng(0)
    people = [Person(seed) for seed in range(60)]
    up = np.array([[p.bout(standing, rng).direction, p.bout(walking, rng).direction] for p in people])
    within = np.degrees(np.arccos(np.clip(np.sum(up[:, 0] * up[:, 1], axis=1), -1, 1)))
    between = np.degrees(np.arccos(np.clip(np.sum(up[:-1, 0] * up[1:, 1], axis=1), -1, 1)))
    assert np.median(within) < 0.7 * np.median(between)
