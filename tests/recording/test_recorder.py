"""Recording a run: it can be repeated bit for bit, and no disk stops it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, ModelError
from kinestream.core.signals import Decision, Prediction, SampleChunk
from kinestream.inference import Engine, operating_table, save_model
from kinestream.policy import FixedBattery, Policy, PolicyState, SimulatedBattery, make_policy, write_policy
from kinestream.recording import recorder as recording
from kinestream.recording.manifest import describe
from kinestream.recording.recorder import Recorder
from kinestream.recording.rerun import RerunSession
from kinestream.replay_data.recordings import RecordingReader, open_recording, recover
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import QUEUE_CHUNKS, Session
from kinestream.windowing import ChannelMap
from tests.random_models import random_model
from tests.run.test_session import Chunks
from tests.windowing.streams import cut, regular

MODEL = random_model()
ENGINE = Engine(MODEL)
TABLE = operating_table(ENGINE)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_model(path, MODEL)
    return path


def two_streams(n: int, size: int = 25) -> list[SampleChunk]:
    """Chunks of two sensors in turn, with labels that tie in some windows and a gap in one stream."""
    labels = (np.arange(n) // 20 % 2).astype(np.int16)
    one = cut(regular(n, labels=labels, names=("sitting", "walking")), size)
    del one[5]
    two = [replace(chunk, stream="wrist", x=chunk.x * 2, session="b") for chunk in cut(regular(n), size)]
    return [chunk for pair in zip(one, two, strict=False) for chunk in pair]


def recorded(source: Chunks, folder: Path, model_file: Path, policy: str = "fixed", **more: object) -> Session:
    """A session that records, ready to run."""
    battery = SimulatedBattery(capacity_j=0.01, base_mw=0.01) if policy.startswith("battery") else None
    settings = {"battery": battery, **more}
    pipeline = Pipeline(ENGINE, make_policy(policy, TABLE), TABLE, **settings)  # type: ignore[arg-type]
    about = describe(source_name=source.name, live=source.live, pipeline=pipeline, model=str(model_file))
    failures: list[str] = []
    recorder = Recorder(folder, about, live=source.live, on_failure=failures.append)
    session = Session(source, pipeline, model_name="tiny", policy_text=policy, recorder=recorder)
    session.failures = failures  # type: ignore[attr-defined]
    return session


async def again(folder: Path) -> RerunSession:
    run = RerunSession(folder, speed=float("inf"))
    await run.run()
    return run


async def test_a_rerun_refuses_another_policy_deadline_or_battery(tmp_path: Path, model_file: Path) -> None:
    run = recorded(Chunks(two_streams(400)), tmp_path / "r", model_file, "fixed")
    await run.run()
    rerun = RerunSession(tmp_path / "r", speed=float("inf"))
    for change in (
        lambda: rerun.set_policy("latency"),
        lambda: rerun.set_deadline(1.0),
        lambda: rerun.set_battery(0.5),
    ):
        with pytest.raises(ConfigError, match="a rerun repeats its recorded decisions"):
            change()
    await rerun.run()


@pytest.mark.parametrize("policy", ["fixed", "latency", "battery:hours=0.01", "slowdown+battery:hours=0.01"])
async def test_a_run_is_repeated_bit_for_bit(tmp_path: Path, model_file: Path, policy: str) -> None:
    settings = {"deadline_ms": 0.05, "hop": 7, "channel_map": ChannelMap.parse("-y x z")}
    run = recorded(Chunks(two_streams(2000)), tmp_path / "r", model_file, policy, **settings)
    live: list[Prediction] = []
    run.subscribe(on_prediction=live.append)
    await run.run()
    second = await again(tmp_path / "r")
    assert second.verdict() == f"{len(live)} predictions, all equal to the recorded ones"
    assert len(live) > 300
    if policy in ("latency", "battery:hours=0.01"):
        assert len({prediction.decision.subnet for prediction in live}) > 1
    assert second.summary()["energy_mj"] == run.summary()["energy_mj"]
    assert second.summary()["latency_ms"] == run.summary()["latency_ms"]


@pytest.mark.parametrize(
    "policy", ["persistence:settle=1,look_s=2,sure=0,margin=0,hop=2", "battery:hours=0.01,period_s=5+loss:age_s=0.001"]
)
async def test_a_policy_that_skips_windows_skips_them_again(tmp_path: Path, model_file: Path, policy: str) -> None:
    run = recorded(Chunks(two_streams(2000)), tmp_path / "r", model_file, policy, hop=7)
    live: list[Prediction] = []
    run.subscribe(on_prediction=live.append)
    await run.run()
    assert run.counts()["passed_over"] + len(live) == run.counts()["windows"]
    assert len({prediction.decision.subnet for prediction in live}) > 1
    assert max(prediction.decision.hop for prediction in live) > 1
    second = await again(tmp_path / "r")
    assert (second.equal, second.differing, second.beyond) == (len(live), 0, 0)


async def test_a_rerun_reads_the_decisions_of_a_policy_file_and_does_not_run_it(
    tmp_path: Path, model_file: Path
) -> None:
    own, traces = tmp_path / "own.py", tmp_path / "ran"
    own.write_text(
        f"from pathlib import Path\nPath({str(traces)!r}).touch()\n"
        "def decide(state, table):\n    return table.points[len(state.recent) % 3].subnet\n"
    )
    run = recorded(Chunks(two_streams(600)), tmp_path / "r", model_file, f"{own}+battery:hours=1")
    await run.run()
    traces.unlink()
    second = await again(tmp_path / "r")
    assert second.equal > 20
    assert second.differing == 0
    assert not traces.exists()


async def test_settings_changed_during_the_run_change_again(tmp_path: Path, model_file: Path) -> None:
    run = recorded(Chunks(two_streams(3000)), tmp_path / "r", model_file, "battery:hours=1")
    seen: list[str] = []

    def meddle(prediction: Prediction) -> None:
        seen.append(str(prediction.decision.subnet))
        if len(seen) == 20:
            run.set_policy("latency:low=0.5")
            run.set_deadline(TABLE.points[0].p50_ms)
        if len(seen) == 60:
            run.set_policy("battery:hours=0.02")
            run.set_battery(0.3)

    run.subscribe(on_prediction=meddle)
    await run.run()
    second = await again(tmp_path / "r")
    assert (second.equal, second.differing, second.beyond) == (len(seen), 0, 0)
    policies = [record.policy for record in RecordingReader(tmp_path / "r").predictions()]
    texts = ("battery:hours=1", "latency:low=0.5", "battery:hours=0.02")
    assert set(policies) == {write_policy(make_policy(text, TABLE)) for text in texts}


async def test_a_battery_that_cannot_be_simulated_is_read_from_the_recording(tmp_path: Path, model_file: Path) -> None:
    class Waning(FixedBattery):
        """A battery with another charge at every reading, like a real one."""

        def read(self, now_s: float):
            self.frac = 0.05 + self.frac * 0.9
            return super().read(now_s)

    run = recorded(Chunks(two_streams(2000)), tmp_path / "r", model_file, "battery:hours=0.01", battery=Waning(1.0))
    await run.run()
    assert (await again(tmp_path / "r")).differing == 0


async def test_a_late_pipeline_drops_the_same_chunks_again(tmp_path: Path, model_file: Path) -> None:
    run = recorded(Chunks(cut(regular(100 * QUEUE_CHUNKS), 25), live=True), tmp_path / "r", model_file)
    await run.run()
    dropped = run.counts()["dropped"]
    assert dropped > 0
    second = await again(tmp_path / "r")
    assert (second.differing, second.beyond) == (0, 0)
    assert second.equal == run.summary()["predictions"] > 0
    assert second.counts()["dropped_live"] == dropped
    assert sum(map(len, RecordingReader(tmp_path / "r").chunks())) == 100 * QUEUE_CHUNKS  # the recording has them all


async def test_chunks_still_queued_when_a_run_stopped_are_not_computed(tmp_path: Path, model_file: Path) -> None:
    run = recorded(Chunks(cut(regular(100_000), 5)), tmp_path / "r", model_file)
    run.subscribe(on_prediction=lambda _: run.stop())
    await asyncio.wait_for(run.run(), 30)
    second = await again(tmp_path / "r")
    assert (second.equal, second.differing, second.beyond) == (run.summary()["predictions"], 0, 0)
    assert second.counts()["samples"] == run.counts()["samples"]


async def test_a_different_prediction_is_reported(tmp_path: Path, model_file: Path) -> None:
    run = recorded(Chunks(two_streams(1000)), tmp_path / "r", model_file)
    await run.run()
    samples = next((tmp_path / "r").glob("samples-*.parquet"))
    import pyarrow.parquet as pq

    table = pq.read_table(samples)
    turned = table.set_column(table.column_names.index("acc_x"), table.schema.field("acc_x"), table["acc_y"])
    pq.write_table(turned, samples)
    second = await again(tmp_path / "r")
    assert second.exit_status == 1
    assert second.differing > 0
    assert "NOT the recorded ones: first window 0 of s, in" in second.verdict()


async def test_a_reason_in_other_words_is_not_a_difference(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(Chunks(two_streams(1000)), tmp_path / "r", model_file).run()

    class Reworded:
        def __init__(self, policy: Policy) -> None:
            self._policy = policy

        def decide(self, state: PolicyState) -> Decision:
            return replace(self._policy.decide(state), reason="in other words")

    monkeypatch.setattr("kinestream.recording.rerun.make_policy", lambda *text: Reworded(make_policy(*text)))
    second = await again(tmp_path / "r")
    assert second.differing == 0
    assert second.equal > 20


async def test_another_model_under_the_same_name_is_refused(tmp_path: Path, model_file: Path) -> None:
    await recorded(Chunks(two_streams(200)), tmp_path / "r", model_file).run()
    save_model(model_file, random_model(seed=1))
    with pytest.raises(ModelError, match="another tiny"):
        RerunSession(tmp_path / "r")


async def test_a_slow_disk_does_not_delay_a_live_source_and_missing_samples_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "QUEUE_ITEMS", 20)
    about = describe(source_name="burst", live=True)
    recorder = Recorder(tmp_path / "r", about, live=True)
    for chunk in cut(regular(5000), 5):
        await recorder.take(chunk)
    await recorder.close(1000, {})
    recorded = sum(map(len, RecordingReader(tmp_path / "r").chunks()))
    assert recorder.not_recorded > 0
    assert recorded + recorder.not_recorded == 5000
    assert RecordingReader(tmp_path / "r").counts() == {"not_recorded": recorder.not_recorded}
    assert f"lacks {recorder.not_recorded} samples" in recorder.notices()[0]


async def test_a_replay_waits_for_a_slow_disk_and_loses_nothing(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "QUEUE_ITEMS", 20)
    await recorded(Chunks(two_streams(5000, 5)), tmp_path / "r", model_file).run()
    second = await again(tmp_path / "r")
    assert (second.differing, second.beyond) == (0, 0)
    assert RecordingReader(tmp_path / "r").counts() == {}


class Forever(Chunks):
    """A live source that continues until recording has failed, and then for half as long."""

    def __init__(self, folder: Path, spoil) -> None:
        super().__init__(cut(regular(200_000), 25), live=True)
        self._folder, self._spoil = folder, spoil
        self.failed_at: int | None = None

    async def chunks(self):
        session = self.session  # type: ignore[attr-defined]
        for number, chunk in enumerate(self._chunks):
            if number == 40:
                await asyncio.sleep(0.6)  # something is on the disk by now
                self._spoil(self._folder)
            if self.failed_at is None and session.failures:
                self.failed_at = number
            if self.failed_at is not None and number > self.failed_at * 1.5:
                return
            yield chunk
            await asyncio.sleep(0.002)


async def spoiled(folder: Path, model_file: Path, spoil) -> Session:
    """A finished run whose folder was spoiled meanwhile."""
    source = Forever(folder, spoil)
    source.session = session = recorded(source, folder, model_file)  # type: ignore[attr-defined]
    await asyncio.wait_for(session.run(), 60)
    assert source.failed_at is not None
    assert session.counts()["samples"] > 25 * source.failed_at  # the run went on
    (failure,) = session.failures  # type: ignore[attr-defined]
    assert failure.startswith("NOT RECORDING ANY MORE: ")
    assert failure in session.summary()["notices"]
    assert session.summary()["recording"]["not_recorded"] > 0
    return session


async def test_deleting_the_folder_does_not_stop_the_run(tmp_path: Path, model_file: Path) -> None:
    await spoiled(tmp_path / "r", model_file, shutil.rmtree)


async def test_a_folder_that_is_moved_away_keeps_its_data(tmp_path: Path, model_file: Path) -> None:
    await spoiled(tmp_path / "r", model_file, lambda folder: folder.rename(tmp_path / "elsewhere"))
    assert recover(tmp_path / "elsewhere").kept["samples"] >= 40 * 25


async def test_a_folder_that_becomes_read_only_keeps_its_data(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = tmp_path / "probe"
    probe.mkdir(0o500)
    if os.access(probe, os.W_OK):
        pytest.skip("this user may write into read-only folders")
    monkeypatch.setattr("kinestream.replay_data.recordings.writer.SEGMENT_BYTES", 200_000)
    await spoiled(tmp_path / "r", model_file, lambda folder: folder.chmod(0o500))
    (tmp_path / "r").chmod(0o700)
    assert recover(tmp_path / "r").kept["samples"] >= 40 * 25


async def test_a_segment_that_cannot_be_created_leaves_the_earlier_data(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinestream.replay_data.recordings.writer.SEGMENT_BYTES", 200_000)
    await spoiled(tmp_path / "r", model_file, lambda folder: (folder / "tail-000001.log").mkdir())
    (tmp_path / "r" / "tail-000001.log").rmdir()
    assert recover(tmp_path / "r").kept["samples"] >= 40 * 25
    assert (await again(tmp_path / "r")).differing == 0


@pytest.mark.parametrize("text", ["fixed", "fixed:0.5x-32", "latency:low=0.31,high=0.9,span=5", "battery:hours=2.5"])
def test_a_written_policy_gives_the_same_policy(text: str) -> None:
    policy = make_policy(text, TABLE)
    assert make_policy(write_policy(policy), TABLE) == policy


async def test_a_hanging_disk_does_not_keep_the_run_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr("kinestream.replay_data.recordings.seal.parquet_bytes", lambda *_, **__: answers.wait())
    monkeypatch.setattr(recording, "CLOSE_WITHIN_S", 0.3)
    failures: list[str] = []
    recorder = Recorder(tmp_path / "r", describe(source_name="s", live=True), live=True, on_failure=failures.append)
    await recorder.take(regular(500))
    await recorder.close(1, {})
    assert failures == [recorder.failure] == recorder.notices()
    assert "does not answer" in failures[0]
    answers.set()  # lets the recorder's thread end


async def test_values_that_no_recording_holds_cost_their_stream_and_no_other(tmp_path: Path) -> None:
    failures: list[str] = []
    recorder = Recorder(tmp_path / "r", describe(source_name="s", live=True), live=True, on_failure=failures.append)
    sound = cut(regular(200), 20)
    strange = [
        replace(sound[0], stream="far", seq=2**63),
        replace(sound[0], stream="before", seq=-1),
        replace(sound[0], stream="rate", fs_hz=float("nan")),
        replace(sound[0], stream="\udcff"),
        replace(sound[0], stream="labels", labels=np.full(20, 2**40), label_names=("walking",)),
        replace(sound[0], stream="shape", x=sound[0].x[:, :2]),
    ]
    for chunk in sound:
        for other in strange:
            await recorder.take(other)
        await recorder.take(chunk)
    await recorder.close(70, {})
    assert failures == []
    assert recorder.not_recorded == 6 * 200
    assert "far: 200 samples are not recorded: sequence number 9223372036854775808" in " ".join(recorder.notices())
    reader = RecordingReader(tmp_path / "r")
    assert {chunk.stream for chunk in reader.chunks()} == {"s"}
    assert sum(map(len, reader.chunks())) == 200
    assert reader.counts() == {"not_recorded": 6 * 200}
    notices = open_recording(tmp_path / "r").notices
    assert sum("were not recorded: " in notice for notice in notices) == 6
    assert "faster than the disk" not in " ".join(notices)
