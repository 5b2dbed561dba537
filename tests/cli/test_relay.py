"""The commands ``relay`` and ``keys``, and the option ``--emit``."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.cli.test_run import KINESTREAM, environment, folder, kinestream, replay

__all__ = ["environment", "folder"]  # fixtures

TIMED = {"latency_ms", "age_ms", "wall_s", "realtime_factor", "source"}


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def untimed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key not in TIMED} for record in records]


def test_predictions_via_a_killed_relay_equal_a_local_replay(
    environment: dict[str, str], folder: Path, port: int, tmp_path: Path
) -> None:
    """The receiver starts only after the relay was killed, and a second relay empties the journal."""
    environment = {**environment, "KINESTREAM_STATE": str(tmp_path)}
    relay = [*KINESTREAM, "relay", "--to", f"tcp://127.0.0.1:{port}", "--journal", str(tmp_path / "journal")]
    with subprocess.Popen(
        [*relay, str(folder / "walk.csv"), "--speed", "max"], env=environment, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stderr
        assert "New samples stay in the journal" in first.stderr.readline()
        first.kill()
    with subprocess.Popen(relay, env=environment, stderr=subprocess.PIPE, text=True) as second:
        arguments = ("run", f"relay://127.0.0.1:{port}", "--model", folder / "tiny.safetensors", "--json")
        records, _ = kinestream(environment, *arguments)
        _, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors
    assert "sending those first" in errors
    *predictions, summary = untimed(records)
    *expected, expected_summary = untimed(replay(environment, folder))
    assert predictions == expected
    assert summary["counts"] == expected_summary["counts"]


def test_the_first_relayed_samples_choose_the_model_and_are_acknowledged_when_processed(
    environment: dict[str, str], folder: Path, port: int, tmp_path: Path
) -> None:
    environment = {**environment, "KINESTREAM_STATE": str(tmp_path)}
    walk = (str(folder / "walk.csv"), "--speed", "max")
    relay = [*KINESTREAM, "relay", *walk, "--to", f"tcp://127.0.0.1:{port}"]
    with subprocess.Popen(relay, env=environment, stderr=subprocess.PIPE, text=True) as sender:
        received, errors = kinestream(environment, "run", f"relay://127.0.0.1:{port}", "--worn", "wrist", "--json")
        sender.communicate(timeout=60)
    assert sender.returncode == 0, "all samples were acknowledged"
    assert "model watch: " in errors
    direct, _ = kinestream(environment, "replay", *walk, "--worn", "wrist", "--json")
    assert received[-1]["model"] == direct[-1]["model"] == "watch"
    assert untimed(received[:-1]) == untimed(direct[:-1])
    assert received[-1]["counts"]["samples"] == 2000


def test_two_machines_exchange_keys_and_use_them(
    environment: dict[str, str], folder: Path, port: int, tmp_path: Path
) -> None:
    machines = {name: {**environment, "KINESTREAM_KEYS": str(tmp_path / name)} for name in ("laptop", "wrist")}
    publish = ("publish", folder / "walk.csv", "--speed", "max", "--wait", "--to", f"tcp://0.0.0.0:{port}")
    _, errors = kinestream(machines["wrist"], *publish, status=2)
    assert errors.count("\n") == 1
    assert "kinestream keys new" in errors
    assert "--insecure" in errors
    public = {}
    for name, machine in machines.items():
        process = subprocess.run([*KINESTREAM, "keys", "new"], env=machine, capture_output=True, text=True, check=True)
        public[name] = process.stdout.strip()
        assert len(public[name]) == 40
    kinestream(machines["laptop"], "keys", "trust", "wrist", public["wrist"])
    kinestream(machines["wrist"], "keys", "trust", "laptop", tmp_path / "laptop" / "kinestream.key")
    listed = subprocess.run(
        [*KINESTREAM, "keys", "list"], env=machines["wrist"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.splitlines()[1] == f"{public['laptop']}  laptop"
    with subprocess.Popen(
        [*KINESTREAM, *map(str, publish)], env=machines["wrist"], stderr=subprocess.PIPE, text=True
    ) as publisher:
        arguments = (f"zmq+tcp://127.0.0.1:{port}?server=wrist", "--model", folder / "tiny.safetensors", "--json")
        *_, summary = kinestream(machines["laptop"], "run", *arguments)[0]
        assert "samples 2000" in publisher.communicate(timeout=60)[1]
    assert summary["counts"]["samples"] == 2000


def test_the_emitted_records_equal_the_printed_ones(environment: dict[str, str], folder: Path, port: int) -> None:
    received: list[dict[str, Any]] = []
    listening = threading.Event()

    def listen() -> None:
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.setsockopt(zmq.RCVTIMEO, 60_000)
            subscriber.setsockopt(zmq.RECONNECT_IVL, 5)
            subscriber.subscribe(b"")
            subscriber.connect(f"tcp://127.0.0.1:{port}")
            listening.set()
            while not received or not received[-1].get("summary"):
                received.append(json.loads(subscriber.recv_multipart()[1]))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    listening.wait()
    arguments = ("--speed", "20", "--json", "--emit", f"tcp://127.0.0.1:{port}")
    records, _ = kinestream(
        environment, "replay", folder / "walk.csv", "--model", folder / "tiny.safetensors", *arguments
    )
    thread.join(60)
    assert received[-1].pop("summary")
    assert records[-1].pop("summary")
    # A subscriber that connects late misses the first predictions, and sees how many by the number.
    first = received[0]["number"]
    assert [record.pop("number") for record in received] == list(range(first, len(records)))
    assert all(record.pop("version") == 1 for record in received)
    for mine, theirs in zip(received, records[first:], strict=True):
        assert {**mine, "wall_s": 0, "realtime_factor": 0} == {**theirs, "wall_s": 0, "realtime_factor": 0}


def test_a_stopped_relay_reports_its_undelivered_samples(
    environment: dict[str, str], folder: Path, port: int, tmp_path: Path
) -> None:
    command = [*KINESTREAM, "relay", str(folder / "walk.csv"), "--speed", "max", "--to", f"tcp://127.0.0.1:{port}"]
    with subprocess.Popen(
        command, env={**environment, "KINESTREAM_STATE": str(tmp_path)}, stderr=subprocess.PIPE, text=True
    ) as relay:
        assert relay.stderr
        assert "New samples stay in the journal" in relay.stderr.readline()
        time.sleep(0.2)
        relay.send_signal(signal.SIGINT)
        errors = relay.communicate(timeout=60)[1]
    assert relay.returncode == 0
    assert "undelivered samples stay in" in errors
    assert "samples 2000" in errors


@pytest.mark.parametrize("size", ["1MB", "huge", "-2GB", ""])
def test_an_invalid_journal_size_is_rejected(environment: dict[str, str], size: str, tmp_path: Path) -> None:
    arguments = ("relay", "--to", "tcp://127.0.0.1:1", "--journal", tmp_path, f"--journal-size={size}")
    _, errors = kinestream(environment, *arguments, status=2)
    assert "expected 4MB or more" in errors
