"""Write the files of ``tests/compatibility/files`` with the released kinestream: ``python write_files.py FOLDER``.

This script imports the released version's module names, so only that version can run it; see README.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from kinestream.axes_file import AxesFile, write_axes_file
from kinestream.calibration import Calibration
from kinestream.energy_fit import Fit
from kinestream.inference import Architecture, Engine, Model, load_model, operating_table, save_model
from kinestream.inference.architecture import parameter_shapes, statistic_shapes
from kinestream.ingest import EndOfStream, encode, encode_end
from kinestream.ingest.curve import trust
from kinestream.ingest.journal import Journal
from kinestream.ingest.relay_wire import Kind, RelayMessage, pack
from kinestream.input_spec import InputSpec
from kinestream.levers import Levers
from kinestream.policy import make_policy, write_policy
from kinestream.policy.policy_file import save_policy
from kinestream.replay_data.sessions import SessionReader
from kinestream.signals import ACC, GYRO, SampleChunk, Sensing, Subnet
from kinestream.train.recipe_file import load_recipe, to_toml

POLICIES = {
    "fixed": "fixed:0.5x-32",
    "battery_and_slowdown": "slowdown+battery:hours=8",
    "latency": "latency:low=0.31,high=0.9,span=5",
    "persistence": "persistence:settle=1,look_s=2,sure=0.4",
    "loss": "loss:age_s=0.5",
    "deadline": "deadline=20",
    "sensing": "sensing:fs_hz=25",
    "hop": "hop=2",
}
RUN = ("--model", "tiny.safetensors", "--hop", "0.4", "--energy", "energy.toml", "--json")


def write_model(path: Path) -> None:
    architecture = Architecture("cnn", 3, 40, 4, (6, 1), (2, 1), (1, 0), (2, 3), channels=(8, 12, 16))
    widths, resolutions = (0.25, 0.5, 1.0), (32, 40)
    rng = np.random.default_rng(0)
    tensors = {}
    for name, shape in parameter_shapes(architecture).items():
        spread = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.2
        centre = 1.0 if len(shape) == 1 and name.endswith(".weight") else 0.0
        tensors[name] = rng.normal(centre, spread, shape).astype(np.float32)
    for name, shape in statistic_shapes(architecture, len(widths), len(resolutions)).items():
        values = rng.normal(0, 0.3, shape) if name.endswith(".mean") else rng.uniform(0.5, 1.5, shape)
        tensors[name] = values.astype(np.float32)
    subnets = [Subnet(width, resolution) for width in widths for resolution in resolutions]
    rates = np.full((4, 4), 0.01) * (1 - np.eye(4))
    model = Model(
        name="tiny",
        architecture=architecture,
        labels=("walking", "sitting", "standing", "cycling"),
        input=InputSpec(ACC, 50.0, architecture.length, 20),
        mean=np.array([0.5, -0.25, 9.0], np.float32),
        std=np.array([2.0, 2.5, 3.0], np.float32),
        widths=widths,
        resolutions=resolutions,
        tensors=tensors,
        accuracy=dict(zip(subnets, np.linspace(0.8, 0.97, len(subnets)).round(4).tolist(), strict=True)),
        card={"data": "none: random weights", "limits": ["recognises nothing"]},
        calibration=Calibration({0.25: 1.5, 1.0: 0.75}, tuple(map(tuple, rates.tolist())), 1.25, "made up"),
        levers=Levers(
            {Sensing(50.0, True): {subnets[0]: 0.8, subnets[-1]: 0.95}, Sensing(25.0, False): {subnets[0]: 0.75}},
            {1: {subnets[0]: 0.8}, 4: {subnets[0]: 0.7}},
        ),
    )
    save_model(path, model)


def write_output(model: Model, path: Path) -> None:
    """The probabilities that each subnetwork gives for one window."""
    engine = Engine(model)
    noise = np.random.default_rng(1).standard_normal((model.input.length, len(model.mean)))
    window = (model.mean + model.std * noise).astype(np.float32)
    probs = {
        str(point.subnet): np.asarray(engine.predict(window, point.subnet).probs)
        for point in operating_table(engine).points
    }
    np.savez(path, window=window, **probs)


def write_messages(path: Path) -> None:
    chunk = SampleChunk(
        stream="wrist",
        session="a1",
        t=np.array([12.0, 12.02, 12.5]),
        x=np.array([[0.5, -0.25, 9.75, 0.0, 1.0, -1.5], [0, 1, 9.5, 2, -2, 4], [np.nan, 0, 0, 0, 0, 8]], np.float32),
        channels=ACC + GYRO,
        fs_hz=50.0,
        seq=600,
        received_s=12.75,
        labels=np.array([0, -1, 1], np.int16),
        label_names=("walk", "sit"),
    )
    end = EndOfStream("wrist", "a1", 603)
    journal = bytes(range(16))
    messages = {
        "chunk": encode(chunk),
        "end": encode_end(end),
        "relay_hello": pack(RelayMessage(Kind.HELLO, journal, 5, 17, 123456789)),
        "relay_data": pack(RelayMessage(Kind.DATA, journal, 7, 6, 0, tuple(encode(chunk)))),
        "relay_ack": pack(RelayMessage(Kind.ACK, journal, 7)),
    }
    path.write_text(
        json.dumps({name: [frame.hex() for frame in frames] for name, frames in messages.items()}, indent=1)
    )
    with Journal(path.with_name("journal")) as kept:
        for number in range(3):
            kept.append([*encode(chunk)[:2], bytes([number])])
        kept.deliver(1)


def kinestream(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "kinestream", *arguments], check=True, stdout=subprocess.DEVNULL)


def write_recordings() -> None:
    kinestream("run", "wearer://?seed=7&loss=0.02&speed=max", *RUN, "--limit", "15", "--policy", "latency",
               "--deadline", "0.04", "--battery", "simulated:hours=1", "--record", "recording")  # fmt: skip
    command = [sys.executable, "-m", "kinestream", "run", "wearer://?seed=8", *RUN, "--policy", "fixed:0.5x-32"]
    with subprocess.Popen([*command, "--record", "killed"], stdout=subprocess.DEVNULL) as process:
        while not Path("killed", "recording.json").exists():
            time.sleep(0.05)
        time.sleep(5)
        os.kill(process.pid, signal.SIGKILL)
    for manifest in (Path("recording", "recording.json"), Path("killed", "recording.json")):
        # The manifest names the model file by its full path, which another machine does not have.
        manifest.write_text(manifest.read_text().replace(str(Path("tiny.safetensors").resolve()), "tiny.safetensors"))


def write_contents(path: Path) -> None:
    """The content of the recordings and policy files as this version reads them."""
    contents = {}
    for name in ("recording", "killed"):
        reader = SessionReader(Path(name))
        chunks = list(reader.chunks())
        contents[name] = {
            "samples": sum(len(chunk) for chunk in chunks),
            "sum": float(sum(chunk.x.astype(np.float64).sum() for chunk in chunks)),
            "first_s": float(chunks[0].t[0]),
            "counts": reader.counts(),
            "predictions": [
                {
                    "label": record.prediction.label,
                    "subnet": str(record.prediction.decision.subnet),
                    "reason": record.prediction.decision.reason,
                    "t_start_s": record.prediction.t_start_s,
                    "confidence": float(record.prediction.confidence),
                }
                for record in reader.predictions()
            ],
        }
    table = operating_table(Engine(load_model("tiny.safetensors")))
    contents["policies"] = {name: write_policy(make_policy(f"policy_{name}.toml", table)) for name in POLICIES}
    path.write_text(json.dumps(contents, indent=1))


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    write_model(Path("tiny.safetensors"))
    model = load_model("tiny.safetensors")
    write_output(model, Path("tiny_output.npz"))
    table = operating_table(Engine(model))
    for name, text in POLICIES.items():
        save_policy(make_policy(text, table), Path(f"policy_{name}.toml"))
    Path("energy.toml").write_text(Fit(4321.4, 4000.0, 4500.6, 9000.0, "RAPL (intel-rapl:0)").toml())
    notes = ('the y axis "points" down', "tab\there, back\\slash, control \x7f and é")
    axes = AxesFile("-y x z", 9.80665, 0.017453292519943295, "ble://polar", "tiny", "on the hip", 52.25)
    write_axes_file(Path("axes.toml"), replace(axes, date=datetime(2026, 11, 2, 9, 30), notes=notes))
    Path("recipe.toml").write_text(to_toml(load_recipe("uci", "paper")))
    kinestream("keys", "new", "--out", "keys")
    trust(Path("keys"), "laptop", Path("keys", "kinestream.key").read_text().split('public-key = "')[1].split('"')[0])
    write_messages(Path("messages.json"))
    write_recordings()
    write_contents(Path("contents.json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
