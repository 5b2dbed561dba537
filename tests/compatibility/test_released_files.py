"""Today's code reads the files of released versions; README.md says which version wrote them and how."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC, GYRO, SampleChunk, Sensing, Subnet
from kinestream.energy.energy_model import read_energy_model
from kinestream.inference import Engine, Model, load_model, operating_table
from kinestream.ingest import EndOfStream, decode, encode, encode_end
from kinestream.ingest.relay.journal import Journal
from kinestream.ingest.relay.wire import Kind, RelayMessage, pack, unpack
from kinestream.ingest.zmq.curve_keys import Keys
from kinestream.policy import make_policy, write_policy
from kinestream.recording.rerun import RerunSession
from kinestream.replay_data.recordings import RecordingReader, recover
from kinestream.sensor_check.axes_file import AxesFile, read_axes_file
from kinestream.train.recipe.recipe_toml import load_recipe

FILES = Path(__file__).parent / "files"
CONTENTS: dict[str, Any] = json.loads((FILES / "contents.json").read_text("utf-8"))
ROUNDING = 1e-5
"""Processors differ in how they round a network's sums."""


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(FILES / "tiny.safetensors")


@pytest.fixture(scope="module")
def same_rounding(model: Model) -> bool:
    """Whether this processor computes the bits that the released version stored."""
    with np.load(FILES / "tiny_output.npz") as stored:
        engine = Engine(model)
        window, subnets = stored["window"], [name for name in stored.files if name != "window"]
        return all(
            engine.predict(window, Subnet.parse(name)).probs.tobytes() == stored[name].tobytes() for name in subnets
        )


def messages(name: str) -> list[bytes]:
    frames = json.loads((FILES / "messages.json").read_text("utf-8"))[name]
    return [bytes.fromhex(frame) for frame in frames]


def test_a_model_file_holds_its_settings_its_calibration_and_its_lever_accuracies(model: Model) -> None:
    assert model.fingerprint.startswith("9145e7b13289")
    assert model.labels == ("walking", "sitting", "standing", "cycling")
    assert (model.input.channels, model.input.fs_hz, model.input.length, model.input.hop) == (ACC, 50.0, 40, 20)
    assert (model.widths, model.resolutions) == ((0.25, 0.5, 1.0), (32, 40))
    assert model.mean.tolist() == [0.5, -0.25, 9.0]
    assert model.std.tolist() == [2.0, 2.5, 3.0]
    assert model.accuracy[Subnet(0.25, 32)] == 0.8
    assert model.accuracy[Subnet(1.0, 40)] == 0.97
    assert model.card["limits"] == ["recognises nothing"]
    assert model.calibration.temperature == {0.25: 1.5, 1.0: 0.75}
    assert model.calibration.evidence == 1.25
    assert model.calibration.rates(4).sum() == pytest.approx(0.12)
    assert model.levers.sensing == {
        Sensing(50.0, True): {Subnet(0.25, 32): 0.8, Subnet(1.0, 40): 0.95},
        Sensing(25.0, False): {Subnet(0.25, 32): 0.75},
    }
    assert model.levers.hops == {1: {Subnet(0.25, 32): 0.8}, 4: {Subnet(0.25, 32): 0.7}}


def test_every_subnetwork_gives_the_same_probabilities(model: Model) -> None:
    engine = Engine(model)
    with np.load(FILES / "tiny_output.npz") as stored:
        subnets = [name for name in stored.files if name != "window"]
        assert len(subnets) == 6
        for name in subnets:
            probs = engine.predict(stored["window"], Subnet.parse(name)).probs
            np.testing.assert_allclose(probs, stored[name], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ["recording", "killed"])
def test_a_recording_holds_the_same_samples_and_predictions(name: str) -> None:
    reader, expected = RecordingReader(FILES / name), CONTENTS[name]
    chunks = list(reader.chunks())
    assert sum(map(len, chunks)) == expected["samples"] > 200
    assert sum(chunk.x.astype(np.float64).sum() for chunk in chunks) == expected["sum"]
    assert float(chunks[0].t[0]) == expected["first_s"]
    assert reader.counts() == expected["counts"]
    predictions = [
        {
            "label": record.prediction.label,
            "subnet": str(record.prediction.decision.subnet),
            "reason": record.prediction.decision.reason,
            "t_start_s": record.prediction.t_start_s,
            "confidence": float(record.prediction.confidence),
        }
        for record in reader.predictions()
    ]
    assert predictions == expected["predictions"]


@pytest.mark.parametrize("name", ["recording", "killed"])
async def test_a_recorded_run_is_repeated_bit_for_bit(
    name: str, monkeypatch: pytest.MonkeyPatch, same_rounding: bool
) -> None:
    monkeypatch.chdir(FILES)  # the manifest names the model file relative to this folder
    session = RerunSession(FILES / name, speed=float("inf"))
    repeated = []
    session.subscribe(on_prediction=repeated.append)
    await session.run()
    expected = CONTENTS[name]["predictions"]
    labels = [(p.label, str(p.decision.subnet), p.t_start_s) for p in repeated][: len(expected)]
    assert labels == [(p["label"], p["subnet"], p["t_start_s"]) for p in expected]
    confidences = [p.confidence for p in repeated][: len(expected)]
    assert confidences == pytest.approx([p["confidence"] for p in expected], abs=ROUNDING)
    if same_rounding:
        assert session.differing == 0, session.verdict()
        assert session.equal == len(expected)


