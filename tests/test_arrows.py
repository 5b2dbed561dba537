"""ARCHITECTURE.md: arrows between rooms point one way, and every room has a rule."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("ingest", "windowing", "inference", "policy", "train", "replay_data", "dashboard")

GROUND = {"core"}
ROOMS: dict[str, set[str]] = {
    "core": set(),
    "energy": GROUND,
    "interpret": GROUND,
    "windowing": GROUND,
    "ingest": GROUND,
    "replay_data": GROUND,
    "policy": GROUND,
    "observe": GROUND,
    "sensor_check": GROUND | {"windowing", "observe"},
    "inference": GROUND | {"energy", "interpret"},
    "run": GROUND | {"windowing", "inference", "policy", "interpret", "observe"},
    "recording": GROUND | {"run", "replay_data", "windowing", "inference", "policy"},
    "lab": GROUND | {"run", "windowing", "policy"},
    "outputs": GROUND | {"ingest"},
    "train": GROUND | {"windowing", "inference", "interpret", "replay_data"},
    "dashboard": GROUND | {"policy"},
    "launch": GROUND
    | {"ingest", "windowing", "inference", "policy", "replay_data", "energy", "interpret", "run", "recording"}
    | {"sensor_check", "observe"},
    "cli": GROUND
    | {"ingest", "windowing", "inference", "policy", "replay_data", "energy", "interpret", "run", "recording"}
    | {"sensor_check", "observe", "train", "dashboard", "lab", "outputs", "launch"},
}
"""Each room of the house, and the rooms it may import."""

SUBROOMS: dict[str, dict[str, set[str]]] = {
    "ingest": {
        "profile": set(),
        "devices": {"profile"},
        "timing": {"profile"},
        "ble": {"profile", "devices", "timing"},
        "phone": {"profile", "timing"},
        "zmq": {"timing"},
        "lsl": {"profile", "timing", "zmq"},
        "relay": {"zmq"},
    },
    "policy": {"rules": set()},
    "train": {
        "recipe": set(),
        "recipes": set(),
        "splits": {"recipe", "data"},
        "data": {"recipe"},
        "network": {"recipe"},
        "judge": {"recipe", "data", "network", "splits"},
        "fit": {"recipe", "data", "network", "judge"},
        "personal": {"data", "network", "splits", "judge"},
    },
    "replay_data": {
        "tables": set(),
        "datasets": {"tables"},
        "recordings": {"tables", "datasets"},
        "wearer": set(),
    },
    "dashboard": {
        "drawing": set(),
        "model": {"drawing"},
        "panels": {"drawing", "model"},
        "screens": {"drawing", "model", "panels"},
    },
    "energy": {"models": set()},
    "lab": {"scenarios": set()},
    "inference": {"zoo": set()},
}
"""The rooms within a room, and which of their neighbours they may import."""


TRAIN_MAY_USE_OF_INFERENCE = {
    f"kinestream.inference.{module}"
    for module in ("architecture", "layers", "block_kinds", "presets", "engine", "model_file", "lever_accuracy")
}
HEAVY = {"torch", "textual", "pyarrow", "onnxruntime", "onnx", "scipy", "pandas", "matplotlib", "numpy"}
LIGHT = {"kinestream.core.errors", "kinestream.core.printable"}
LOADED_BY_A_COMMAND = {"output.py"}


def files() -> Iterator[Path]:
    """Every module of the package, each once: the links inside kinestream/ are left out."""
    for top in ("kinestream", *STAGES):
        for path in sorted((REPOSITORY / top).rglob("*.py")):
            if not any(folder.is_symlink() for folder in path.parents):
                yield path


def module_of(path: Path) -> str:
    """``kinestream.ingest.zmq.wire`` for ``ingest/zmq/wire.py``; a package's name for its ``__init__.py``."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    parts = parts if parts[0] == "kinestream" else ("kinestream", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> Mapping[str, Path]:
    """The package's modules by name."""
    return {module_of(path): path for path in files()}


