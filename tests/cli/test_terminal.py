"""Text of strangers at a real terminal, and every failure as one line."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kinestream.cli import main
from kinestream.core.printable import printable
from kinestream.inference import save_model
from tests.random_models import random_model

REPOSITORY = Path(__file__).resolve().parents[2]
HOSTILE = "walk\x1b]0;owned\x07\x1b[2J\x9b31m\u202ekcab\x7f[red]x[:x]"
"""Sets the title, clears the screen, colours, turns the direction of writing, and is wrong markup."""
SHOWN = r"walk\x1b]0;owned"
OWN = re.compile(r"\x1b\[[0-9;]*m|\r(?=\x1b\[)|\r?\x1b\[\d?K|\x1b\[\?25[lh]|\x1b\[\d*[AG]|\r\n")
"""What the program itself sends: colours, cleared lines, the cursor of progress bars, line ends."""

on_unix = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")


def at_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """The exit status and all output of the program at a terminal of 400 columns."""
    import fcntl
    import pty
    import struct
    import termios

    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "kinestream", *arguments],
        stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd,
        env={**os.environ, "TERM": "xterm-256color", "KINESTREAM_CACHE": str(cwd / "cache")},
    )  # fmt: skip
    os.close(terminal)
    output = b""
    try:
        while block := os.read(ours, 65536):
            output += block
    except OSError:
        pass  # how Linux reports the end
    os.close(ours)
    return process.wait(60), output.decode()


def steering(output: str) -> list[str]:
    """The characters that steer the terminal, other than the program's own."""
    return [character for character in OWN.sub("", output).replace("\n", "") if printable(character) != character]


@on_unix
def test_labels_columns_and_file_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    rows = [f"t_s,acc_x,acc_y,acc_z,label,{HOSTILE}"]
    rows += [f"{k / 50},0.1,{0.2 + k % 7},{9.81 - k % 5},{HOSTILE},1" for k in range(400)]
    (tmp_path / f"{HOSTILE}.csv").write_text("\n".join(rows), encoding="utf-8")
    save_model(tmp_path / "tiny.safetensors", random_model())
    status, output = at_terminal(
        "replay", f"{HOSTILE}.csv", "--speed", "max", "--model", "tiny.safetensors", cwd=tmp_path
    )
    assert (status, steering(output)) == (0, []), output
    assert SHOWN in output
    status, output = at_terminal("replay", f"{HOSTILE}.csv", "--columns", "acc=ax,ay,az", cwd=tmp_path)
    assert steering(output) == []
    assert status
    assert SHOWN in output


@on_unix
def test_a_model_file_does_not_steer_the_terminal(tmp_path: Path) -> None:
    model = random_model()
    labels = (HOSTILE, *model.labels[1:])
    card = {"data": HOSTILE, "limits": [HOSTILE], "terms": HOSTILE, HOSTILE: HOSTILE}
    save_model(tmp_path / "m.safetensors", replace(model, name=HOSTILE, labels=labels, card=card))
    for command in (["models", "show"], ["table"]):
        status, output = at_terminal(*command, "m.safetensors", cwd=tmp_path)
        assert (status, steering(output)) == (0, []), output
        assert SHOWN in output


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ('kind = "\\u001b[2J"', ["run", "wearer://", "--policy", "x.toml"]),
        ('kind = "battery"\n"\\u001b[2J" = 1', ["run", "wearer://", "--policy", "x.toml"]),
        ('"\\u001b[2J" = 1', ["energy", "x.toml"]),
        ('"\\u001b[2J" = 1', ["run", "wearer://", "--axes", "x.toml"]),
        ("\x1b[2J\u202e", ["replay", "x.toml"]),
        ("", ["replay", "no\x1b[2Jsuch"]),
        ("", ["run", "wearer://?no\x1b[2Jsuch=1"]),
        ("", ["ru\x1b[2Jn"]),
        ("", ["energy", "--\x1b[2J"]),
        ("", ["data", "fetch", "\x1b[2J"]),
        ("", ["replay", "walk.csv", "--policy", "\x1b[2J\nkinestream: all is well"]),
    ],
)
def test_an_error_message_does_not_steer_the_terminal(
    content: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text(content, encoding="utf-8")
    assert main(arguments) in (1, 2)
    said = capsys.readouterr()
    assert steering(said.out + said.err) == []
    assert "\nkinestream: all is well" not in said.err


def test_nothing_prints_past_the_functions_that_escape() -> None:
    for path in sorted((REPOSITORY / "kinestream").rglob("*.py")):
        if path.name in ("terminal.py", "safe_console.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                forbidden = called in ("print", "Console", "logging.StreamHandler") or re.search(
                    r"std\w+\.write", called
                )
                assert not forbidden, f"{path}:{node.lineno} calls {called}; use kinestream/cli/terminal.py"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    "arguments", [["energy"], ["--help"], ["run", "wearer://?speed=max", "--limit", "8", "--json"]]
)
def test_a_full_disk_under_the_output_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "kinestream", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "KINESTREAM_CACHE": str(tmp_path)},
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "kinestream: cannot write the output: No space left on device"
    assert "Traceback" not in ended.stderr


@on_unix
@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.1, 0.3])
def test_ctrl_c_while_modules_load_is_one_line(delay_s: float) -> None:
    code = "import kinestream.cli as cli, sys; print('ready', flush=True); sys.exit(cli.main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "replay", "nosuch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT, 2)  # 2: it had ended
    assert said in ("", "kinestream: stopped\n") or said.startswith("kinestream: no dataset 'nosuch'")


def test_an_unexpected_error_is_one_line_and_a_traceback_with_v(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ValueError("broken\x1b[2J\nsecond line")

    monkeypatch.setattr("kinestream.cli.commands.build_parser", fail)
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err == (
        "kinestream: an error in kinestream itself: ValueError: broken\\x1b[2J; add -v for the traceback, "
        "and report it\n"
    )
    assert main(["models", "list", "-v"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert steering(said) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    archive = tmp_path / "wisdm.zip"
    archive.write_bytes(b"")
    command = ["data", "fetch", "wisdm", "--url", archive.as_uri(), "--data", str(file / "deeper")]
    assert main(command) in (1, 2)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("kinestream: ")
