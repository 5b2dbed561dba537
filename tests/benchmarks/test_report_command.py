"""``python -m benchmarks.report`` in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def report(*arguments: str, folder: Path, without: str = "") -> subprocess.CompletedProcess[str]:
    """The report run from ``folder``, as if the module ``without`` were not installed."""
    code = f"import runpy, sys; sys.modules.update(dict.fromkeys({without.split()!r})); "
    code += "sys.argv[0] = 'report'; runpy.run_module('benchmarks.report', run_name='__main__')"
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=env)


def test_the_page_is_written_and_left_out_files_are_listed(tmp_path):
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "broken.json").write_text("{")
    rows = [{"name": "forest", "accuracy": [0.9, 0.8]}]
    (results / "rivals.json").write_text(json.dumps({"title": "Rivals", "rows": rows}))
    done = report("--results", str(results), "--out", "here", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "here/index.html"
    assert "left out broken.json: " in done.stderr
    assert "85.00 ± 7.07" in (tmp_path / "here" / "index.html").read_text("utf-8")


def test_a_missing_results_folder_is_refused_in_one_line(tmp_path):
    done = report("--results", "nowhere", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_run_is_a_usage_error(tmp_path):
    done = report("runs/none", folder=tmp_path)
    assert done.returncode == 2
    assert "metrics.json" in done.stderr


def test_without_matplotlib_the_error_names_the_extra_to_install(tmp_path):
    done = report(folder=tmp_path, without="matplotlib")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install '.[train]'" in done.stderr
