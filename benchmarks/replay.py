"""The whole program as a user starts it: real-time factor, accuracy, time to the first prediction, memory, help.

    python benchmarks/replay.py --data ../shared/data/hapt

Replays the continuous recordings of the nine official test people, unpaced, pinned to one core where the system
allows it, and checks that two replays print the same bytes except for timings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEST_SUBJECTS = ["2", "4", "9", "10", "12", "13", "18", "20", "24"]
TIMED = {"latency_ms", "age_ms", "wall_s", "realtime_factor"}
KINESTREAM = [sys.executable, "-m", "kinestream"]


def one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def untimed(line: str) -> dict[str, object]:
    return {key: value for key, value in json.loads(line).items() if key not in TIMED}


def first_prediction_s(command: list[str]) -> float:
    """Seconds from the start of the process to its first line; the process is ended then."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=one_core) as process:
        assert process.stdout is not None
        process.stdout.readline()
        took_s = time.perf_counter() - started
        process.kill()
    return took_s


def peak_mb(command: list[str]) -> float:
    """The largest resident memory of the process, by /usr/bin/time's own source: wait4."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=one_core) as process:
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(Path(os.environ.get("KINESTREAM_DATA", "../shared/data")) / "hapt"))
    parser.add_argument("--model", default="uci_cnn")
    parser.add_argument("--policy", default="fixed")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    base = [*KINESTREAM, "replay", "hapt", "--data", args.data, "--model", args.model, "--speed", "max", "--json"]
    command = [*base, "--policy", args.policy, "--subject", *TEST_SUBJECTS]

    outputs: list[list[str]] = []
    factors: list[float] = []
    whole_s: list[float] = []
    for _ in range(args.rounds):
        with tempfile.TemporaryFile("w+") as out:
            started = time.perf_counter()
            subprocess.run(command, stdout=out, check=True, preexec_fn=one_core)
            whole_s.append(time.perf_counter() - started)
            out.seek(0)
            outputs.append(out.read().splitlines())
        factors.append(json.loads(outputs[-1][-1])["realtime_factor"])
    summary = json.loads(outputs[0][-1])
    same = all([untimed(line) for line in lines] == [untimed(line) for line in outputs[0]] for lines in outputs[1:])
    pure, known = summary["windows_inside_one_activity"], summary["windows_with_transitions"]
    factor, whole = statistics.median(factors), summary["signal_s"] / statistics.median(whole_s)
    row("accuracy inside one activity", f"{summary['accuracy']:.2%} of {pure} windows")
    row("accuracy with transitions", f"{summary['accuracy_with_transitions']:.2%} of {known} windows")
    row("real-time factor", f"{factor:.0f} x from the first chunk on, {whole:.0f} x with process start and exit")
    row("alike but for timings", f"{'yes' if same else 'NO'}, {args.rounds} replays")
    row("first prediction after", f"{statistics.median(first_prediction_s(command) for _ in range(5)):.2f} s")
    row("peak memory", f"{peak_mb(command):.0f} MB")
    row("kinestream --help", f"{statistics.median(help_s() for _ in range(5)):.2f} s")


def help_s() -> float:
    started = time.perf_counter()
    subprocess.run([*KINESTREAM, "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def row(name: str, text: str) -> None:
    print(f"{name:30} {text}", flush=True)


if __name__ == "__main__":
    main()
