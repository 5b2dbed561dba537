"""What a wearer does is nobody else's business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RUN_A_SESSION = """
import os
from kinestream.inference import Engine, find_model, load_model
engine = Engine(load_model(find_model("uci_cnn")))
engine.warm([engine.model.full])
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_onnx_runtime_keeps_no_identity_of_this_machine_to_report_with(tmp_path: Path) -> None:
    # In CI it keeps quiet of its own accord; a user has none of these.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_A_SESSION], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == "1"
    assert not list(tmp_path.rglob("*Microsoft*"))