def test_the_recording_of_a_killed_run_is_recovered(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FILES / "killed", tmp_path / "killed"))
    report = recover(folder)
    assert (report.needed, report.tails_sealed, report.damaged) == (True, 1, [])
    assert report.kept["samples"] == CONTENTS["killed"]["samples"]
    assert report.kept["predictions"] == len(CONTENTS["killed"]["predictions"])
    assert RecordingReader(folder).manifest["ended"]["how"] == "recovered"


@pytest.mark.parametrize("name", sorted(CONTENTS["policies"]))
def test_a_policy_file_gives_the_same_settings(name: str, model: Model) -> None:
    table = operating_table(Engine(model))
    policy = make_policy(str(FILES / f"policy_{name}.toml"), table)
    assert policy == make_policy(CONTENTS["policies"][name], table)
    assert write_policy(policy) == CONTENTS["policies"][name]


def test_a_file_of_a_removed_policy_names_its_replacement(model: Model) -> None:
    with pytest.raises(ConfigError, match=r"policy_utility.toml: policy utility was removed: .* fixed or deadline"):
        make_policy(str(FILES / "policy_utility.toml"), operating_table(Engine(model)))


def test_an_energy_model_file_gives_the_same_power() -> None:
    energy = read_energy_model(str(FILES / "energy.toml"))
    assert (energy.name, energy.processor.power_mw, energy.processor.sleep_mw) == ("energy", 4321.0, 0.0)
    assert energy.about.startswith("one busy core of this machine")
    assert energy.sources["processor.power_mw"].startswith("measured: busy less idle, 4000 to 4501 mW")


def test_an_axes_file_gives_the_same_turn_and_factors() -> None:
    axes = read_axes_file(FILES / "axes.toml")
    assert axes == AxesFile(
        axes="-y x z",
        acc_factor=9.80665,
        gyro_factor=0.017453292519943295,
        source="ble://polar",
        model="tiny",
        worn="on the hip",
        rate_hz=52.25,
        date=datetime(2026, 11, 2, 9, 30),
        notes=('the y axis "points" down', "tab\there, back\\slash, control \x7f and é"),
    )
    assert axes.channel_map.acc_factor == 9.80665


def test_a_recipe_file_gives_the_bundled_recipe_it_was_written_from() -> None:
    assert load_recipe(FILES / "recipe.toml") == load_recipe("uci", "paper")


def test_keys_are_read_with_those_they_trust(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FILES / "keys", tmp_path / "keys"))
    (folder / "kinestream.key_secret").chmod(0o600)  # a checkout does not keep the rights of a private file
    keys = Keys.load(folder)
    assert keys.public in (folder / "kinestream.key").read_bytes()
    assert len(keys.secret) == 40
    assert keys.known == {"laptop": keys.public}


def test_a_chunk_and_the_end_of_a_stream_are_decoded_and_encoded_to_the_same_bytes() -> None:
    chunk, end = decode(messages("chunk")), decode(messages("end"))
    assert isinstance(chunk, SampleChunk)
    assert (chunk.stream, chunk.session, chunk.seq, chunk.fs_hz, chunk.received_s) == ("wrist", "a1", 600, 50.0, 12.75)
    assert chunk.channels == ACC + GYRO
    assert chunk.t.tolist() == [12.0, 12.02, 12.5]
    np.testing.assert_array_equal(
        chunk.x, [[0.5, -0.25, 9.75, 0.0, 1.0, -1.5], [0, 1, 9.5, 2, -2, 4], [np.nan, 0, 0, 0, 0, 8]]
    )
    assert chunk.labels is not None
    assert chunk.labels.tolist() == [0, -1, 1]
    assert chunk.label_names == ("walk", "sit")
    assert end == EndOfStream("wrist", "a1", 603)
    assert encode(chunk) == messages("chunk")
    assert encode_end(end) == messages("end")


def test_relay_messages_are_unpacked_and_packed_to_the_same_bytes() -> None:
    journal = bytes(range(16))
    expected = {
        "relay_hello": RelayMessage(Kind.HELLO, journal, 5, 17, 123456789),
        "relay_data": RelayMessage(Kind.DATA, journal, 7, 6, 0, tuple(messages("chunk"))),
        "relay_ack": RelayMessage(Kind.ACK, journal, 7),
    }
    for name, message in expected.items():
        assert unpack(messages(name)) == message
        assert pack(message) == messages(name)


def test_a_relay_goes_on_with_the_undelivered_messages_of_its_journal(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FILES / "journal", tmp_path / "journal"))
    with Journal(folder) as journal:
        assert journal.id.hex() == (FILES / "journal" / "id").read_text("ascii").strip()
        assert (journal.delivered, journal.newest) == (1, 3)
        undelivered = list(takewhile(lambda record: record is not None, journal.after(journal.delivered)))
        assert [(record.number, record.frames[2]) for record in undelivered if record] == [(2, b"\x01"), (3, b"\x02")]
