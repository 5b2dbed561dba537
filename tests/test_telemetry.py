"""Dependencies send no telemetry about the wearer's machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RUN_THE_ENGINE = """
import os
from kinestream.inference import Engine, find_model, load_model
engine = Engine(load_model(find_model("uci_cnn")))
engine.warm([engine.model.full])
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_onnx_runtime_stores_no_machine_identity_for_telemetry(tmp_path: Path) -> None:
    # ONNX Runtime turns its telemetry off by itself where CI is set, which it is not for a user.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_THE_ENGINE], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == "1"
    assert not list(tmp_path.rglob("*Microsoft*"))