@cache
def imports_of(name: str, *, top_level_only: bool = False) -> frozenset[str]:
    """The modules that one module imports, also inside functions; imports for type checkers only are left out."""
    path = modules()[name]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported: set[str] = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            imported |= {full if (full := f"{base}.{alias.name}") in modules() else base for alias in node.names}
    return frozenset(imported)


def own_imports(name: str) -> set[str]:
    """The modules of this package that a module imports."""
    return {imported for imported in imports_of(name) if imported in modules() and imported != name}


def room_of(module: str) -> str:
    """``ingest`` for ``kinestream.ingest.zmq.wire``; nothing for the package's own two modules."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def subroom_of(module: str) -> str:
    """``zmq`` for ``kinestream.ingest.zmq.wire``; nothing for a module that stands in the room itself."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 and parts[2] in SUBROOMS.get(parts[1], {}) else ""


def refuse_circle(arrows: Mapping[str, Iterable[str]]) -> None:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_every_folder_of_the_package_has_a_rule() -> None:
    folders = {path.parent for path in files()} - {REPOSITORY / "kinestream"}
    names = [module_of(folder / "__init__.py").split(".")[1:] for folder in folders]
    assert {name[0] for name in names} == set(ROOMS)
    assert {(name[0], name[1]) for name in names if len(name) > 1} == {
        (room, subroom) for room, subrooms in SUBROOMS.items() for subroom in subrooms
    }
    assert max(map(len, names)) == 2, "a room inside a subroom has no rule"


def test_no_module_stands_outside_the_rooms() -> None:
    assert {path.name for path in (REPOSITORY / "kinestream").glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_the_rooms_its_rule_allows(room: str) -> None:
    for name in filter(lambda name: room_of(name) == room, modules()):
        for imported in own_imports(name):
            other = room_of(imported)
            assert other in {room, "", *ROOMS[room]}, f"{name} imports {imported}"


@pytest.mark.parametrize("room", sorted(SUBROOMS))
def test_a_subroom_imports_only_the_neighbours_its_rule_allows(room: str) -> None:
    for name in filter(lambda name: room_of(name) == room and subroom_of(name), modules()):
        own = subroom_of(name)
        for imported in own_imports(name):
            other = subroom_of(imported) if room_of(imported) == room else ""
            assert other in {own, "", *SUBROOMS[room][own]}, f"{name} imports {imported}"


def test_no_rule_allows_a_circle() -> None:
    refuse_circle(ROOMS)
    for subrooms in SUBROOMS.values():
        refuse_circle(subrooms)


def test_no_modules_import_each_other_in_a_circle_not_even_inside_functions() -> None:
    refuse_circle({name: own_imports(name) for name in modules() if modules()[name].name != "__init__.py"})


def test_a_circle_hidden_inside_a_function_is_found() -> None:
    with pytest.raises(pytest.fail.Exception, match="a circle"):
        refuse_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert "kinestream.cli.output" in imports_of("kinestream.cli.run"), "it is imported inside a function"


def test_training_uses_only_the_architecture_the_model_file_and_the_engine_of_inference() -> None:
    for name in filter(lambda name: room_of(name) == "train", modules()):
        used = {module for module in own_imports(name) if room_of(module) == "inference"}
        assert used <= TRAIN_MAY_USE_OF_INFERENCE, f"{name} imports {used}"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "kinestream" / "cli").glob("*.py")), ids=lambda path: path.name)
def test_the_command_line_loads_nothing_heavy_before_a_command_runs(path: Path) -> None:
    if path.name in LOADED_BY_A_COMMAND:
        pytest.skip("loaded when a command runs")
    imported = imports_of(module_of(path), top_level_only=True)
    assert not {module.split(".")[0] for module in imported} & HEAVY
    own = {module for module in imported if module.startswith("kinestream.")}
    light = {module for module in own if room_of(module) == "cli"} | LIGHT
    assert own <= light, f"{path.name} imports {own - light} at the top"
