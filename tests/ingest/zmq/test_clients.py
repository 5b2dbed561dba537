"""The example clients of docs/clients, run unchanged against a real source."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zmq

from kinestream.core.signals import ACC, GYRO
from kinestream.ingest import ZmqSource
from tests.ingest.zmq.test_zmq import read_all

CLIENTS = Path(__file__).parents[3] / "docs" / "clients"
SAMPLES = 1000


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm package zeromq: $NODE_PATH, the global one, or one installed for these tests."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no node and npm here")
    import_zeromq = ["node", "-e", "require('zeromq')"]
    for folder in (os.environ.get("NODE_PATH", ""), _output(["npm", "root", "-g"])):
        environment = {**os.environ, "NODE_PATH": folder}
        if folder and not subprocess.run(import_zeromq, env=environment, capture_output=True, check=False).returncode:
            return Path(folder)
    folder = tmp_path_factory.mktemp("node")
    try:
        install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "zeromq@6"]
        installation = subprocess.run(install, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm could not fetch zeromq in two minutes")
    environment = {**os.environ, "NODE_PATH": str(folder / "node_modules")}
    if (
        installation.returncode
        or subprocess.run(import_zeromq, env=environment, capture_output=True, check=False).returncode
    ):
        pytest.skip(f"npm could not install zeromq: {installation.stderr.strip()[-200:]}")
    return folder / "node_modules"


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


async def check_client(command: list[str], stream: str, environment: dict[str, str] | None = None) -> None:
    """Run a client with an address and a number of samples, and check read_all that arrives."""
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    source = ZmqSource(f"zmq+tcp://127.0.0.1:{port}?mode=pull&bind=1")
    reading = asyncio.create_task(read_all(source))
    client = await asyncio.create_subprocess_exec(
        *command, f"tcp://127.0.0.1:{port}", str(SAMPLES), env={**os.environ, **(environment or {})}
    )
    received = await reading
    assert await client.wait() == 0
    assert source.counts() == {}
    assert {(chunk.stream, chunk.channels, chunk.fs_hz) for chunk in received} == {(stream, ACC + GYRO, 50.0)}
    x = np.concatenate([chunk.x for chunk in received])
    number = np.arange(SAMPLES)
    np.testing.assert_allclose(np.concatenate([chunk.t for chunk in received]), number / 50, atol=1e-9)
    np.testing.assert_allclose(x[:, 5], np.sin(number / 50), atol=1e-6)
    assert np.array_equal(x[:, :5], np.tile(np.array([0, 0, 9.80665, 0, 0], np.float32), (SAMPLES, 1)))


async def test_the_source_understands_the_client_in_node(node_modules: Path) -> None:
    await check_client(["node", str(CLIENTS / "sensor.js")], "node", {"NODE_PATH": str(node_modules)})


async def test_the_source_understands_the_client_in_c(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler here")
    probe = subprocess.run(
        [compiler, "-E", "-"], input="#include <zmq.h>\n", capture_output=True, text=True, check=False
    )
    if probe.returncode:
        pytest.skip("no zmq.h here (Debian: apt-get install libzmq3-dev)")
    command = [compiler, "-Wall", "-Werror", str(CLIENTS / "sensor.c"), "-o", str(tmp_path / "sensor"), "-lzmq", "-lm"]
    subprocess.run(command, check=True)
    await check_client([str(tmp_path / "sensor")], "c")
