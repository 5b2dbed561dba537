"""ARCHITECTURE.md: arrows point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
GROUND = {"signals", "errors", "unknown", "described", "input_spec", "operating_table", "source"}
GROUND |= {"calibration", "levers", "smoothing", "energy"}
ALLOWED: dict[str, set[str]] = {
    "ingest": GROUND,
    "windowing": GROUND,
    "inference": GROUND,
    "policy": GROUND,
    "replay_data": GROUND | {"__version__"},
    "train": GROUND | {"windowing", "replay_data", "inference"},
    "dashboard": GROUND | {"session", "policy"},
    **dict.fromkeys(GROUND, GROUND),
}
"""Who may know whom; ``pipeline``, ``session``, ``sources``, ``summary`` and ``cli`` join and may know all."""

TRAIN_MAY_USE_OF_INFERENCE = {f"kinestream.inference.{module}" for module in ("architecture", "engine", "model_file")}
HEAVY = {"torch", "textual", "pyarrow", "onnxruntime", "onnx", "scipy", "pandas", "matplotlib", "numpy"}


def files_of(room: str) -> list[Path]:
    folder = REPOSITORY / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [REPOSITORY / "kinestream" / f"{room}.py"]


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """The absolute modules a file imports, those only type checkers see left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            if node.module in ("kinestream", "kinestream.inference"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_stage_knows_only_what_lies_below_it(room: str) -> None:
    files = files_of(room)
    assert files, f"{room} has no files: is the test looking in the right place?"
    for path in files:
        for module in imports_of(path):
            if module.startswith("kinestream."):
                known = module.split(".")[1]
                assert known == room or known in ALLOWED[room], f"{path.relative_to(REPOSITORY)} imports {module}"


def test_training_uses_only_the_architecture_the_model_file_and_the_engine_of_inference() -> None:
    for path in files_of("train"):
        used = {module for module in imports_of(path) if module.startswith("kinestream.inference")}
        assert used <= TRAIN_MAY_USE_OF_INFERENCE, f"{path.relative_to(REPOSITORY)} imports {used}"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "kinestream" / "cli").glob("*.py")), ids=lambda path: path.name)
def test_the_command_line_loads_nothing_heavy_before_a_command_runs(path: Path) -> None:
    if path.name in LOADED_BY_A_COMMAND:
        pytest.skip("loaded when a command runs")
    top = {module.split(".")[0] for module in imports_of(path, top_level_only=True)}
    assert not top & HEAVY
    stages = {m for m in imports_of(path, top_level_only=True) if m.startswith("kinestream.")}
    light = {
        "kinestream.core.errors",
        "kinestream.cli",
        "kinestream.__version__",
        *(m for m in stages if m.startswith("kinestream.cli.")),
    }
    assert stages <= light, f"{path.name} imports {stages - light} at the top"


LOADED_BY_A_COMMAND = {"build.py", "output.py"}
