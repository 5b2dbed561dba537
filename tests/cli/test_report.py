"""``kinestream report`` as a person types it."""

import json
import os
import subprocess
import sys
from pathlib import Path


def kinestream(*words: str, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before}from kinestream.cli import main; sys.exit(main(sys.argv[1:]))"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=env)


def test_the_page_is_written_and_what_was_left_out_is_told(tmp_path):
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "broken.json").write_text("{")
    rows = [{"name": "forest", "accuracy": [0.9, 0.8]}]
    (results / "rivals.json").write_text(json.dumps({"title": "Rivals", "rows": rows}))
    done = kinestream("report", "--out", "here", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "here/index.html"
    assert "left out broken.json: " in done.stderr
    assert "85.00 ± 7.07" in (tmp_path / "here" / "index.html").read_text("utf-8")


def test_without_files_the_folder_to_name_is_named(tmp_path):
    done = kinestream("report", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--results" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_run_is_wrong_use(tmp_path):
    done = kinestream("report", "runs/none", folder=tmp_path)
    assert done.returncode == 2
    assert "metrics.json" in done.stderr


def test_without_matplotlib_the_extra_to_install_is_named(tmp_path):
    done = kinestream("report", folder=tmp_path, before="sys.modules['matplotlib'] = None; ")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install '.[train]'" in done.stderr
