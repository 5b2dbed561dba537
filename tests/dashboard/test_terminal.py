"""The dashboard in a real terminal: tmux shows it, types keys and reads the screen."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from kinestream.inference import save_model
from tests.random_models import random_model

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """A separate tmux server with one window."""

    def __init__(self, socket: Path, columns: int, rows: int, command: list[str]) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", os.devnull]
        size = ["-x", str(columns), "-y", str(rows)]
        self._run("new-session", "-d", *size, "sh", "-c", f"{shlex.join(command)}; echo status $?; sleep 60")

    def _run(self, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "TMUX"}
        environment |= {"LC_ALL": "C.UTF-8"}
        result = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, env=environment, timeout=20)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def press(self, key: str) -> None:
        self._run("send-keys", key)

    def wait_for(self, shown: Callable[[str], bool], seconds: float = 30.0) -> str:
        """Return the first screen for which ``shown`` is true."""
        until = time.monotonic() + seconds
        while not shown(screen := self.screen()):
            assert time.monotonic() < until, f"never on the screen:\n{screen}"
            time.sleep(0.1)
        return screen

    def terminate(self) -> None:
        """Send SIGTERM to the processes in the window."""
        shell = psutil.Process(int(self._run("display-message", "-p", "#{pane_pid}")))
        for process in shell.children(recursive=True):
            process.terminate()

    def close(self) -> None:
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    yield from on_terminal(tmp_path)


@pytest.fixture
def basic_terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal without colours and with ASCII only."""
    yield from on_terminal(tmp_path, "NO_COLOR=1", "TERM=linux")


def on_terminal(tmp_path: Path, *settings: str) -> Iterator[Terminal]:
    model = tmp_path / "tiny.safetensors"
    save_model(model, random_model())
    command = [sys.executable, "-m", "kinestream", "run", "wearer://?seed=1&speed=20", "--dashboard"]
    command += ["--model", str(model), "--policy", "battery:hours=2", "--deadline", "5"]
    command = ["env", f"KINESTREAM_CACHE={tmp_path / 'cache'}", *settings, *command]
    window = Terminal(tmp_path / "tmux", 80, 24, command)
    yield window
    window.close()


def is_running(screen: str) -> bool:
    return all(sign in screen for sign in ("Acceleration", "p95", "◆"))


def test_the_dashboard_obeys_keys_and_leaves_the_terminal_clean(terminal: Terminal) -> None:
    screen = terminal.wait_for(is_running)
    assert any(0x2800 < ord(character) < 0x2900 for character in screen)
    assert all(len(line) <= 80 for line in screen.splitlines())
    terminal.press("Space")
    terminal.wait_for(lambda shown: "‖ 20×" in shown)
    terminal.press("p")
    terminal.wait_for(lambda shown: "→ fixed" in shown)
    terminal.press("g")
    terminal.wait_for(lambda shown: "[◆]" in shown)
    terminal.press("Left")
    terminal.wait_for(lambda shown: "0.50x-40 pinned: " in shown)
    terminal.press("Enter")
    terminal.wait_for(lambda shown: "→ fixed:0.50x-40" in shown)
    terminal.press("Enter")
    terminal.wait_for(lambda shown: "→ fixed  " in shown)
    terminal.press("v")
    terminal.wait_for(lambda shown: "kind       fixed" in shown and "queue" in shown)
    terminal.press("q")
    screen = terminal.wait_for(lambda shown: "status 0" in shown)
    assert "Acceleration" not in screen, "the terminal is clean, with the summary below"
    assert "with tiny, policy fixed" in screen


def test_a_live_stream_is_awaited_and_then_drawn_with_the_model_that_fits_it(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    kinestream = [sys.executable, "-m", "kinestream"]
    command = ["env", f"KINESTREAM_CACHE={tmp_path / 'cache'}", *kinestream, "run", f"zmq+{address}", "--dashboard"]
    terminal = Terminal(tmp_path / "tmux", 120, 24, [*command, "--worn", "wrist"])
    sender = None
    try:
        terminal.wait_for(lambda shown: f"waiting for samples from zmq+{address}" in shown)
        sender = subprocess.Popen([*kinestream, "publish", "wearer://?live=1", "--to", address, "--wait"])
        terminal.wait_for(
            lambda shown: "→ watch →" in shown and "nothing lost" in shown and "Acceleration" in shown, 90
        )
        terminal.press("q")
        screen = terminal.wait_for(lambda shown: "status 0" in shown)
        assert "model watch: the source offers an accelerometer and a gyroscope at 50 Hz, worn at the wrist" in screen
        assert f"zmq+{address} with watch" in screen
    finally:
        terminal.close()
        if sender is not None:
            sender.terminate()
            sender.wait(20)


def test_sigterm_leaves_the_terminal_clean(terminal: Terminal) -> None:
    terminal.wait_for(is_running)
    terminal.terminate()
    screen = terminal.wait_for(lambda shown: "status 0" in shown)
    assert "Acceleration" not in screen
    assert "with tiny, policy battery:hours=2" in screen


def test_a_basic_terminal_shows_only_ascii(basic_terminal: Terminal) -> None:
    screen = basic_terminal.wait_for(lambda shown: all(sign in shown for sign in ("Acceleration", "p95", "@", "+-")))
    assert screen.isascii()
    basic_terminal.press("q")
    basic_terminal.wait_for(lambda shown: "status 0" in shown)
